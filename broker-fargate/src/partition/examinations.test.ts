/** Appends whose records are looked at beside the event loop, on virtual time. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildBatch, crc32c, jsCodecs, readBatchHeader } from "@millrace/wire";
import type { AppendRequest, AppendResult } from "./append.ts";
import { batchOf, offsetOf, readAllRecords, Rig, smallLimits, turn } from "./fixtures.ts";
import type { PartitionLimits } from "./limits.ts";
import { checked } from "./limits.ts";
import type { PartitionOwner } from "./owner.ts";

const limits = checked({
  ...smallLimits,
  turnCompressedBytesMax: 500,
  turnOpenedBytesMax: 2000,
  turnReencodedBytesMax: 300,
  reencodingsMax: 2,
});
const codec = jsCodecs.lz4;
const local = { "millrace.durability": "local" };

interface Written {
  readonly value: number;
  readonly bytes: number;
  readonly isCompressed: boolean;
  /** Of what compresses well. */
  readonly isFlat?: boolean;
}

function requestOf({ bytes, isCompressed, isFlat, value }: Written): AppendRequest {
  const content = new Uint8Array(4 + bytes);
  if (isFlat !== true) content.forEach((_, at) => (content[at] = noise(at + value)));
  new DataView(content.buffer).setUint32(0, value);
  const fields = isCompressed && codec !== undefined ? { crc32c, codec } : { crc32c };
  const record = { key: null, value: content, timestamp: 1_600_000_000_000 + value };
  return { records: buildBatch([record], fields), waitFor: "durable" };
}

function noise(at: number): number {
  return (Math.imul(at, 0x9e3779b1) >>> 13) & 0xff;
}

const small = (value: number): AppendRequest =>
  requestOf({ value, bytes: 10, isCompressed: false });
const large = (value: number): AppendRequest =>
  requestOf({ value, bytes: 1500, isCompressed: true });
const bomb = (value: number, bytes = 10_000): AppendRequest =>
  requestOf({ value, bytes, isCompressed: true, isFlat: true });

interface Opened {
  readonly rig: Rig;
  readonly owner: PartitionOwner;
  readonly calls: () => number;
}

async function open(
  configs: Record<string, string> = local,
  changes: Partial<PartitionLimits> = {},
): Promise<Opened> {
  const rig = await new Rig({ limits: { ...limits, ...changes } }).start();
  let calls = 0;
  rig.fate = () => {
    calls += 1;
    return { delayMs: 50, dies: "no" };
  };
  const topic = await rig.createTopic("t", { partitions: 2, configs });
  const owner = await rig.partitions.open(topic, 0);
  await append(rig, owner, small(0));
  return { rig, owner, calls: () => calls };
}

async function append(
  rig: Rig,
  owner: PartitionOwner,
  request: AppendRequest,
): Promise<AppendResult> {
  const result = owner.append(request);
  await rig.pass(200);
  return result;
}

function valuesOf(owner: PartitionOwner): readonly number[] {
  return readAllRecords(owner).map(({ value }) => value);
}

describe("an append whose records take long to look at", () => {
  it("waits, those behind it wait with it, and another partition goes on", async () => {
    const { calls, owner, rig } = await open();
    const other = await rig.partitions.open(owner.topicId, 1);
    const answers: string[] = [];
    const note = (name: string) => (): void => void answers.push(name);
    void owner.append(large(1)).then(note("large"));
    void owner.append(small(2)).then(note("behind"));
    void other.append(small(3)).then(note("elsewhere"));
    await rig.pass(49);
    expect([answers, owner.highWatermark]).toEqual([["elsewhere"], 1]);
    await rig.pass(1);
    expect(answers).toEqual(["elsewhere", "large", "behind"]);
    expect(valuesOf(owner)).toEqual([0, 1, 2]);
    expect(calls()).toBe(1);
  });

  it("is found by its size, or by what it opens to; others are decided in their turn", async () => {
    const { calls, owner, rig } = await open();
    for (const request of [small(1), requestOf({ value: 2, bytes: 9000, isCompressed: false })]) {
      await append(rig, owner, request);
    }
    expect(calls()).toBe(0);
    await append(rig, owner, bomb(3, 1900));
    expect(calls()).toBe(0);
    const zeros = bomb(4);
    expect(zeros.records.length).toBeLessThan(limits.turnCompressedBytesMax);
    await append(rig, owner, zeros);
    await append(rig, owner, large(5));
    expect(calls()).toBe(2);
    expect(valuesOf(owner)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("is refused as it would be in a turn", async () => {
    const { calls, owner, rig } = await open({ ...local, "max.message.bytes": "100000" });
    const corrupt = large(1);
    corrupt.records.fill(77, -1);
    expect(await append(rig, owner, corrupt)).toMatchObject({ reason: "corruptMessage" });
    const huge = bomb(2, 17 * 1024 * 1024);
    expect(huge.records.length).toBeLessThan(100_000);
    expect(await append(rig, owner, huge)).toMatchObject({ reason: "recordTooLarge" });
    expect([calls(), valuesOf(owner)]).toEqual([2, [0]]);
  });

  it("is refused by name, never taken, when its thread dies; the next one goes on", async () => {
    const { owner, rig } = await open();
    rig.fate = () => ({ delayMs: 10, dies: "yes" });
    const dying = owner.append(large(1));
    const behind = owner.append(small(2));
    await rig.pass(10);
    expect(await dying).toMatchObject({ kind: "refused", reason: "notExamined" });
    expect(offsetOf(await behind)).toBe(1);
    expect(valuesOf(owner)).toEqual([0, 2]);
    expect(rig.warnings.join()).toContain("could not be examined");
  });

  it("is refused with those behind it when the look takes too long", async () => {
    const { owner, rig } = await open();
    rig.fate = () => ({ delayMs: limits.appendWaitMsMax + 1, dies: "no" });
    const answers = [owner.append(large(1)), owner.append(small(2))];
    await rig.pass(limits.appendWaitMsMax);
    const late = { reason: "timedOut", message: "the append waited too long" };
    expect(await Promise.all(answers)).toMatchObject([late, late]);
    await rig.pass(10);
    expect(valuesOf(owner)).toEqual([0]);
    expect(offsetOf(await append(rig, owner, small(3)))).toBe(1);
  });

  it("is refused when the partition closes, or its topic is deleted, meanwhile", async () => {
    const { owner, rig } = await open();
    const closing = owner.append(large(1));
    owner.pause();
    expect(await closing).toMatchObject({ reason: "notLeader" });
    const other = await rig.partitions.open(owner.topicId, 1);
    await append(rig, other, small(1));
    const deleted = other.append(large(2));
    await rig.cluster.deleteTopic("t");
    await rig.pass(100);
    expect(await deleted).toMatchObject({ reason: "notLeader" });
  });

  it("is looked at again when the topic's settings change meanwhile", async () => {
    const { calls, owner, rig } = await open();
    const waiting = owner.append(large(1));
    await rig.cluster.setTopicConfigs(
      "t",
      (before) => ({ ok: true, configs: new Map(before).set("cleanup.policy", "compact") }),
      "perform",
    );
    await rig.pass(200);
    expect(await waiting).toMatchObject({ reason: "invalidRecord", recordErrors: [{}] });
    expect(calls()).toBe(2);
  });

  it("is not looked at before the journal has room for it", async () => {
    const syncs: (() => void)[] = [];
    let holds = false;
    const schedule = (run: () => void): void => {
      if (holds) syncs.push(run);
      else queueMicrotask(run);
    };
    const rig = await new Rig({ limits, schedule }).start();
    let calls = 0;
    rig.fate = () => ({ delayMs: (calls += 1), dies: "no" });
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": "journal" } });
    const owner = await rig.partitions.open(topic, 0);
    await append(rig, owner, small(0));
    holds = true;
    const count = limits.journalPendingBytesMax / 4000;
    for (let value = 1; value <= count; value += 1) {
      void owner.append(requestOf({ value, bytes: 4000, isCompressed: false }));
    }
    const last = owner.append(large(99));
    await rig.pass(100);
    expect(calls).toBe(0);
    holds = false;
    for (const run of syncs.splice(0)) run();
    await rig.pass(100);
    expect([calls, offsetOf(await last)]).toEqual([1, owner.highWatermark - 1]);
    await rig.crash();
    expect(valuesOf(await rig.partitions.open(topic, 0)).at(-1)).toBe(99);
  });
});

describe("records that the topic wants compressed anew", () => {
  const zipped = { ...local, "compression.type": "lz4" };

  it("are compressed beside the event loop when they are many", async () => {
    const { calls, owner, rig } = await open(zipped);
    const plain = requestOf({ value: 1, bytes: 9000, isCompressed: false, isFlat: true });
    expect(await append(rig, owner, plain)).toMatchObject({ kind: "appended", baseOffset: 1 });
    expect(calls()).toBe(1);
    expect(valuesOf(owner)).toEqual([0, 1]);
    expect(lastHeader(owner)).toMatchObject({ compressionId: 3, baseOffset: 1 });
    expect(owner.sizeBytes).toBeLessThan(500);
  });

  it("get the time of their append where the topic says so", async () => {
    const { owner, rig } = await open({ ...zipped, "message.timestamp.type": "LogAppendTime" });
    const plain = requestOf({ value: 1, bytes: 9000, isCompressed: false });
    const result = owner.append(plain);
    await rig.pass(50);
    const nowMs = rig.clock.wallMs();
    expect(await result).toMatchObject({ kind: "appended", logAppendTimeMs: nowMs });
    expect(lastHeader(owner)).toMatchObject({
      timestampType: "LogAppendTime",
      maxTimestamp: nowMs,
    });
    expect(valuesOf(owner)).toEqual([0, 1]);
  });

  it("are refused where they become larger than the topic takes", async () => {
    const configs = { ...local, "compression.type": "uncompressed", "max.message.bytes": "5000" };
    const { owner, rig } = await open(configs);
    expect(await append(rig, owner, bomb(1))).toMatchObject({ reason: "recordTooLarge" });
    expect(await append(rig, owner, bomb(2, 4000))).toMatchObject({ kind: "appended" });
    expect(valuesOf(owner)).toEqual([0, 2]);
  });

  it("are under way in a bounded number, over all partitions", async () => {
    const { owner, rig } = await open(zipped);
    const topic = await rig.createTopic("wide", { partitions: 5, configs: zipped });
    const owners = await Promise.all([0, 1, 2, 3, 4].map((at) => rig.partitions.open(topic, at)));
    const firsts = owners.map((each) => each.append(small(0)));
    await rig.pass(100);
    await Promise.all(firsts);
    let begun = 0;
    rig.fate = () => {
      begun += 1;
      return { delayMs: 100, dies: "no" };
    };
    const plain = requestOf({ value: 1, bytes: 9000, isCompressed: false });
    const answers = [...owners, owner].map((each) => {
      return each.append({ ...plain, records: plain.records.slice() });
    });
    await turn();
    expect(begun).toBe(limits.reencodingsMax);
    await rig.pass(100);
    expect(begun).toBe(2 * limits.reencodingsMax);
    await rig.pass(1000);
    expect((await Promise.all(answers)).map(({ kind }) => kind)).toEqual(
      Array.from({ length: 6 }, () => "appended"),
    );
  });
});

it("keeps the order of arrival, whatever sizes and times appends have", async () => {
  const written = fc.record({
    bytes: fc.constantFrom(10, 400, 1500, 4000),
    isCompressed: fc.boolean(),
    isFlat: fc.boolean(),
    partition: fc.nat(1),
    pauseMs: fc.constantFrom(0, 0, 0, 3, 40),
  });
  const durability = fc.constantFrom("local", "journal");
  const compression = fc.constantFrom("producer", "lz4", "uncompressed");
  const delays = fc.array(fc.nat(60), { minLength: 1, maxLength: 20 });
  const appends = fc.array(written, { minLength: 1, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(appends, delays, durability, compression, async (...asked) => {
      const [sent, delaysMs, policy, type] = asked;
      const rig = await new Rig({ limits }).start();
      let calls = 0;
      rig.fate = () => ({ delayMs: delaysMs[calls++ % delaysMs.length] ?? 0, dies: "no" });
      const configs = { "millrace.durability": policy, "compression.type": type };
      const topic = await rig.createTopic("t", { partitions: 2, configs });
      const owners = [await rig.partitions.open(topic, 0), await rig.partitions.open(topic, 1)];
      const answers: Promise<AppendResult>[] = [];
      for (const [value, { partition, pauseMs, ...how }] of sent.entries()) {
        const owner = owners[partition];
        if (owner !== undefined) answers.push(owner.append(requestOf({ value, ...how })));
        await rig.pass(pauseMs);
      }
      await rig.pass(5000);
      const kinds = (await Promise.all(answers)).map(({ kind }) => kind);
      expect(kinds).toEqual(sent.map(() => "appended"));
      for (const [partition, owner] of owners.entries()) {
        const expected = sent.flatMap((each, value) =>
          each.partition === partition ? [value] : [],
        );
        expect(valuesOf(owner)).toEqual(expected);
      }
    }),
    { numRuns: 40 },
  );
});

it("keeps an idempotent producer's batches in order behind one that is looked at", async () => {
  const { owner, rig } = await open();
  const content = (value: number) => [{ key: null, value: Uint8Array.of(0, 0, 0, value) }];
  const producer = { crc32c, producerId: 4, producerEpoch: 0 };
  const filler = {
    key: null,
    value: requestOf({ value: 1, bytes: 1500, isCompressed: false }).records,
  };
  const first = buildBatch([...content(1), filler], {
    ...producer,
    baseSequence: 0,
    ...(codec && { codec }),
  });
  const second = batchOf([2], { id: 4, sequence: 2 });
  const answers = [first, second, first.slice()].map((records) => {
    return owner.append({ records, waitFor: "durable" });
  });
  await rig.pass(500);
  expect(await Promise.all(answers)).toMatchObject([
    { kind: "appended", baseOffset: 1, lastOffset: 2 },
    { kind: "appended", baseOffset: 3 },
    { kind: "duplicate", baseOffset: 1, lastOffset: 2 },
  ]);
});

function lastHeader(owner: PartitionOwner): ReturnType<typeof readBatchHeader> {
  const range = { from: owner.highWatermark - 1, maxBytes: 1 << 20, atLeastOneBatch: true };
  const read = owner.read({ ...range, isolation: "uncommitted" } as never);
  if (read.kind !== "ok") throw new Error(read.kind);
  const [bytes] = read.records;
  if (bytes === undefined) throw new Error("no batch");
  return readBatchHeader(bytes, 0);
}
