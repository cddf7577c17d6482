import { MemoryDisk } from "@millrace/adapter-memory";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  appendAll,
  baseOffsetsIn,
  directory,
  openTestLog,
  smallSegments,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import { DiskError } from "../ports/disk.ts";
import type { PartitionLog } from "./partition-log.ts";

const oneSegment = { ...smallSegments, segmentBytes: 1_000_000 };
const logPath = `${directory}/${"0".repeat(20)}.log`;

function readAll(log: PartitionLog): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let from = log.logStartOffset; from < log.endOffset; ) {
    const read = log.read({ from, maxBytes: 500, upTo: log.endOffset, atLeastOneBatch: true });
    if (read.kind !== "ok" || read.records.length === 0) throw new Error(`no batch at ${from}`);
    parts.push(...read.records);
    from = read.nextOffset;
  }
  return parts;
}

/** Ten batches of three records, the first six of them synced. */
async function halfSynced(): Promise<{ disk: MemoryDisk; ends: number[]; whole: Uint8Array }> {
  const disk = new MemoryDisk();
  const log = openTestLog(disk, { config: oneSegment });
  const ends = [0];
  for (let i = 0; i < 10; i++) {
    if (i === 6) await log.sync();
    const batch = testBatch({ baseOffset: i * 3, timestamps: [i, i, i], valueBytes: 20 + i });
    appendAll(log, [batch]);
    ends.push((ends.at(-1) ?? 0) + batch.bytes.length);
  }
  const whole = disk.bytesOf(logPath);
  disk.kill();
  return { disk, ends, whole };
}

/** Opens what a crash left, and checks that it is a prefix of whole batches, unchanged. */
function expectPrefix(disk: MemoryDisk, whole: Uint8Array, ends: readonly number[]): number {
  const log = openTestLog(disk, {
    config: oneSegment,
    recovery: { kind: "verifyFrom", offset: 18, leaderEpochMax: 1 },
  });
  const batches = log.endOffset / 3;
  expect(Number.isInteger(batches)).toBe(true);
  expect(batches).toBeGreaterThanOrEqual(6);
  expect(log.recovered.lostBelow).toBeUndefined();
  expect(Buffer.concat(readAll(log))).toEqual(Buffer.from(whole.subarray(0, ends[batches])));
  expect(disk.bytesOf(logPath).length).toBe(ends[batches]);
  const next = testBatch({ baseOffset: log.endOffset, timestamps: [1, 2, 3] });
  appendAll(log, [next]);
  expect(baseOffsetsIn(readAll(log)).at(-1)).toBe(batches * 3);
  return batches;
}

describe("recovery", () => {
  test("cuts a torn last batch, wherever it is torn", async () => {
    const { whole, ends } = await halfSynced();
    for (let cut = (ends[9] ?? 0) + 1; cut < whole.length; cut++) {
      const { disk } = await halfSynced();
      disk.cut(logPath, cut);
      expect(expectPrefix(disk, whole, ends)).toBe(9);
    }
  });

  test("keeps every batch before the first cut byte", async () => {
    const { whole, ends } = await halfSynced();
    for (let cut = ends[6] ?? 0; cut <= whole.length; cut += 7) {
      const { disk } = await halfSynced();
      disk.cut(logPath, cut);
      expect(expectPrefix(disk, whole, ends)).toBe(ends.findLastIndex((end) => end <= cut));
    }
  });

  test("cuts at the batch in which a bit has flipped, whichever bit", async () => {
    const { whole, ends } = await halfSynced();
    for (let bit = (ends[6] ?? 0) * 8; bit < whole.length * 8; bit += 3) {
      const { disk } = await halfSynced();
      disk.flipBit(logPath, bit);
      const kept = expectPrefix(disk, whole, ends);
      expect(kept).toBe(ends.findLastIndex((end) => end <= bit >> 3));
    }
  });

  test("keeps a prefix when stretches of what was not synced are overwritten", async () => {
    const { whole, ends } = await halfSynced();
    const synced = ends[6] ?? 0;
    const stretch = fc.record({
      at: fc.integer({ min: synced, max: whole.length - 1 }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 80 }),
      zero: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(stretch, { minLength: 1, maxLength: 3 }), async (stretches) => {
        const { disk } = await halfSynced();
        const file = disk.open(logPath, { create: "never" });
        for (const { at, bytes, zero } of stretches) {
          file?.write(at, [zero ? new Uint8Array(bytes.length) : bytes]);
        }
        const written = disk.bytesOf(logPath);
        const same = whole.findIndex((byte, i) => byte !== written[i]);
        disk.kill();
        const kept = expectPrefix(disk, whole, ends);
        if (same >= 0) expect(kept).toBe(ends.findLastIndex((end) => end <= same));
      }),
      { numRuns: 200 },
    );
  });

  test("does not take whole batches after a gap for the log's", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk);
    for (let i = 0; i < 40; i++) appendAll(log, [testBatch({ baseOffset: i })]);
    const bases = [...log.segments()].map(({ baseOffset }) => baseOffset);
    expect(bases.length).toBeGreaterThan(3);
    disk.kill();
    disk.remove(`${directory}/${String(bases[1]).padStart(20, "0")}.log`);
    const after = openTestLog(disk, { recovery: { kind: "verifyFrom", offset: 0 } });
    expect(after.endOffset).toBe(bases[1]);
    expect(disk.list(directory).filter((name) => name.endsWith(".log")).length).toBe(1);
  });

  test("does not take later segments for the log when its first one is gone", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk);
    for (let i = 0; i < 40; i++) appendAll(log, [testBatch({ baseOffset: i })]);
    disk.kill();
    disk.remove(logPath);
    const after = openTestLog(disk, { recovery: { kind: "verifyFrom", offset: 0 } });
    expect(after.endOffset).toBe(0);
    appendAll(after, [testBatch({ baseOffset: 0 })]);
    expect(baseOffsetsIn(readAll(after))).toEqual([0]);
  });

  test("says so when synced batches are gone", async () => {
    const { disk, ends } = await halfSynced();
    disk.cut(logPath, (ends[4] ?? 0) + 5);
    const recovery = { kind: "verifyFrom", offset: 18 } as const;
    const log = openTestLog(disk, { config: oneSegment, recovery });
    expect([log.endOffset, log.recovered.lostBelow]).toEqual([12, 18]);
  });

  test("does not read again what was synced", async () => {
    const { disk } = await halfSynced();
    // Past the recovery point a flipped bit is found by its CRC; before it nobody looks.
    disk.flipBit(logPath, 61 * 8 + 4);
    const recovery = { kind: "verifyFrom", offset: 18 } as const;
    expect(openTestLog(disk, { config: oneSegment, recovery }).endOffset).toBe(30);
  });

  test("cuts at the offset it is told, and whatever is torn after it", async () => {
    for (const [offset, end] of [
      [18, 18],
      [19, 18],
      [0, 0],
      [27, 27],
      [30, 27],
      [99, 27],
    ] as const) {
      const { disk, whole } = await halfSynced();
      disk.cut(logPath, whole.length - 1);
      const recovery = { kind: "truncateTo", offset } as const;
      const log = openTestLog(disk, { config: oneSegment, recovery });
      expect(log.endOffset).toBe(end);
      expect(log.recovered.lostBelow).toBe(offset > end ? offset : undefined);
      appendAll(log, [testBatch({ baseOffset: end })]);
      await log.sync();
      log.close();
      expect(openTestLog(disk, { config: oneSegment }).endOffset).toBe(end + 1);
    }
  });

  test("cuts a torn tail even where all was said to be synced", async () => {
    const { disk, whole } = await halfSynced();
    disk.cut(logPath, whole.length - 1);
    const log = openTestLog(disk, { config: oneSegment });
    expect([log.endOffset, log.recovered.cutBytes > 0]).toEqual([27, true]);
  });

  test("forgets producers' batches that were cut, also those a snapshot tells of", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk, { config: oneSegment });
    const of = (baseSequence: number): ReturnType<typeof testBatch> =>
      testBatch({ baseOffset: baseSequence, producerId: 5, producerEpoch: 0, baseSequence });
    for (const sequence of [0, 1, 2]) appendAll(log, [of(sequence)]);
    await log.sync();
    log.settle();
    for (const sequence of [3, 4]) appendAll(log, [of(sequence)]);
    log.settle();
    disk.kill();
    const sizeOfOne = of(0).bytes.length;
    disk.cut(logPath, sizeOfOne * 4);
    const recovery = { kind: "verifyFrom", offset: 3 } as const;
    const after = openTestLog(disk, { config: oneSegment, recovery });
    const sent = (baseSequence: number): string =>
      after.producers.check({
        producerId: 5,
        producerEpoch: 0,
        baseSequence,
        lastSequence: baseSequence,
      }).kind;
    expect([0, 3, 4, 5].map(sent)).toEqual([
      "duplicate",
      "duplicate",
      "append",
      "outOfOrderSequence",
    ]);
    expect(disk.list(directory).filter((name) => name.endsWith(".snapshot"))).toEqual([
      `${"3".padStart(20, "0")}.snapshot`,
    ]);
  });

  test("knows nothing of producers that went on in batches which are gone", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk, { config: oneSegment });
    const producer = { producerId: 5, producerEpoch: 0 };
    appendAll(log, [testBatch({ baseOffset: 0, ...producer, baseSequence: 0 })]);
    await log.sync();
    log.close();
    const later = openTestLog(disk, { config: oneSegment, startOffset: 3 });
    expect([later.endOffset, later.missesProducers]).toEqual([3, true]);
    const sent = { ...producer, baseSequence: 3, lastSequence: 3 };
    expect(later.producers.check(sent).kind).toBe("append");
    appendAll(later, [testBatch({ baseOffset: 3, ...producer, baseSequence: 3 })]);
    later.truncateTo(3);
    expect(later.producers.check(sent).kind).toBe("append");
  });

  test("forgets the leader epochs of batches that were cut", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk, { config: oneSegment });
    const first = testBatch({ baseOffset: 0, partitionLeaderEpoch: 3 });
    appendAll(log, [first, testBatch({ baseOffset: 1, partitionLeaderEpoch: 5 })]);
    await log.sync();
    disk.kill();
    disk.cut(logPath, first.bytes.length + 10);
    const recovery = { kind: "verifyFrom", offset: 0 } as const;
    const after = openTestLog(disk, { config: oneSegment, recovery });
    expect([after.endOffset, after.latestEpoch]).toEqual([1, 3]);
    expect(after.endOffsetFor(3)).toEqual({ epoch: 3, endOffset: 1 });
  });

  test("takes a batch whose offset was zeroed, like all before it, for no first batch", () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk, { config: oneSegment });
    const [first, second] = [testBatch({ baseOffset: 0 }), testBatch({ baseOffset: 1 })];
    appendAll(log, [first, second]);
    disk.kill();
    const zeros = new Uint8Array(first.bytes.length + 8);
    disk.open(logPath, { create: "never" })?.write(0, [zeros]);
    const recovery = { kind: "verifyFrom", offset: 0 } as const;
    const after = openTestLog(disk, { config: oneSegment, recovery });
    expect([after.endOffset, disk.bytesOf(logPath).length]).toEqual([0, 0]);
  });

  test("gives what lies before damaged bytes that were synced, and then says so", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk);
    const batches = Array.from({ length: 40 }, (_, i) => testBatch({ baseOffset: i }));
    for (const batch of batches) appendAll(log, [batch]);
    await log.sync();
    log.close();
    const [first, second] = batches.map(({ bytes }) => bytes.length);
    const lengthAt = (first ?? 0) + (second ?? 0) + 8;
    disk.flipBit(logPath, lengthAt * 8 + 6);
    const after = openTestLog(disk);
    const range = { maxBytes: 100_000, upTo: 40, atLeastOneBatch: true };
    const read = after.read({ ...range, from: 0 });
    expect(read.kind === "ok" ? baseOffsetsIn(read.records) : read.kind).toEqual([0, 1]);
    expect(() => after.read({ ...range, from: 2 })).toThrow(DiskError);
  });

  test("does not lead a reader back where a damaged batch says that it ends earlier", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk);
    const batches = Array.from({ length: 40 }, (_, i) => testBatch({ baseOffset: i }));
    for (const batch of batches) appendAll(log, [batch]);
    await log.sync();
    log.close();
    const [first, second] = batches.map(({ bytes }) => bytes.length);
    const deltaAt = (first ?? 0) + (second ?? 0) + 23;
    disk.flipBit(logPath, deltaAt * 8 + 7);
    const after = openTestLog(disk);
    const range = { maxBytes: 100_000, upTo: 40, atLeastOneBatch: true };
    expect(after.read({ ...range, from: 1 })).toMatchObject({ kind: "ok", nextOffset: 2 });
  });

  test("does not take the offset of a batch that lost its place for the log's end", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk, { config: oneSegment });
    const batches = Array.from({ length: 20 }, (_, i) => testBatch({ baseOffset: i }));
    for (const batch of batches) appendAll(log, [batch]);
    await log.sync();
    log.close();
    const lastAt = disk.bytesOf(logPath).length - (batches[0]?.bytes.length ?? 0);
    disk.flipBit(logPath, (lastAt + 7) * 8 + 4);
    const after = openTestLog(disk, { config: oneSegment });
    expect(after.endOffset).toBe(19);
    appendAll(after, [testBatch({ baseOffset: 19 })]);
    expect(baseOffsetsIn(readAll(after))).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test("does not find a batch that lost its place for an offset that another one has", async () => {
    const disk = new MemoryDisk();
    const config = { ...smallSegments, indexIntervalBytes: 0 };
    const log = openTestLog(disk, { config });
    const batches = Array.from({ length: 40 }, (_, i) =>
      testBatch({ baseOffset: i, valueBytes: 10 + i }),
    );
    for (const batch of batches) appendAll(log, [batch]);
    await log.sync();
    log.close();
    disk.remove(logPath.replace(".log", ".index"));
    disk.flipBit(logPath, ((batches[0]?.bytes.length ?? 0) + 7) * 8);
    const after = openTestLog(disk, { config });
    const read = after.read({ from: 0, maxBytes: 1, upTo: 40, atLeastOneBatch: true });
    expect(read.kind === "ok" ? Buffer.concat(read.records) : read.kind).toEqual(
      Buffer.from(batches[0]?.bytes ?? []),
    );
  });

  test("refuses a segment in whose place another one's file lies", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk);
    for (let i = 0; i < 40; i++) appendAll(log, [testBatch({ baseOffset: i })]);
    const bases = [...log.segments()].map(({ baseOffset }) => baseOffset);
    await log.sync();
    log.close();
    const last = `${directory}/${String(bases.at(-1)).padStart(20, "0")}.log`;
    const bytes = disk.bytesOf(logPath);
    const file = disk.open(last, { create: "never" });
    file?.resize(0);
    file?.write(0, [bytes]);
    file?.close();
    expect(() => openTestLog(disk)).toThrow(DiskError);
  });

  test("does not believe that there were no leader epochs", async () => {
    const { disk } = await halfSynced();
    const epochs = disk.open(`${directory}/leader-epochs`, { create: "never" });
    epochs?.resize(16);
    epochs?.write(8, [new Uint8Array(8)]);
    epochs?.close();
    const recovery = { kind: "verifyFrom", offset: 18 } as const;
    const log = openTestLog(disk, { config: oneSegment, recovery });
    expect(log.endOffsetFor(0)).toEqual({ epoch: 0, endOffset: 0 });
  });

  test("passes over a damaged snapshot", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk, { config: oneSegment });
    const fields = { producerId: 5, producerEpoch: 0, baseSequence: 0 };
    appendAll(log, [testBatch({ baseOffset: 0, ...fields })]);
    await log.sync();
    log.close();
    const snapshot = `${directory}/${"1".padStart(20, "0")}.snapshot`;
    disk.flipBit(snapshot, 8 * 30);
    expect(openTestLog(disk, { config: oneSegment }).producers.get(5)?.batches.length).toBe(1);
    expect(disk.paths()).not.toContain(snapshot);
  });
});
