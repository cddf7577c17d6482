import { durabilityKey } from "../config/store-settings.ts";
import { topicConfigs } from "../config/topic-configs.ts";
import { type BrokerLayers, topicConfig } from "../config/layers.ts";
import { parseConfig } from "../config/value.ts";
import { jsonTextBytes } from "../json-text.ts";
import {
  clusterPartitionsMax,
  clusterTopicsMax,
  configCharactersMax,
  topicPartitionsMax,
} from "./limits.ts";
import type { Topic } from "./topic.ts";
import { isInternalTopicName, topicNameFault } from "./topic-name.ts";

/**
 * Decisions about topics: from what the catalog holds and what a client asks for, to the topic that
 * is to be written or the reason why not. The order of the checks is Kafka's, because a client sees
 * the first that fails; the messages are those that its tools and tests know.
 */
export type TopicRefusal =
  | "invalidName"
  | "exists"
  | "unknownTopic"
  | "invalidPartitions"
  | "invalidReplicationFactor"
  | "invalidAssignment"
  | "invalidConfig"
  | "invalidRequest"
  | "limitReached";

export interface Refused {
  readonly kind: "refused";
  readonly reason: TopicRefusal;
  readonly message: string;
}

/** What the catalog says that a decision needs. */
export interface CatalogView {
  readonly size: number;
  readonly partitionCount: number;
  byName(name: string): Topic | undefined;
  collidingName(name: string): string | undefined;
}

export interface TopicRules {
  readonly layers: BrokerLayers;
  readonly numPartitions: number;
  readonly defaultReplicationFactor: number;
  /** Ids of the brokers that a manual assignment may name. */
  readonly brokers: readonly number[];
  /** In a cluster of several brokers a broker's disk may go with it. Absent: it is allowed. */
  readonly localDurability?: "refused";
}

/** What a topic's configs have to fit to. */
export type ConfigRules = Pick<TopicRules, "layers" | "localDurability">;

export interface CreateTopicRequest {
  readonly name: string;
  /** -1: the default. */
  readonly partitionCount: number;
  /** -1: the default. */
  readonly replicationFactor: number;
  /** Replicas by partition; empty unless the client assigns them itself. */
  readonly assignments: readonly PartitionAssignment[];
  /** The last value of a key counts, as in Kafka. */
  readonly configs: readonly (readonly [name: string, value: string | null])[];
}

export interface PartitionAssignment {
  readonly partition: number;
  readonly brokers: readonly number[];
}

export type TopicWithoutId = Omit<Topic, "id">;

export type CreateDecision = { readonly kind: "create"; readonly topic: TopicWithoutId } | Refused;

export function decideCreateTopic(
  catalog: CatalogView,
  request: CreateTopicRequest,
  rules: TopicRules,
): CreateDecision {
  const { name } = request;
  const fault = topicNameFault(name);
  if (fault !== undefined) return refused("invalidName", `Topic name is invalid: ${fault}`);
  if (catalog.byName(name) !== undefined) {
    return refused("exists", `Topic '${name}' already exists.`);
  }
  const other = catalog.collidingName(name);
  if (other !== undefined) {
    return refused("invalidName", `Topic '${name}' collides with existing topic: ${other}`);
  }
  const configs = givenConfigs(request.configs);
  if ("kind" in configs) return configs;
  const invalid = configFault(configs, rules);
  if (invalid !== undefined) return refused("invalidConfig", invalid);
  const size = sizeOf(request, rules);
  if ("kind" in size) return size;
  const bound = boundReached(catalog, size.partitionCount);
  if (bound !== undefined) return bound;
  return {
    kind: "create",
    topic: { name, ...size, configs, isInternal: isInternalTopicName(name) },
  };
}

interface TopicSize {
  readonly partitionCount: number;
  readonly replicationFactor: number;
}

function sizeOf(request: CreateTopicRequest, rules: TopicRules): TopicSize | Refused {
  const { partitionCount, replicationFactor, assignments } = request;
  if (assignments.length > 0) return assignedSize(request, rules);
  if (replicationFactor < -1 || replicationFactor === 0) {
    const message = "Replication factor must be larger than 0, or -1 to use the default value.";
    return refused("invalidReplicationFactor", message);
  }
  if (partitionCount < -1 || partitionCount === 0) {
    const message = "Number of partitions was set to an invalid non-positive value.";
    return refused("invalidPartitions", message);
  }
  return {
    partitionCount: partitionCount === -1 ? rules.numPartitions : partitionCount,
    replicationFactor:
      replicationFactor === -1 ? rules.defaultReplicationFactor : replicationFactor,
  };
}

function assignedSize(request: CreateTopicRequest, rules: TopicRules): TopicSize | Refused {
  const manual = "A manual partition assignment was specified, but";
  if (request.replicationFactor !== -1) {
    return refused("invalidRequest", `${manual} replication factor was not set to -1.`);
  }
  if (request.partitionCount !== -1) {
    return refused("invalidRequest", `${manual} numPartitions was not set to -1.`);
  }
  const seen = new Map<number, readonly number[]>();
  for (const { partition, brokers } of request.assignments) {
    if (seen.has(partition)) {
      const message = `Found multiple manual partition assignments for partition ${partition}`;
      return refused("invalidAssignment", message);
    }
    seen.set(partition, brokers);
    const fault = assignmentFault(brokers, seen.values().next().value?.length ?? 0, rules.brokers);
    if (fault !== undefined) return refused("invalidAssignment", fault);
  }
  for (let partition = 0; partition < seen.size; partition += 1) {
    if (seen.has(partition)) continue;
    const message = "partitions should be a consecutive 0-based integer sequence";
    return refused("invalidAssignment", message);
  }
  return { partitionCount: seen.size, replicationFactor: seen.get(0)?.length ?? 0 };
}

/** Why the brokers cannot be one partition's replicas. */
function assignmentFault(
  brokers: readonly number[],
  expected: number,
  known: readonly number[],
): string | undefined {
  const manual = "The manual partition assignment includes";
  if (brokers.length === 0) return `${manual} an empty replica list.`;
  const seen = new Set<number>();
  for (const broker of [...brokers].sort((a, b) => a - b)) {
    if (seen.has(broker)) return `${manual} the broker ${broker} more than once.`;
    if (!known.includes(broker)) {
      return `${manual} broker ${broker}, but no such broker is registered.`;
    }
    seen.add(broker);
  }
  if (brokers.length === expected) return undefined;
  return (
    `${manual} a partition with ${brokers.length} replica(s), but this is not ` +
    `consistent with previous partitions, which have ${expected} replica(s).`
  );
}

function boundReached(catalog: CatalogView, added: number): Refused | undefined {
  if (added > topicPartitionsMax) {
    const message = `A topic may have at most ${topicPartitionsMax} partitions.`;
    return refused("limitReached", message);
  }
  if (catalog.partitionCount + added > clusterPartitionsMax) {
    const message = `The cluster may have at most ${clusterPartitionsMax} partitions.`;
    return refused("limitReached", message);
  }
  if (catalog.size >= clusterTopicsMax) {
    return refused("limitReached", `The cluster may have at most ${clusterTopicsMax} topics.`);
  }
  return undefined;
}

function givenConfigs(
  entries: CreateTopicRequest["configs"],
): ReadonlyMap<string, string> | Refused {
  const configs = new Map<string, string>();
  const nulls: string[] = [];
  for (const [name, value] of entries) {
    if (value === null) nulls.push(name);
    else configs.set(name, value);
  }
  if (nulls.length === 0) return configs;
  return refused("invalidConfig", `Null value not supported for topic configs: ${nulls.join(",")}`);
}

/** Why the configs cannot be a topic's, in Kafka's words. */
export function configFault(
  configs: ReadonlyMap<string, string>,
  { layers, localDurability }: ConfigRules,
): string | undefined {
  const unknown = [...configs.keys()].filter((name) => !topicConfigs.has(name)).sort()[0];
  if (unknown !== undefined) return `Unknown topic config name: ${unknown}`;
  let characters = 0;
  for (const [name, value] of configs) {
    const definition = topicConfigs.get(name);
    if (definition === undefined) continue;
    const parsed = parseConfig(definition, value);
    if (!parsed.ok) return parsed.message;
    characters += jsonTextBytes(name) + jsonTextBytes(value);
  }
  if (characters > configCharactersMax) {
    return `the configs of a topic may have at most ${configCharactersMax} characters`;
  }
  if (localDurability === "refused" && configs.get(durabilityKey) === "local") {
    return `${durabilityKey}=local is for a broker that is alone in its cluster`;
  }
  return contradictionOf(configs, layers);
}

function contradictionOf(
  configs: ReadonlyMap<string, string>,
  layers: BrokerLayers,
): string | undefined {
  const value = (name: string): number => {
    const definition = topicConfigs.get(name);
    return definition === undefined ? 0 : Number(topicConfig(definition, configs, layers).value);
  };
  const [least, most] = [value("min.compaction.lag.ms"), value("max.compaction.lag.ms")];
  if (least > most) {
    return (
      `conflict topic config setting min.compaction.lag.ms (${least}) > ` +
      `max.compaction.lag.ms (${most})`
    );
  }
  const isOn = configs.get("remote.storage.enable")?.trim().toLowerCase() === "true";
  if (isOn && layers.fixed.get("remote.log.storage.system.enable") === undefined) {
    return (
      "Tiered Storage functionality is disabled in the broker. " +
      "Topic cannot be configured with remote log storage."
    );
  }
  return undefined;
}

export interface CreatePartitionsRequest {
  /** The number of partitions that the topic shall have. */
  readonly partitionCount: number;
  /** The replicas of each added partition; `undefined` leaves them to the broker. */
  readonly assignments: readonly (readonly number[])[] | undefined;
}

export type ChangeDecision = { readonly kind: "change"; readonly topic: Topic } | Refused;

export function decideCreatePartitions(
  catalog: CatalogView,
  topic: Topic,
  change: { readonly request: CreatePartitionsRequest; readonly rules: TopicRules },
): ChangeDecision {
  const { partitionCount, assignments } = change.request;
  const before = topic.partitionCount;
  if (partitionCount === before) {
    return refused("invalidPartitions", `Topic already has ${before} partition(s).`);
  }
  if (partitionCount < before) {
    const message =
      `The topic ${topic.name} currently has ${before} partition(s); ` +
      `${partitionCount} would not be an increase.`;
    return refused("invalidPartitions", message);
  }
  const added = partitionCount - before;
  if (assignments !== undefined && assignments.length !== added) {
    const message =
      `Attempted to add ${added} additional partition(s), ` +
      `but only ${assignments.length} assignment(s) were specified.`;
    return refused("invalidAssignment", message);
  }
  for (const brokers of assignments ?? []) {
    const fault = assignmentFault(brokers, brokers.length, change.rules.brokers);
    if (fault !== undefined) return refused("invalidAssignment", fault);
  }
  if (partitionCount > topicPartitionsMax) {
    const message = `A topic may have at most ${topicPartitionsMax} partitions.`;
    return refused("limitReached", message);
  }
  if (catalog.partitionCount + added > clusterPartitionsMax) {
    const message = `The cluster may have at most ${clusterPartitionsMax} partitions.`;
    return refused("limitReached", message);
  }
  return { kind: "change", topic: { ...topic, partitionCount } };
}

export function decideTopicConfigs(
  topic: Topic,
  configs: ReadonlyMap<string, string>,
  rules: ConfigRules,
): ChangeDecision {
  const fault = configFault(configs, rules);
  if (fault !== undefined) return refused("invalidConfig", fault);
  return { kind: "change", topic: { ...topic, configs } };
}

export function refused(reason: TopicRefusal, message: string): Refused {
  return { kind: "refused", reason, message };
}
