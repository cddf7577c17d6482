import { brokerConfigs, topicConfigs } from "@millrace/core";
import type { ScalarType } from "../../../wire/generator/schema.ts";
import type { Chance } from "../chance.ts";
import { mutateBytes } from "../mutate-bytes.ts";
import { type Focus, groupIds, type Knowledge } from "./knowledge.ts";
import { recordsFor } from "./records.ts";

/** What a field's value is drawn from. */
export interface Scene {
  readonly chance: Chance;
  readonly knowledge: Knowledge;
  readonly focus: Focus;
  /** Of the message: some names mean one thing here and another there. */
  readonly message: string;
  /** Of the struct that the field is in. */
  readonly struct: string;
}

type Draw = (scene: Scene) => unknown;

const safe = Number.MAX_SAFE_INTEGER;
const noId = "0".repeat(32);
const longest = "x".repeat(32_767);
const texts: readonly string[] = [
  ...["", "a", ".", "..", "orders", "größe-日本", "\u0000", "a b", "🚀", "x".repeat(249)],
  ...["x".repeat(250), "-1", "1", "2147483648", "%sha256%", "~", "__consumer_offsets"],
];

const topicName: Draw = ({ chance, focus }) =>
  chance.perThousand(900) ? focus.topic.name : chance.pick(texts);
const groupId: Draw = ({ chance, focus }) =>
  chance.perThousand(950) ? focus.groupId : chance.pick(texts);
const partition: Draw = ({ chance, focus }) =>
  chance.perThousand(850) ? focus.partition : chance.pick([0, 1, focus.topic.partitions, -1, 7]);
const offset: Draw = ({ chance, focus }) => {
  const end = focus.topic.ends.get(focus.partition) ?? 0;
  return chance.pick([0, 0, end, Math.max(0, end - 1), end + 1, chance.below(end + 1)]);
};
const leaderEpoch: Draw = ({ chance, knowledge }) =>
  chance.pick([-1, -1, -1, knowledge.leaderEpoch, knowledge.leaderEpoch + 1, 0]);
const generation: Draw = ({ chance, focus }) =>
  chance.perThousand(850) ? (focus.member?.generation ?? -1) : chance.pick([-1, 0, 1, 7]);
const milliseconds: Draw = ({ chance, knowledge }) => chance.pick(knowledge.times.waitsMs);
const config: Draw = ({ chance }) => {
  const known = [...(chance.perThousand(700) ? topicConfigs : brokerConfigs).keys()];
  return chance.perThousand(950) ? chance.pick(known) : chance.pick(texts);
};
const configValue: Draw = ({ chance }) => chance.pick(configValues);
const configValues: readonly string[] = [
  ...["-1", "0", "1", "1000", "1048576", "9223372036854775807", "true", "false", "delete"],
  ...["compact", "delete,compact", "gzip", "zstd", "producer", "journal", "local", "LogAppendTime"],
  ...["CreateTime", "0.5", "", "*", "1:1,2:2", "PLAINTEXT://h:1"],
];

/** A subscription of version 1 to a topic, or any bytes. */
const metadata: Draw = ({ chance, focus }) => {
  const name = new TextEncoder().encode(focus.topic.name);
  const head = [0, 1, 0, 0, 0, 1, name.length >> 8, name.length & 0xff];
  const sample = Uint8Array.of(...head, ...name, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);
  return chance.perThousand(850) ? sample : mutateBytes(sample, chance);
};

/** By the field's name, as generated types spell it. */
const byProperty: { readonly [property: string]: Draw } = {
  topic: topicName,
  topicName: topicName,
  topicNames: topicName,
  groupId,
  groupsNames: groupId,
  groups: groupId,
  key: groupId,
  coordinatorKeys: groupId,
  memberId: ({ chance, focus }) =>
    chance.perThousand(850) ? (focus.member?.memberId ?? "") : chance.pick(["", "nobody"]),
  groupInstanceId: ({ chance }) => (chance.perThousand(900) ? null : chance.pick(["i1", "i2"])),
  protocolType: ({ chance }) =>
    chance.perThousand(920) ? "consumer" : chance.pick(["connect", ""]),
  protocolName: ({ chance, focus }) =>
    chance.perThousand(900) ? (focus.member?.protocol ?? "range") : "range",
  metadata,
  assignment: metadata,
  transactionalId: ({ chance }) => (chance.perThousand(970) ? null : "tx"),
  clientSoftwareName: ({ chance }) => chance.pick(["fuzz", "fuzz", "-"]),
  clientSoftwareVersion: ({ chance }) => chance.pick(["1.0", "1.0", ""]),
  statesFilter: ({ chance }) => chance.pick(["Stable", "Empty", "stable", "none"]),
  typesFilter: ({ chance }) => chance.pick(["classic", "consumer", "none"]),
  clusterId: ({ chance, knowledge }) => chance.pick([null, null, knowledge.clusterId, "other"]),
  value: configValue,
  configurationKeys: config,
  topicId: ({ chance, focus }) =>
    chance.perThousand(920) ? focus.topic.id : chance.pick([noId, "5a".repeat(16)]),
  index: partition,
  partition,
  partitions: partition,
  partitionIndex: partition,
  partitionIndexes: partition,
  numPartitions: ({ chance }) => chance.pick([1, 2, 3, -1, 0]),
  replicationFactor: ({ chance }) => chance.pick([-1, 1, 1, 3]),
  count: ({ focus }) => focus.topic.partitions + 1,
  brokerIds: ({ chance }) => chance.pick([1, 1, 0, 2]),
  generationId: generation,
  generationIdOrMemberEpoch: generation,
  memberEpoch: generation,
  currentLeaderEpoch: leaderEpoch,
  leaderEpoch,
  lastFetchedEpoch: leaderEpoch,
  committedLeaderEpoch: leaderEpoch,
  sessionTimeoutMs: ({ chance, knowledge }) =>
    chance.pick([...knowledge.times.sessionsMs, chance.pick([10, 2_000_000])]),
  rebalanceTimeoutMs: ({ chance, knowledge }) => chance.pick(knowledge.times.rebalancesMs),
  maxWaitMs: milliseconds,
  timeoutMs: milliseconds,
  transactionTimeoutMs: milliseconds,
  minBytes: ({ chance }) => chance.pick([0, 1, 1, 1_000]),
  maxBytes: ({ chance }) => chance.pick([0, 1_000, 1_000_000, 0x7fffffff]),
  partitionMaxBytes: ({ chance }) => chance.pick([0, 100, 1_000_000]),
  sessionId: ({ chance, focus }) => (chance.perThousand(800) ? (focus.session?.id ?? 0) : 77),
  sessionEpoch: ({ chance, focus }) =>
    chance.perThousand(700) ? (focus.session?.epoch ?? 0) : chance.pick([0, -1, 1, 2]),
  replicaId: ({ chance }) => (chance.perThousand(970) ? -1 : 1),
  nodeId: ({ chance }) => chance.pick([1, 1, 2]),
  acks: ({ chance }) => chance.pick([-1, -1, -1, 1, 1, 0, 2]),
  keyType: ({ chance }) => chance.pick([0, 0, 0, 1, 2, 3]),
  resourceType: ({ chance }) => chance.pick([2, 2, 2, 4, 4, 8, 16, 32, 0]),
  configOperation: ({ chance }) => chance.pick([0, 0, 1, 2, 3, 4]),
  isolationLevel: ({ chance }) => chance.pick([0, 1]),
  fetchOffset: offset,
  committedOffset: offset,
  offset,
  timestamp: ({ chance }) =>
    chance.pick([-1, -2, -3, -4, -5, -6, 0, 1_700_000_000_000 + chance.below(20_000)]),
  retentionTimeMs: ({ chance }) => chance.pick([-1, -1, 0, 60_000]),
  logStartOffset: offset,
  producerId: ({ chance, focus }) => chance.pick([-1, -1, focus.producer?.id ?? 0]),
  producerEpoch: ({ chance, focus }) => chance.pick([-1, -1, focus.producer?.epoch ?? 0]),
  responsePartitionLimit: ({ chance }) => chance.pick([2_000, 1, 0]),
  records: ({ chance, focus }) => recordsFor(focus, chance),
  allowAutoTopicCreation: ({ chance }) => chance.perThousand(300),
  validateOnly: ({ chance }) => chance.perThousand(200),
  // Broker configs reach all topics: seldom, or nothing else is looked at.
  resourceName: ({ chance, focus }) =>
    chance.pick([focus.topic.name, focus.topic.name, focus.topic.name, focus.groupId, "1", ""]),
};

/** "name" means what its struct is about. */
function nameField(scene: Scene): unknown {
  if (/Config/u.test(scene.struct)) return config(scene);
  if (/Protocol/u.test(scene.struct)) return scene.chance.pick(["range", "range", "sticky"]);
  return topicName(scene);
}

/** A value that the field usually has; `undefined` where nothing is known of its name. */
export function usualValue(property: string, scene: Scene): unknown {
  if (property === "name") return nameField(scene);
  if (property === "topics" || property === "resources") return topicName(scene);
  return byProperty[property]?.(scene);
}

/** A value at the edge of what the type can carry. */
export function edgeValue(scalar: ScalarType, chance: Chance): unknown {
  switch (scalar) {
    case "bool":
      return chance.perThousand(500);
    case "int8":
      return chance.pick([0, 1, -1, 127, -128]);
    case "int16":
      return chance.pick([0, 1, -1, 32_767, -32_768]);
    case "uint16":
      return chance.pick([0, 1, 65_535]);
    case "int32":
      return chance.pick([0, 1, -1, -2, 0x7fffffff, -0x80000000, 1_000_000, 65_536]);
    case "int64":
      return chance.pick([0, 1, -1, -2, safe, -safe, 0x7fffffff, 0x80000000, 1e12]);
    case "float64":
      return chance.pick([0, -1, Number.MAX_VALUE, Number.NaN, Number.POSITIVE_INFINITY]);
    case "string":
      return chance.perThousand(150) ? longest : chance.pick([...texts, ...groupIds]);
    case "uuid":
      return chance.pick([noId, "f".repeat(32), "1".padStart(32, "0")]);
    default:
      return chance.bytes(chance.skewed(500));
  }
}
