import { MetadataError } from "@millrace/core";
import { type DeleteRecordsResponseInput, ErrorCode, zeroUuid } from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { deleteRecordsWaitMsMin, entriesPerTurnMax } from "../limits.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { produceHandler } from "./00-produce.ts";
import { listOffsetsHandler } from "./02-list-offsets.ts";
import { deleteRecordsHandler } from "./21-delete-records.ts";
import { offsetForLeaderEpochHandler } from "./23-offset-for-leader-epoch.ts";
import { batch, HandlerKit } from "./partition-kit.ts";

let kit: HandlerKit;
let owner: PartitionOwner;

beforeEach(async () => {
  kit = await HandlerKit.start();
  const topicId = await kit.rig.createTopic("t", { partitions: 2 });
  await produce(3);
  await produce(2);
  owner = await kit.rig.partitions.open(topicId, 0);
});

function produce(count: number): Promise<unknown> {
  return kit.ask(produceHandler(kit.broker), 12, {
    ...{ acks: -1, transactionalId: null, timeoutMs: 1000 },
    topicData: [
      { name: "t", topicId: zeroUuid, partitionData: [{ index: 0, records: batch(count) }] },
    ],
  });
}

type Asked = readonly (readonly [name: string, partitionIndex: number, offset: number])[];

function ask(asked: Asked, version = 2, timeoutMs = 1000): Promise<DeleteRecordsResponseInput> {
  const topics = asked.map(([name, partitionIndex, offset]) => ({
    name,
    partitions: [{ partitionIndex, offset }],
  }));
  return kit.ask(deleteRecordsHandler(kit.broker), version, { topics, timeoutMs });
}

async function answers(asked: Asked, version = 2): Promise<readonly unknown[]> {
  const { topics } = await ask(asked, version);
  return topics.flatMap(({ name, partitions }) =>
    partitions.map(({ errorCode, lowWatermark, partitionIndex }) => {
      return [name, partitionIndex, errorCode, lowWatermark];
    }),
  );
}

describe("DeleteRecords", () => {
  it.each([0, 1, 2])("moves the start and tells the low watermark, in v%i", async (version) => {
    expect(await answers([["t", 0, 2]], version)).toEqual([["t", 0, 0, 2]]);
    expect(owner.logStartOffset).toBe(2);
    expect(owner.highWatermark).toBe(5);
  });

  it("takes -1 for the high watermark, and an offset that was reached before for done", async () => {
    expect(await answers([["t", 0, -1]])).toEqual([["t", 0, 0, 5]]);
    expect(await answers([["t", 0, 1]])).toEqual([["t", 0, 0, 5]]);
    expect(await answers([["t", 0, 0]])).toEqual([["t", 0, 0, 5]]);
    expect(await answers([["t", 1, -1]])).toEqual([["t", 1, 0, 0]]);
  });

  it("refuses offsets that are not there, and changes nothing", async () => {
    const outOfRange = ["t", 0, ErrorCode.OFFSET_OUT_OF_RANGE, -1];
    for (const offset of [6, -2, Number.MAX_SAFE_INTEGER]) {
      expect(await answers([["t", 0, offset]])).toEqual([outOfRange]);
    }
    expect(owner.logStartOffset).toBe(0);
  });

  it("refuses what is not there, internal topics, and topics that are only compacted", async () => {
    await kit.createTopic("compacted", { configs: { "cleanup.policy": "compact" } });
    await kit.createTopic("both", { configs: { "cleanup.policy": "compact,delete" } });
    await kit.createTopic("__consumer_offsets");
    const found = await answers([
      ["absent", 0, 0],
      ["t", 2, 0],
      ["t", -1, 0],
      ["compacted", 0, 0],
      ["compacted", 0, 1000],
      ["both", 0, 0],
      ["__consumer_offsets", 0, 0],
    ]);
    expect(new Set(found)).toEqual(
      new Set([
        ["absent", 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1],
        ["t", 2, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1],
        ["t", -1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1],
        ["compacted", 0, ErrorCode.POLICY_VIOLATION, -1],
        ["both", 0, 0, 0],
        ["__consumer_offsets", 0, ErrorCode.INVALID_TOPIC_EXCEPTION, -1],
      ]),
    );
  });

  it("answers a partition that comes twice once, for its last offset", async () => {
    const asked: Asked = [
      ["t", 0, 4],
      ["t", 1, 0],
      ["t", 0, 2],
    ];
    expect(await answers(asked)).toEqual([
      ["t", 0, 0, 2],
      ["t", 1, 0, 0],
    ]);
  });

  it("answers many partitions over several turns", async () => {
    const count = 3 * entriesPerTurnMax;
    await kit.createTopic("wide", { partitions: count });
    const asked = Array.from({ length: count }, (_, i) => ["wide", i, -1] as const);
    expect(await answers(asked)).toEqual(asked.map(([name, i]) => [name, i, 0, 0]));
  });

  it("times out where the store does not answer, and never sooner than the least wait", async () => {
    const { transact } = kit.rig.store;
    kit.rig.store.transact = () => new Promise(() => undefined);
    const beforeMs = kit.rig.clock.monotonicMs();
    const { topics } = await ask([["t", 0, 2]], 2, 0);
    expect(topics[0]?.partitions).toEqual([
      { partitionIndex: 0, lowWatermark: 0, errorCode: ErrorCode.REQUEST_TIMED_OUT },
    ]);
    expect(kit.rig.clock.monotonicMs() - beforeMs).toBe(deleteRecordsWaitMsMin);
    kit.rig.store.transact = transact;
  });

  it("tells many partitions of one very long name apart without looking at it for each", async () => {
    const name = "x".repeat(32_767);
    const partitions = Array.from({ length: 24_000 }, (_, index) => {
      return { partitionIndex: index % 12_000, offset: 0 };
    });
    const request = { topics: [{ name, partitions }], timeoutMs: 1_000 };
    const { topics } = await kit.ask(deleteRecordsHandler(kit.broker), 2, request);
    expect(topics[0]?.partitions).toHaveLength(12_000);
  }, 6_000);

  it("answers a store that fails with an error that clients try again", async () => {
    owner.deleteRecordsBefore = () => {
      const details = { retriable: true, applied: "maybe" } as const;
      return Promise.reject(new MetadataError("away", details));
    };
    const timedOut = ["t", 0, ErrorCode.REQUEST_TIMED_OUT, -1];
    expect(await answers([["t", 0, 2]])).toEqual([timedOut]);
  });
});

describe("after DeleteRecords", () => {
  async function offsetsAt(...timestamps: readonly number[]): Promise<readonly unknown[]> {
    const found: unknown[] = [];
    for (const timestamp of timestamps) {
      const partition = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: BigInt(timestamp) };
      const topics = [{ name: "t", partitions: [partition] }];
      const request = { replicaId: -1, isolationLevel: 0, timeoutMs: 0, topics };
      const response = await kit.ask(listOffsetsHandler(kit.broker), 11, request);
      const [answer] = response.topics.flatMap(({ partitions }) => partitions);
      found.push([timestamp, answer?.errorCode, answer?.offset]);
    }
    return found;
  }

  it("reads below the start are out of range, and every form of ListOffsets keeps to it", async () => {
    await ask([["t", 0, 4]]);
    const range = { maxBytes: 1000, isolation: "uncommitted", atLeastOneBatch: true } as const;
    expect(owner.read({ ...range, from: 3 }).kind).toBe("outOfRange");
    expect(owner.read({ ...range, from: 4 })).toMatchObject({ kind: "ok", logStartOffset: 4 });
    expect(await offsetsAt(-2, -4, -1, 0, 1001, 1003)).toEqual([
      [-2, 0, 4],
      [-4, 0, 4],
      [-1, 0, 5],
      [0, 0, 4],
      [1001, 0, 4],
      [1003, 0, -1],
    ]);
  });

  it("OffsetForLeaderEpoch knows the epochs of what is left, also after a restart", async () => {
    const first = kit.rig.cluster.epoch;
    await ask([["t", 0, 4]]);
    const ends = async (epochs: readonly number[]): Promise<readonly unknown[]> => {
      const partitions = epochs.map((leaderEpoch) => {
        return { partition: 0, currentLeaderEpoch: -1, leaderEpoch };
      });
      const topics = [{ topic: "t", partitions }];
      const request = { replicaId: -1, topics };
      const response = await kit.ask(offsetForLeaderEpochHandler(kit.broker), 4, request);
      return response.topics.flatMap(({ partitions: found }) =>
        found.map(({ endOffset, leaderEpoch }) => [leaderEpoch, endOffset]),
      );
    };
    expect(await ends([first - 1, first, first + 1])).toEqual([
      [first - 1, 4],
      [first, 5],
      [-1, -1],
    ]);
    await kit.rig.kill();
    kit = HandlerKit.over(kit.rig);
    await produce(2);
    expect(await ends([first - 1, first, first + 1])).toEqual([
      [first - 1, 4],
      [first, 5],
      [first + 1, 7],
    ]);
    await ask([["t", 0, -1]]);
    await kit.rig.kill();
    kit = HandlerKit.over(kit.rig);
    expect(await ends([first, first + 1, first + 2, first + 3])).toEqual([
      [first, 7],
      [first + 1, 7],
      [first + 2, 7],
      [-1, -1],
    ]);
  });
});
