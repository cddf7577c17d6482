import { describe, expect, it } from "vitest";
import { topicId } from "../ids.ts";
import { Catalog } from "./catalog.ts";
import {
  clusterPartitionsMax,
  clusterTopicsMax,
  configCharactersMax,
  topicPartitionsMax,
} from "./limits.ts";
import type { Topic } from "./topic.ts";
import {
  type CreateTopicRequest,
  decideCreatePartitions,
  decideCreateTopic,
  decideTopicConfigs,
  type TopicRules,
} from "./topic-changes.ts";

const none: ReadonlyMap<string, string> = new Map();
const rules: TopicRules = {
  layers: { broker: none, cluster: none, fixed: none },
  numPartitions: 4,
  defaultReplicationFactor: 2,
  brokers: [1, 2],
};

function topic(name: string, n: number, partitionCount = 3): Topic {
  const id = topicId(n.toString(16).padStart(32, "0"));
  return { name, id, partitionCount, replicationFactor: 1, configs: none, isInternal: false };
}

function catalog(...topics: readonly Topic[]): Catalog {
  const made = new Catalog();
  for (const one of topics) made.put({ topic: one, version: 1, stamp: one.id });
  return made;
}

const present = catalog(topic("here", 1), topic("a.b", 2));

function create(request: Partial<CreateTopicRequest>): unknown {
  const asked = {
    ...{ name: "new", partitionCount: 1, replicationFactor: 1, assignments: [], configs: [] },
    ...request,
  };
  const decision = decideCreateTopic(present, asked, rules);
  if (decision.kind === "refused") return `${decision.reason}: ${decision.message}`;
  const { name, partitionCount, replicationFactor, configs } = decision.topic;
  return { name, partitionCount, replicationFactor, configs: Object.fromEntries(configs) };
}

const assigned = (...replicas: readonly (readonly number[])[]): Partial<CreateTopicRequest> => ({
  partitionCount: -1,
  replicationFactor: -1,
  assignments: replicas.map((brokers, partition) => ({ partition, brokers })),
});

describe("creating a topic", () => {
  it("takes the defaults where the client names no number", () => {
    const made = create({ partitionCount: -1, replicationFactor: -1 });
    expect(made).toEqual({ name: "new", partitionCount: 4, replicationFactor: 2, configs: {} });
  });

  it("accepts any replication factor from 1, whatever brokers there are", () => {
    expect(create({ replicationFactor: 3 })).toMatchObject({ replicationFactor: 3 });
  });

  it("counts partitions and replicas of an assignment by hand", () => {
    const made = create(assigned([1, 2], [2, 1], [1, 2]));
    expect(made).toMatchObject({ partitionCount: 3, replicationFactor: 2 });
  });

  it("keeps configs as they were given, the last value of a key", () => {
    const configs = [
      ["retention.ms", "1"],
      ["flush.ms", " 2 "],
      ["retention.ms", "3"],
    ] as const;
    expect(create({ configs })).toMatchObject({
      configs: { "retention.ms": "3", "flush.ms": " 2 " },
    });
  });

  it.each<[Partial<CreateTopicRequest>, string]>([
    [
      { name: "no way" },
      "invalidName: Topic name is invalid: 'no way' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
    ],
    [{ name: "here" }, "exists: Topic 'here' already exists."],
    [{ name: "a_b" }, "invalidName: Topic 'a_b' collides with existing topic: a.b"],
    [
      { partitionCount: 0 },
      "invalidPartitions: Number of partitions was set to an invalid non-positive value.",
    ],
    [
      { partitionCount: -2 },
      "invalidPartitions: Number of partitions was set to an invalid non-positive value.",
    ],
    [
      { partitionCount: 2_000_000_000 },
      `limitReached: A topic may have at most ${topicPartitionsMax} partitions.`,
    ],
    [
      { replicationFactor: 0 },
      "invalidReplicationFactor: Replication factor must be larger than 0, or -1 to use the default value.",
    ],
    [
      {
        configs: [
          ["foo", "1"],
          ["bar", "2"],
        ],
        partitionCount: 0,
      },
      "invalidConfig: Unknown topic config name: bar",
    ],
    [
      { configs: [["retention.ms", null]] },
      "invalidConfig: Null value not supported for topic configs: retention.ms",
    ],
    [
      {
        configs: [
          ["min.compaction.lag.ms", "10"],
          ["max.compaction.lag.ms", "5"],
        ],
      },
      "invalidConfig: conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
    ],
    [
      {
        configs: [["follower.replication.throttled.replicas", "1:1,".repeat(20_000).slice(0, -1)]],
      },
      "invalidConfig: the configs of a topic may have at most 65536 characters",
    ],
    [
      { ...assigned([1]), replicationFactor: 1 },
      "invalidRequest: A manual partition assignment was specified, but replication factor was not set to -1.",
    ],
    [
      { ...assigned([1]), partitionCount: 1 },
      "invalidRequest: A manual partition assignment was specified, but numPartitions was not set to -1.",
    ],
    [
      assigned([9]),
      "invalidAssignment: The manual partition assignment includes broker 9, but no such broker is registered.",
    ],
    [
      assigned([1, 1]),
      "invalidAssignment: The manual partition assignment includes the broker 1 more than once.",
    ],
    [
      assigned([]),
      "invalidAssignment: The manual partition assignment includes an empty replica list.",
    ],
    [
      assigned([1], [1, 2]),
      "invalidAssignment: The manual partition assignment includes a partition with 2 replica(s), but this is not consistent with previous partitions, which have 1 replica(s).",
    ],
    [
      { ...assigned(), assignments: [{ partition: 1, brokers: [1] }] },
      "invalidAssignment: partitions should be a consecutive 0-based integer sequence",
    ],
    [
      {
        ...assigned(),
        assignments: [
          { partition: 0, brokers: [1] },
          { partition: 0, brokers: [1] },
        ],
      },
      "invalidAssignment: Found multiple manual partition assignments for partition 0",
    ],
  ])("is refused in Kafka's words and order: %j", (request, message) => {
    expect(create(request)).toBe(message);
  });

  it("stops at the partitions and topics that a cluster may have", () => {
    const full = {
      size: 5,
      partitionCount: clusterPartitionsMax - 1,
      byName: () => undefined,
      collidingName: () => undefined,
    };
    const request = { name: "new", replicationFactor: 1, assignments: [], configs: [] };
    const two = decideCreateTopic(full, { ...request, partitionCount: 2 }, rules);
    expect(two).toMatchObject({ kind: "refused", reason: "limitReached" });
    const one = { ...request, partitionCount: 1 };
    expect(decideCreateTopic(full, one, rules).kind).toBe("create");
    const crowded = { ...full, size: clusterTopicsMax };
    expect(decideCreateTopic(crowded, one, rules)).toMatchObject({ reason: "limitReached" });
  });
});

describe("configs of a topic", () => {
  it("have a bounded number of characters, all keys and values together", () => {
    const key = "retention.ms";
    const change = (characters: number): unknown => {
      const configs = new Map([[key, "1".padEnd(characters - key.length)]]);
      return decideTopicConfigs(topic("here", 1), configs, rules);
    };
    const over = change(configCharactersMax + 1);
    expect(over).toMatchObject({ kind: "refused", reason: "invalidConfig" });
    expect(change(configCharactersMax)).toMatchObject({ kind: "change" });
  });
});

describe("local durability", () => {
  it("is refused to topics of a cluster, new or not, and tiering's switch is not", () => {
    const ofCluster = { ...rules, localDurability: "refused" } as const;
    const local = new Map([["millrace.durability", "local"]]);
    const changed = decideTopicConfigs(topic("here", 1), local, ofCluster);
    expect(changed).toMatchObject({ kind: "refused", reason: "invalidConfig" });
    expect(decideTopicConfigs(topic("here", 1), local, rules).kind).toBe("change");
    const untiered = new Map([["remote.storage.enable", "false"]]);
    expect(decideTopicConfigs(topic("here", 1), untiered, ofCluster).kind).toBe("change");
  });
});

describe("adding partitions", () => {
  const add = (partitionCount: number, assignments?: readonly (readonly number[])[]): unknown => {
    const change = { request: { partitionCount, assignments }, rules };
    const decision = decideCreatePartitions(present, topic("here", 1), change);
    if (decision.kind === "refused") return `${decision.reason}: ${decision.message}`;
    return decision.topic.partitionCount;
  };

  it("takes a greater count, by hand or not", () => {
    expect(add(10_000)).toBe(10_000);
    expect(add(5, [[1], [2]])).toBe(5);
  });

  it.each<[number, readonly (readonly number[])[] | undefined, string]>([
    [3, undefined, "invalidPartitions: Topic already has 3 partition(s)."],
    [
      2,
      undefined,
      "invalidPartitions: The topic here currently has 3 partition(s); 2 would not be an increase.",
    ],
    [
      4,
      [],
      "invalidAssignment: Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified.",
    ],
    [
      4,
      [[9]],
      "invalidAssignment: The manual partition assignment includes broker 9, but no such broker is registered.",
    ],
    [
      topicPartitionsMax + 1,
      undefined,
      `limitReached: A topic may have at most ${topicPartitionsMax} partitions.`,
    ],
  ])("is refused in Kafka's words: %j %j", (count, assignments, message) => {
    expect(add(count, assignments)).toBe(message);
  });
});

describe("a topic's new configs", () => {
  it("replace the old ones, and leave everything else", () => {
    const configs = new Map([["retention.ms", "5"]]);
    const decision = decideTopicConfigs(topic("here", 1), configs, rules);
    expect(decision).toEqual({ kind: "change", topic: { ...topic("here", 1), configs } });
  });
});
