import type { Slot } from "@millrace/core";
import {
  type DescribeTopicPartitionsResponseInput,
  ErrorCode,
  type MetadataRequest,
  type MetadataResponse,
  type MetadataResponseInput,
  type MetadataResponseTopic,
  zeroUuid,
} from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { liveBrokers } from "../cluster/live-brokers.ts";
import { encodedPartitionsMin, encodedPartitionsPerTurnMax } from "../limits.ts";
import { metadataHandler } from "./03-metadata.ts";
import { createTopicsHandler } from "./19-create-topics.ts";
import { createPartitionsHandler } from "./37-create-partitions.ts";
import { describeClusterHandler } from "./60-describe-cluster.ts";
import { describeTopicPartitionsHandler } from "./75-describe-topic-partitions.ts";
import type { Handler } from "./handler.ts";
import { HandlerKit } from "./partition-kit.ts";
import type { ThreeBrokers } from "./three-brokers.ts";

let kit: HandlerKit;
let view: ThreeBrokers;
/** One for a test's whole life: what it keeps encoded is found again. */
let handler: Handler<MetadataRequest, MetadataResponseInput>;

beforeEach(async () => {
  ({ kit, view } = await HandlerKit.amongThree());
  handler = metadataHandler(kit.broker);
});

async function metadata(names: readonly string[] | null, version = 13): Promise<MetadataResponse> {
  const answer: Promise<unknown> = kit.ask(handler, version, {
    topics: names?.map((name) => ({ name, topicId: zeroUuid })) ?? null,
    ...{ allowAutoTopicCreation: false, includeTopicAuthorizedOperations: false },
    includeClusterAuthorizedOperations: false,
  });
  return answer as Promise<MetadataResponse>;
}

async function create(name: string, partitionCount: number, replicationFactor = 1): Promise<void> {
  const size = { partitionCount, replicationFactor };
  const request = { name, ...size, assignments: [], configs: [] };
  const outcome = await kit.settled(kit.rig.cluster.createTopic(request, "perform"));
  expect(outcome.kind).toBe("done");
}

function slotOf(name: string, partition: number): Slot {
  const topic = kit.rig.cluster.topics.byName(name);
  if (topic === undefined) throw new Error(`no topic ${name}`);
  return kit.rig.cluster.slotOfPartition(topic.id, partition);
}

const leadersOf = (topic: MetadataResponseTopic | undefined): ReadonlySet<number> =>
  new Set(topic?.partitions.map(({ leaderId }) => leaderId));

const addresses = [
  [1, "broker", 9092, null],
  [2, "plaintext-2", 9092, "zone-2"],
  [3, "plaintext-3", 9093, "zone-3"],
];

describe("the brokers of the cluster", () => {
  it("are named by Metadata for the listener that was asked, with the controller", async () => {
    const { brokers, controllerId } = await metadata([]);
    const shown = brokers.map(({ nodeId, host, port, rack }) => [nodeId, host, port, rack]);
    expect(shown).toEqual(addresses);
    expect(controllerId).toBe(3);
  });

  it("are named by DescribeCluster just so", async () => {
    const { brokers, controllerId } = await kit.ask(describeClusterHandler(kit.broker), 2, {
      ...{ includeClusterAuthorizedOperations: false, endpointType: 1 },
      includeFencedBrokers: false,
    });
    const shown = brokers.map(({ brokerId, host, port, rack }) => [brokerId, host, port, rack]);
    expect(shown).toEqual(addresses);
    expect(controllerId).toBe(3);
  });
});

/** As Metadata and DescribeTopicPartitions show the three partitions of `t`. */
const shown = [
  { errorCode: ErrorCode.NONE, leaderId: 1, replicaNodes: [1, 2], isrNodes: [1, 2] },
  {
    ...{ errorCode: ErrorCode.NONE, leaderId: 2, leaderEpoch: 72 },
    ...{ replicaNodes: [2, 1], isrNodes: [2, 1] },
  },
  {
    ...{ errorCode: ErrorCode.LEADER_NOT_AVAILABLE, leaderId: -1, leaderEpoch: -1 },
    ...{ replicaNodes: [1, 2], isrNodes: [1, 2] },
  },
].map((partition, partitionIndex) => ({ partitionIndex, offlineReplicas: [], ...partition }));

describe("who leads a partition", () => {
  beforeEach(async () => {
    await create("t", 3, 2);
    view.lead(slotOf("t", 1), 2);
    view.lead(slotOf("t", 2), "nobody");
  });

  it("is its slot's leader, in the slot's epoch, among as many replicas as were asked for", async () => {
    const { topics } = await metadata(["t"]);
    expect(topics[0]?.partitions).toMatchObject(shown);
    expect(topics[0]?.partitions[0]?.leaderEpoch).toBe(kit.rig.cluster.epoch);
  });

  it("is shown alike by DescribeTopicPartitions", async () => {
    const described: DescribeTopicPartitionsResponseInput = await kit.ask(
      describeTopicPartitionsHandler(kit.broker),
      0,
      { topics: [{ name: "t" }], responsePartitionLimit: 10, cursor: null },
    );
    expect(described.topics[0]?.partitions).toMatchObject(shown);
  });

  it("has no more replicas than there are live brokers, whatever was asked for", async () => {
    await create("many", 1, 9);
    await create("few", 1, 1);
    const replicas = async (): Promise<readonly unknown[]> => {
      const { topics } = await metadata(["many", "few"]);
      return topics.map(({ partitions }) => partitions[0]?.replicaNodes);
    };
    expect(await replicas()).toEqual([[1, 2, 3], [1]]);
    view.live = view.live.filter((id) => id !== 2);
    view.changed();
    expect(await replicas()).toEqual([[1, 3], [1]]);
  });

  it.each([
    ["few", 8],
    ["so many partitions that they are kept encoded", encodedPartitionsMin],
    ["more than one turn describes", 2 * encodedPartitionsPerTurnMax + 3],
  ])("is told anew after leaders changed: %s", async (_, partitions) => {
    await create("u", partitions);
    for (const names of [null, ["u"]] as const) {
      const leaders = async (): Promise<ReadonlySet<number>> =>
        leadersOf((await metadata(names)).topics.find(({ name }) => name === "u"));
      const slots = Array.from({ length: 8 }, (__, partition) => slotOf("u", partition));
      for (const slot of slots) view.giveBack(slot);
      expect(await leaders()).toEqual(new Set([1]));
      for (const slot of slots) view.lead(slot, 3);
      expect(await leaders()).toEqual(new Set([3]));
      view.lead(slotOf("u", 5), 2);
      expect(await leaders()).toEqual(new Set([2, 3]));
    }
  });

  it("is not kept from before a change that came while it was being encoded", async () => {
    await create("u", 2 * encodedPartitionsPerTurnMax);
    const before = metadata(["u"]);
    for (let partition = 0; partition < 8; partition += 1) view.lead(slotOf("u", partition), 3);
    const after = metadata(["u"]);
    await before;
    expect(leadersOf((await after).topics[0])).toEqual(new Set([3]));
    expect(leadersOf((await metadata(["u"])).topics[0])).toEqual(new Set([3]));
  });
});

describe("replicas that a client assigns itself", () => {
  beforeEach(() => kit.rig.cluster.useLiveBrokers(() => liveBrokers(view)));

  const createAssigned = async (brokers: readonly number[]): Promise<unknown> => {
    const assignments = [{ partitionIndex: 0, brokerIds: brokers }];
    const topic = { name: `a${brokers.join("-")}`, numPartitions: -1, replicationFactor: -1 };
    const { topics } = await kit.ask(createTopicsHandler(kit.broker), 7, {
      ...{ topics: [{ ...topic, assignments, configs: [] }], timeoutMs: 1000 },
      validateOnly: false,
    });
    return topics[0]?.errorCode;
  };

  it("may be any live brokers, and no others", async () => {
    expect(await createAssigned([3, 2])).toBe(ErrorCode.NONE);
    expect(await createAssigned([3, 4])).toBe(ErrorCode.INVALID_REPLICA_ASSIGNMENT);
    view.live = view.live.filter((id) => id !== 2);
    expect(await createAssigned([2])).toBe(ErrorCode.INVALID_REPLICA_ASSIGNMENT);
    const addTo = async (brokerIds: readonly number[], count: number): Promise<unknown> => {
      const topics = [{ name: "a3-2", count, assignments: [{ brokerIds }] }];
      const request = { topics, timeoutMs: 1000, validateOnly: false };
      const { results } = await kit.ask(createPartitionsHandler(kit.broker), 3, request);
      return results[0]?.errorCode;
    };
    expect(await addTo([1, 2], 2)).toBe(ErrorCode.INVALID_REPLICA_ASSIGNMENT);
    expect(await addTo([1, 3], 2)).toBe(ErrorCode.NONE);
  });

  it("say nothing about who leads: that is the slot's leader, and the count is all that stays", async () => {
    await createAssigned([3, 2]);
    const { topics } = await metadata(["a3-2"]);
    expect(topics[0]?.partitions).toMatchObject([{ leaderId: 1, replicaNodes: [1, 2] }]);
  });
});
