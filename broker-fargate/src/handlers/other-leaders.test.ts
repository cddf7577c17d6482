import { MetadataError, type Slot, type TopicId } from "@millrace/core";
import {
  ErrorCode,
  type FetchRequest,
  type FetchResponseInput,
  type ProduceResponseInput,
  type Uuid,
  zeroUuid,
} from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { NotLeaderError } from "../cluster/cluster-view.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import { turn } from "../partition/fixtures.ts";
import { produceHandler } from "./00-produce.ts";
import { fetchHandler } from "./01-fetch.ts";
import { listOffsetsHandler } from "./02-list-offsets.ts";
import { deleteRecordsHandler } from "./21-delete-records.ts";
import { offsetForLeaderEpochHandler } from "./23-offset-for-leader-epoch.ts";
import { describeLogDirsHandler } from "./35-describe-log-dirs.ts";
import type { Handler } from "./handler.ts";
import { batch, contextOf, HandlerKit } from "./partition-kit.ts";
import type { ThreeBrokers } from "./three-brokers.ts";

const notLeader = ErrorCode.NOT_LEADER_OR_FOLLOWER;
const outOfRange = ErrorCode.OFFSET_OUT_OF_RANGE;
const away = new MetadataError("away", { retriable: true, applied: "no" });
const unnamed = { leaderId: -1, leaderEpoch: -1 };
let kit: HandlerKit;
let view: ThreeBrokers;
let topicId: Uuid;
let fetches: Handler<FetchRequest, FetchResponseInput>;

/** Partition 0 is led here, 1 by broker 2, and 2 by nobody. */
beforeEach(async () => {
  ({ kit, view } = await HandlerKit.amongThree());
  topicId = await kit.createTopic("t", { partitions: 3 });
  fetches = fetchHandler(kit.broker);
  view.lead(slotOf(1), 2);
  view.lead(slotOf(2), "nobody");
});

const idOf = (): TopicId => kit.rig.cluster.topics.list()[0]?.id ?? ("" as TopicId);
const slotOf = (partition: number): Slot => kit.rig.cluster.slotOfPartition(idOf(), partition);
const isLoaded = (partition: number): boolean =>
  kit.rig.partitions.find(idOf(), partition) !== undefined;
const isOnDisk = (partition: number): boolean =>
  kit.rig.disk.list("partitions").some((name) => name.endsWith(`-${partition}`));

function produce(indexes: readonly number[], version = 12): Promise<ProduceResponseInput> {
  const partitionData = indexes.map((index) => ({ index, records: batch(3) }));
  const [name, id] = version < 13 ? ["t", zeroUuid] : ["", topicId];
  return kit.ask(produceHandler(kit.broker), version, {
    ...{ acks: -1, transactionalId: null, timeoutMs: 1000 },
    topicData: [{ name, topicId: id, partitionData }],
  });
}

type Asked = FetchRequest["topics"][number]["partitions"][number];

function part(partition: number, changes: Partial<Asked> = {}): Asked {
  return {
    ...{ partition, fetchOffset: 0, currentLeaderEpoch: -1, lastFetchedEpoch: -1 },
    ...{ logStartOffset: -1, partitionMaxBytes: 10_000, replicaDirectoryId: zeroUuid },
    highWatermark: -1n,
    ...changes,
  };
}

function fetchRequest(
  partitions: readonly Asked[],
  changes: Partial<FetchRequest> = {},
  version = 18,
): FetchRequest {
  const [topic, id] = version < 13 ? ["t", zeroUuid] : ["", topicId];
  return {
    ...{ clusterId: null, replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 100_000 },
    replicaState: { replicaId: -1, replicaEpoch: -1 },
    ...{ isolationLevel: 0, sessionId: 0, sessionEpoch: -1, rackId: "" },
    topics: partitions.length === 0 ? [] : [{ topic, topicId: id, partitions }],
    forgottenTopicsData: [],
    ...changes,
  };
}

function fetch(
  partitions: readonly Asked[],
  changes: Partial<FetchRequest> = {},
  version = 18,
): Promise<FetchResponseInput> {
  return kit.ask(fetches, version, fetchRequest(partitions, changes, version));
}

function codesOf({ responses }: FetchResponseInput): readonly (readonly number[])[] {
  return responses.flatMap(({ partitions }) =>
    partitions.map(({ errorCode, partitionIndex }) => [partitionIndex, errorCode]),
  );
}

async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; turns < 10_000 && !condition(); turns += 1) await turn();
  expect(condition()).toBe(true);
}

describe("Produce to a partition that another broker leads", () => {
  it.each([10, 12, 13])("names the leader and its address in v%i", async (version) => {
    const { responses, nodeEndpoints } = await produce([0, 1, 2], version);
    expect(responses[0]?.partitionResponses).toMatchObject([
      { index: 0, errorCode: 0, baseOffset: 0, currentLeader: unnamed },
      { index: 1, errorCode: notLeader, currentLeader: { leaderId: 2, leaderEpoch: 72 } },
      { index: 2, errorCode: notLeader, currentLeader: unnamed },
    ]);
    expect(nodeEndpoints).toEqual([{ nodeId: 2, host: "plaintext-2", port: 9092, rack: "zone-2" }]);
  });

  it("names nobody to a client that does not know the field", async () => {
    const { responses } = await produce([1], 9);
    expect(responses[0]?.partitionResponses).toMatchObject([{ errorCode: notLeader }]);
  });

  it("neither loads the partition nor makes a file", async () => {
    await produce([0, 1, 2]);
    await fetch([part(0), part(1), part(2)]);
    expect([0, 1, 2].map(isLoaded)).toEqual([true, false, false]);
    expect([0, 1, 2].map(isOnDisk)).toEqual([true, false, false]);
  });

  it("names the leader where the slot is lost while records wait to be durable", async () => {
    await produce([0]);
    const owner = await kit.rig.partitions.open(idOf(), 0);
    kit.broker.partitions.find = () =>
      ({
        highWatermark: owner.highWatermark,
        append: () => {
          view.lead(slotOf(0), 3);
          return Promise.resolve({ kind: "refused", reason: "notLeader" });
        },
      }) as unknown as typeof owner;
    const { responses, nodeEndpoints } = await produce([0]);
    expect(responses[0]?.partitionResponses).toMatchObject([
      { errorCode: notLeader, currentLeader: { leaderId: 3, leaderEpoch: 73 } },
    ]);
    expect(nodeEndpoints).toMatchObject([{ nodeId: 3 }]);
  });

  it("does not send a client back to this broker, which has just lost the slot", async () => {
    await produce([0]);
    (await kit.rig.partitions.open(idOf(), 0)).close();
    const { responses, nodeEndpoints } = await produce([0]);
    expect(responses[0]?.partitionResponses).toMatchObject([
      { errorCode: notLeader, currentLeader: unnamed },
    ]);
    expect(nodeEndpoints).toEqual([]);
  });

  it("names no leader that can't be reached", async () => {
    view.live = view.live.filter((id) => id !== 2);
    const { responses, nodeEndpoints } = await produce([1]);
    expect(responses[0]?.partitionResponses).toMatchObject([{ currentLeader: unnamed }]);
    expect(nodeEndpoints).toEqual([]);
  });

  it.each([
    ["this incarnation is over", new FencedError("fenced")],
    ["the slot has gone elsewhere", new NotLeaderError(0 as Slot)],
    ["the metadata store does not answer", away],
  ])("is refused so when it can't be loaded because %s", async (_, error) => {
    kit.broker.partitions.open = () => Promise.reject(error);
    const { responses } = await produce([0]);
    expect(responses[0]?.partitionResponses).toMatchObject([{ errorCode: notLeader }]);
    expect(codesOf(await fetch([part(0)]))).toEqual([[0, notLeader]]);
  });
});

describe("Fetch of a partition that another broker leads", () => {
  it.each([16, 18])("names the leader and its address in v%i", async (version) => {
    await produce([0]);
    const { responses, nodeEndpoints } = await fetch([part(0), part(1), part(2)], {}, version);
    expect(responses[0]?.partitions).toMatchObject([
      { errorCode: 0, highWatermark: 3, currentLeader: unnamed },
      { errorCode: notLeader, currentLeader: { leaderId: 2, leaderEpoch: 72 } },
      { errorCode: notLeader, currentLeader: unnamed },
    ]);
    expect(nodeEndpoints).toEqual([{ nodeId: 2, host: "plaintext-2", port: 9092, rack: "zone-2" }]);
  });

  it.each([12, 15])("names nobody in v%i, before v16, as Kafka does", async (version) => {
    const { nodeEndpoints, responses } = await fetch([part(1)], {}, version);
    expect(responses[0]?.partitions).toMatchObject([
      { errorCode: notLeader, currentLeader: unnamed },
    ]);
    expect(nodeEndpoints).toEqual([]);
  });

  it("names this broker to a client that knows an older epoch", async () => {
    const { epoch } = kit.rig.cluster;
    const asked = [epoch - 1, epoch, epoch + 1].map((known) =>
      fetch([part(0, { currentLeaderEpoch: known })]),
    );
    const answers = (await Promise.all(asked)).map(({ responses }) => responses[0]?.partitions[0]);
    expect(answers).toMatchObject([
      {
        errorCode: ErrorCode.FENCED_LEADER_EPOCH,
        currentLeader: { leaderId: 1, leaderEpoch: epoch },
      },
      { errorCode: 0, currentLeader: unnamed },
      { errorCode: ErrorCode.UNKNOWN_LEADER_EPOCH, currentLeader: unnamed },
    ]);
  });

  it("is reported within a session as soon as it is lost, and each time until it is back", async () => {
    await produce([0]);
    const begun = await fetch([part(0), part(1)], { sessionEpoch: 0 });
    const sessionId = begun.sessionId ?? 0;
    expect(codesOf(begun)).toEqual([
      [0, 0],
      [1, notLeader],
    ]);
    const next = (sessionEpoch: number, moved: readonly Asked[] = []) =>
      fetch(moved, { sessionId, sessionEpoch });
    const read = part(0, { fetchOffset: 3 });
    expect(codesOf(await next(1, [read]))).toEqual([[1, notLeader]]);
    view.lead(slotOf(0), 3);
    expect(codesOf(await next(2))).toEqual([
      [0, notLeader],
      [1, notLeader],
    ]);
    expect(codesOf(await next(3))).toEqual([
      [0, notLeader],
      [1, notLeader],
    ]);
  });

  it("ends a long poll at once when the slot is lost, with the new leader", async () => {
    await produce([0]);
    const beganMs = kit.rig.clock.monotonicMs();
    const changes = { minBytes: 1, maxWaitMs: 30_000 };
    const request = fetchRequest([part(0, { fetchOffset: 3 })], changes);
    const answer = Promise.resolve(fetches.handle(request, contextOf(18)));
    await until(() => view.watchers === 1);
    view.changed();
    await turn();
    expect(view.watchers).toBe(1);
    view.lead(slotOf(0), 2);
    const { responses, nodeEndpoints } = (await answer) ?? { responses: [] };
    expect(responses[0]?.partitions).toMatchObject([
      { errorCode: notLeader, currentLeader: { leaderId: 2, leaderEpoch: 72 } },
    ]);
    expect(nodeEndpoints).toMatchObject([{ nodeId: 2 }]);
    expect(kit.rig.clock.monotonicMs()).toBe(beganMs);
    expect(view.watchers).toBe(0);
  });

  it("does not begin a long poll when the slot is lost after it was read", async () => {
    await produce([0]);
    const owner = await kit.rig.partitions.open(idOf(), 0);
    const read = owner.read.bind(owner);
    owner.read = (wish) => {
      const found = read(wish);
      view.lead(slotOf(0), 3);
      return found;
    };
    const beganMs = kit.rig.clock.monotonicMs();
    const changes = { minBytes: 1, maxWaitMs: 30_000 };
    const answer = await fetch([part(0, { fetchOffset: 3 })], changes);
    expect(codesOf(answer)).toEqual([[0, notLeader]]);
    expect(kit.rig.clock.monotonicMs() - beganMs).toBeLessThan(30_000);
  });

  it("is not listened to any more when a long poll ends for another reason", async () => {
    await produce([0]);
    await fetch([part(0, { fetchOffset: 3 })], { minBytes: 1, maxWaitMs: 100 });
    expect(view.watchers).toBe(0);
  });
});

describe("an owner that may have been replaced without knowing", () => {
  const beyond = part(0, { fetchOffset: 100 });
  const deleteBeyond = async (): Promise<unknown> => {
    const topics = [{ name: "t", partitions: [{ partitionIndex: 0, offset: 100 }] }];
    const answer = await kit.ask(deleteRecordsHandler(kit.broker), 2, { topics, timeoutMs: 1 });
    return answer.topics[0]?.partitions[0]?.errorCode;
  };

  beforeEach(async () => {
    await produce([0]);
    view.hasEvidence = false;
  });

  it("confirms an offset out of range before it says so", async () => {
    expect(codesOf(await fetch([beyond]))).toEqual([[0, outOfRange]]);
    expect(await deleteBeyond()).toBe(outOfRange);
    expect(view.headsRead).toEqual([slotOf(0), slotOf(0)]);
  });

  it.each([
    ["another has the slot", () => Promise.resolve(false)],
    ["the store does not answer", () => Promise.reject(away)],
  ])("says that it does not lead where %s", async (_, readHead) => {
    view.readHead = readHead;
    expect(codesOf(await fetch([beyond]))).toEqual([[0, notLeader]]);
    expect(await deleteBeyond()).toBe(notLeader);
  });

  it("reads nothing for what harms no client, and nothing where it knows", async () => {
    expect(codesOf(await fetch([part(0)]))).toEqual([[0, 0]]);
    view.hasEvidence = true;
    expect(codesOf(await fetch([beyond]))).toEqual([[0, outOfRange]]);
    expect(view.headsRead).toEqual([]);
  });
});

describe("other requests for a partition that another broker leads", () => {
  it("are refused by ListOffsets", async () => {
    const partitions = [0, 1, 2].map((partitionIndex) => {
      return { partitionIndex, currentLeaderEpoch: -1, timestamp: -1n };
    });
    const { topics } = await kit.ask(listOffsetsHandler(kit.broker), 11, {
      ...{ replicaId: -1, isolationLevel: 0, timeoutMs: 0 },
      topics: [{ name: "t", partitions }],
    });
    const codes = topics[0]?.partitions.map(({ errorCode }) => errorCode);
    expect(codes).toEqual([0, notLeader, notLeader]);
  });

  it("are refused by OffsetForLeaderEpoch", async () => {
    const partitions = [0, 1].map((partition) => {
      return { partition, currentLeaderEpoch: -1, leaderEpoch: 0 };
    });
    const { topics } = await kit.ask(offsetForLeaderEpochHandler(kit.broker), 4, {
      replicaId: -1,
      topics: [{ topic: "t", partitions }],
    });
    expect(topics[0]?.partitions.map(({ errorCode }) => errorCode)).toEqual([0, notLeader]);
  });

  it("are refused by DeleteRecords, also when the slot is lost on the way", async () => {
    await produce([0]);
    const owner = await kit.rig.partitions.open(idOf(), 0);
    owner.deleteRecordsBefore = () => Promise.reject(new NotLeaderError(slotOf(0)));
    const partitions = [0, 1].map((partitionIndex) => ({ partitionIndex, offset: 0 }));
    const { topics } = await kit.ask(deleteRecordsHandler(kit.broker), 2, {
      topics: [{ name: "t", partitions }],
      timeoutMs: 1000,
    });
    const codes = topics[0]?.partitions.map(({ errorCode }) => errorCode);
    expect(codes).toEqual([notLeader, notLeader]);
  });

  it("are left out of DescribeLogDirs, asked for or not", async () => {
    const folder = { path: "/d", space: () => ({ totalBytes: 10, usableBytes: 5 }) };
    const handler = describeLogDirsHandler(kit.broker, folder);
    for (const topics of [null, [{ topic: "t", partitions: [0, 1, 2] }]]) {
      const { results } = await kit.ask(handler, 5, { topics });
      const [described] = results[0]?.topics ?? [];
      expect(described?.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([0]);
    }
  });
});
