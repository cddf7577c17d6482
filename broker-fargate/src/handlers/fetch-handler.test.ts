import {
  buildBatch,
  crc32c,
  ErrorCode,
  type FetchRequest,
  type FetchResponseInput,
  type FetchResponsePartitionDataInput,
  type Uuid,
  uuidFromHex,
  zeroUuid,
} from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { fetchedBytesPerTurnMax, fetchedPartitionTurnBytes } from "../limits.ts";
import { turn } from "../partition/fixtures.ts";
import { produceHandler } from "./00-produce.ts";
import { fetchHandler } from "./01-fetch.ts";
import type { Handler, RequestContext } from "./handler.ts";
import { batch, contextOf, HandlerKit } from "./partition-kit.ts";

const strangeId = uuidFromHex(`${"0".repeat(31)}9`);
const byName = 12;
const byId = 18;
let kit: HandlerKit;
let topicId: Uuid;
let handler: Handler<FetchRequest, FetchResponseInput>;

type Partition = FetchRequest["topics"][number]["partitions"][number];

beforeEach(async () => {
  kit = await HandlerKit.start();
  topicId = await kit.createTopic("t", { partitions: 3 });
  handler = fetchHandler(kit.broker);
  await produce();
  await produce();
});

/** To partition 0; three records by default. */
async function produce(records: Uint8Array = batch(3)): Promise<void> {
  const partitionData = [{ index: 0, records }];
  const { responses } = await kit.ask(produceHandler(kit.broker), 12, {
    ...{ acks: -1, transactionalId: null, timeoutMs: 1000 },
    topicData: [{ name: "t", topicId: zeroUuid, partitionData }],
  });
  expect(responses).toMatchObject([{ partitionResponses: [{ errorCode: ErrorCode.NONE }] }]);
}

function part(partition: number, fetchOffset = 0, changes: Partial<Partition> = {}): Partition {
  return {
    ...{ partition, fetchOffset, currentLeaderEpoch: -1, lastFetchedEpoch: -1 },
    ...{ logStartOffset: -1, partitionMaxBytes: 10_000, replicaDirectoryId: zeroUuid },
    highWatermark: -1n,
    ...changes,
  };
}

function fetch(
  partitions: readonly Partition[],
  changes: Partial<FetchRequest> = {},
  version = byName,
): Promise<FetchResponseInput> {
  return kit.ask(handler, version, fetchRequest(partitions, changes, version));
}

function fetchRequest(
  partitions: readonly Partition[],
  changes: Partial<FetchRequest> = {},
  version = byName,
): FetchRequest {
  const named = version < 13;
  return {
    ...{ clusterId: null, replicaId: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 100_000 },
    replicaState: { replicaId: -1, replicaEpoch: -1 },
    ...{ isolationLevel: 0, sessionId: 0, sessionEpoch: -1, rackId: "" },
    topics: [{ topic: named ? "t" : "", topicId: named ? zeroUuid : topicId, partitions }],
    forgottenTopicsData: [],
    ...changes,
  };
}

async function one(
  asked: Partition,
  changes: Partial<FetchRequest> = {},
): Promise<FetchResponsePartitionDataInput> {
  const { responses } = await fetch([asked], changes);
  const answer = responses[0]?.partitions[0];
  if (answer === undefined) throw new Error("the partition was not answered");
  return answer;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

async function fetchInBackground(
  partitions: readonly Partition[],
  changes: Partial<FetchRequest>,
): Promise<readonly FetchResponsePartitionDataInput[]> {
  const answer = await handler.handle(fetchRequest(partitions, changes), contextOf(byName));
  return answer?.responses.flatMap((topic) => topic.partitions) ?? [];
}

function bytesOf({ records }: FetchResponsePartitionDataInput): number {
  if (records instanceof Uint8Array) return records.byteLength;
  return records?.reduce((sum, run) => sum + run.byteLength, 0) ?? 0;
}

const batchBytes = batch(3).length;

describe("Fetch", () => {
  it("gives whole batches in every version, from the one that holds the offset on", async () => {
    for (let version = 4; version <= byId; version += 1) {
      const { responses } = await fetch([part(0, 4)], {}, version);
      expect(responses[0]?.partitions).toMatchObject([{ errorCode: 0, highWatermark: 6 }]);
      const answer = responses[0]?.partitions[0];
      expect(answer === undefined ? 0 : bytesOf(answer)).toBe(batchBytes);
    }
  });

  it.each([7, 100, -1, Number.MAX_SAFE_INTEGER])("has nothing at offset %i", async (offset) => {
    const answer = await one(part(0, offset));
    expect(answer).toMatchObject({
      ...{ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE, highWatermark: -1 },
      ...{ lastStableOffset: -1, logStartOffset: -1, abortedTransactions: null },
    });
    expect(bytesOf(answer)).toBe(0);
  });

  it("names what it does not know in the words of the version", async () => {
    const { responses } = await fetch([part(9), part(0)]);
    expect(responses[0]?.partitions).toMatchObject([
      { errorCode: 3, abortedTransactions: [] },
      { errorCode: 0, abortedTransactions: null },
    ]);
    const unknown = [{ errorCode: ErrorCode.UNKNOWN_TOPIC_ID }];
    for (const id of [strangeId, zeroUuid]) {
      const topics = [{ topic: "", topicId: id, partitions: [part(0)] }];
      const answer = await fetch([], { topics }, byId);
      expect(answer.responses).toMatchObject([{ topicId: id, partitions: unknown }]);
    }
  });

  it("gives one batch at least, and then no more than is asked for", async () => {
    expect(bytesOf(await one(part(0), { maxBytes: 0 }))).toBe(batchBytes);
    expect(bytesOf(await one(part(0, 0, { partitionMaxBytes: 1 })))).toBe(batchBytes);
    expect(bytesOf(await one(part(0), { maxBytes: 2 * batchBytes }))).toBe(2 * batchBytes);
  });

  it("gives the memory of every read back once, when the reply was sent or the read was not used", async () => {
    const { buffers } = kit.broker;
    const taken: ArrayBufferLike[] = [];
    const given: ArrayBufferLike[] = [];
    const take = buffers.take.bind(buffers);
    buffers.take = (bytes) => {
      const view = take(bytes);
      taken.push(view.buffer);
      return view;
    };
    buffers.giveBack = (view) => given.push(view.buffer);
    let sent: (() => void) | undefined;
    const context: RequestContext = {
      ...contextOf(byName),
      whenReplySent: (listener) => {
        sent = listener;
      },
    };
    const partitions = [part(0), part(1), part(2)];
    const request = fetchRequest(partitions, { minBytes: 3 * batchBytes, maxWaitMs: 10_000 });
    const answer = Promise.resolve(handler.handle(request, context));
    await until(() => taken.length > 0);
    await produce();
    await kit.settled(answer);
    expect(taken.length).toBe(2);
    expect(given).toEqual(taken.slice(0, 1));
    expect(sent).toBeDefined();
    sent?.();
    expect(given).toEqual(taken);
  });

  it("does not read again before there is enough", async () => {
    const { buffers } = kit.broker;
    let reads = 0;
    const take = buffers.take.bind(buffers);
    buffers.take = (bytes) => {
      reads += 1;
      return take(bytes);
    };
    const changes = { minBytes: 6 * batchBytes, maxWaitMs: 10_000 };
    const answer = fetchInBackground([part(0)], changes);
    await until(() => reads > 0);
    for (let produced = 0; produced < 4; produced += 1) {
      expect(reads).toBe(1);
      await produce();
    }
    expect((await answer).map(bytesOf)).toEqual([6 * batchBytes]);
    expect(reads).toBe(2);
  });

  it("reads much in several turns, and counts what is appended between them once", async () => {
    const value = new Uint8Array(700_000);
    const large = (): Uint8Array => buildBatch([{ key: null, value, timestamp: 1000 }], { crc32c });
    for (let produced = 0; produced < 3; produced += 1) await produce(large());
    const whole = 2 * batchBytes + 3 * large().length;
    expect(whole).toBeGreaterThan(fetchedBytesPerTurnMax);
    const { clock } = kit.rig;
    const after = clock.after.bind(clock);
    let turns = 0;
    clock.after = (delayMs, run) => {
      turns += delayMs === 0 ? 1 : 0;
      return after(delayMs, run);
    };
    const changes = { maxBytes: 10_000_000, minBytes: whole + 2 * batchBytes, maxWaitMs: 60_000 };
    const partitions = [part(0, 0, { partitionMaxBytes: 5_000_000 }), part(1)];
    const beforeMs = clock.monotonicMs();
    const answer = fetchInBackground(partitions, changes);
    await until(() => turns > 0);
    await produce();
    await kit.settled(Promise.race([answer, turn()]));
    await produce();
    const answers = await kit.settled(answer);
    expect(answers.map(bytesOf)).toEqual([whole + 2 * batchBytes, 0]);
    expect(clock.monotonicMs() - beforeMs).toBeLessThan(60_000);
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  it("looks at many partitions in several turns", async () => {
    const perTurn = fetchedBytesPerTurnMax / fetchedPartitionTurnBytes;
    const partitions = Array.from({ length: 3 * perTurn }, (_, index) => part(3 + index));
    let turns = 0;
    const { clock } = kit.rig;
    const after = clock.after.bind(clock);
    clock.after = (delayMs, run) => {
      turns += delayMs === 0 ? 1 : 0;
      return after(delayMs, run);
    };
    const { responses } = await fetch(partitions);
    expect(responses[0]?.partitions).toHaveLength(3 * perTurn);
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  it("does not wait for more where the next batch has no room", async () => {
    const partitionMaxBytes = 2 * batchBytes - 1;
    const changes = { minBytes: partitionMaxBytes, maxWaitMs: 10_000 };
    const beforeMs = kit.rig.clock.monotonicMs();
    expect(bytesOf(await one(part(0, 0, { partitionMaxBytes }), changes))).toBe(batchBytes);
    expect(kit.rig.clock.monotonicMs()).toBe(beforeMs);
  });

  it("answers a partition that comes twice once, for what was said last", async () => {
    const { responses } = await fetch([part(0, 0), part(0, 3)]);
    const answers = responses.flatMap((topic) => topic.partitions);
    expect(answers.map(bytesOf)).toEqual([batchBytes]);
  });

  it("fences by the client's leader epoch, of which a negative one says nothing", async () => {
    const { epoch } = kit.rig.cluster;
    const codes: number[] = [];
    for (const currentLeaderEpoch of [epoch - 1, epoch, epoch + 1, -2]) {
      codes.push((await one(part(0, 0, { currentLeaderEpoch }))).errorCode);
    }
    const { FENCED_LEADER_EPOCH, NONE, UNKNOWN_LEADER_EPOCH } = ErrorCode;
    expect(codes).toEqual([FENCED_LEADER_EPOCH, NONE, UNKNOWN_LEADER_EPOCH, NONE]);
  });

  it("tells a fenced client who leads, from v16 on", async () => {
    const { brokerId: leaderId, epoch: leaderEpoch } = kit.rig.cluster;
    const asked = [part(0, 0, { currentLeaderEpoch: leaderEpoch - 1 })];
    const { nodeEndpoints, responses } = await fetch(asked, {}, 16);
    expect(nodeEndpoints).toMatchObject([{ nodeId: leaderId, host: "broker", port: 9092 }]);
    expect(responses[0]?.partitions).toMatchObject([{ currentLeader: { leaderId, leaderEpoch } }]);
    const older = await fetch(asked, {}, 15);
    const nobody = { leaderId: -1, leaderEpoch: -1 };
    expect(older.responses[0]?.partitions).toMatchObject([{ currentLeader: nobody }]);
  });

  it("compares the last fetched epoch before it looks at the offset", async () => {
    const { epoch } = kit.rig.cluster;
    const same = await one(part(0, 6, { lastFetchedEpoch: epoch }));
    expect(same).toMatchObject({ errorCode: 0, divergingEpoch: { epoch: -1, endOffset: -1 } });
    const past = await one(part(0, 7, { lastFetchedEpoch: epoch }));
    expect(past).toMatchObject({ errorCode: 0, divergingEpoch: { epoch, endOffset: 6 } });
    const unknown = await one(part(0, 0, { lastFetchedEpoch: epoch + 1 }));
    expect(unknown.errorCode).toBe(ErrorCode.OFFSET_OUT_OF_RANGE);
  });

  it("waits for what may come, not for more than may be given", async () => {
    const before = kit.rig.clock.monotonicMs();
    await one(part(0), { minBytes: 50_000, maxBytes: batchBytes, maxWaitMs: 500 });
    expect(kit.rig.clock.monotonicMs()).toBe(before);
    await one(part(0), { minBytes: 50_000, maxWaitMs: 500 });
    expect(kit.rig.clock.monotonicMs()).toBeGreaterThanOrEqual(before + 500);
  });

  it("wakes for an append, and at once for an error elsewhere", async () => {
    const before = kit.rig.clock.monotonicMs();
    const waiting = one(part(0, 6), { minBytes: 1, maxWaitMs: 5000 });
    await produce();
    expect(bytesOf(await waiting)).toBe(batchBytes);
    await fetch([part(0, 9), part(9)], { minBytes: 1, maxWaitMs: 5000 });
    expect(kit.rig.clock.monotonicMs()).toBeLessThan(before + 5000);
  });
});

describe("a fetch session", () => {
  it("waits out its time on a partition that failed: what is there is read, and nothing comes", async () => {
    const topic = kit.rig.cluster.topics.byName("t");
    if (topic === undefined) throw new Error("the topic is there");
    const owner = await kit.rig.partitions.open(topic.id, 0);
    owner.fail();
    let reads = 0;
    const read = owner.read.bind(owner);
    owner.read = (range) => {
      reads += 1;
      if (reads > 10) throw new Error("read again and again, with no time between");
      return read(range);
    };
    const startMs = kit.rig.clock.monotonicMs();
    const wish = { minBytes: 10_000, maxWaitMs: 500 };
    expect(bytesOf(await one(part(0), wish))).toBe(2 * batchBytes);
    expect(kit.rig.clock.monotonicMs() - startMs).toBe(500);
    expect(reads).toBe(2);
  });

  it("answers what changed, then nothing, until it is told of something else", async () => {
    const full = await fetch([part(0, 6), part(1)], { sessionEpoch: 0 });
    const sessionId = full.sessionId ?? 0;
    expect(full.responses[0]?.partitions).toHaveLength(2);
    const quiet = await fetch([], { sessionId, sessionEpoch: 1, topics: [] });
    expect(quiet).toMatchObject({ sessionId, responses: [] });
    await produce();
    const news = await fetch([], { sessionId, sessionEpoch: 2, topics: [] });
    expect(news.responses[0]?.partitions).toMatchObject([{ partitionIndex: 0, highWatermark: 9 }]);
    const forgottenTopicsData = [{ topic: "t", topicId: zeroUuid, partitions: [0, 1] }];
    const gone = { sessionId, sessionEpoch: 3, topics: [], forgottenTopicsData };
    expect(await fetch([], gone)).toMatchObject({ sessionId: 0, responses: [] });
  });

  it("is told where its log has to be cut, though nothing else is new", async () => {
    const { epoch: before } = kit.rig.cluster;
    await kit.rig.partitions.close();
    await kit.rig.kill();
    kit = HandlerKit.over(kit.rig);
    handler = fetchHandler(kit.broker);
    await produce();
    const { sessionId = 0 } = await fetch([part(0, 9)], { sessionEpoch: 0 });
    const changed = { sessionId, minBytes: 1, maxWaitMs: 500 };
    const asked = part(0, 8, { lastFetchedEpoch: before });
    const cut = await fetch([asked], { ...changed, sessionEpoch: 1 });
    const divergingEpoch = { epoch: before, endOffset: 6 };
    expect(cut.responses[0]?.partitions).toMatchObject([{ partitionIndex: 0, divergingEpoch }]);
    const again = await fetch([], { ...changed, sessionEpoch: 2, topics: [] });
    expect(again.responses[0]?.partitions).toMatchObject([{ divergingEpoch }]);
  });

  it("says what is wrong with a session that it does not have so", async () => {
    const { sessionId = 0 } = await fetch([part(0)], { sessionEpoch: 0 });
    const { INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_ID_NOT_FOUND } = ErrorCode;
    const wrong = await fetch([], { sessionId, sessionEpoch: 9, topics: [] });
    expect(wrong.errorCode).toBe(INVALID_FETCH_SESSION_EPOCH);
    const unknown = await fetch([], { sessionId: sessionId - 1, sessionEpoch: 1, topics: [] });
    expect(unknown.errorCode).toBe(FETCH_SESSION_ID_NOT_FOUND);
    const renamed = await fetch([], { sessionId, sessionEpoch: 1, topics: [] }, byId);
    expect(renamed.errorCode).toBe(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR);
  });
});
