import { MemoryDisk, SeededRandom } from "@millrace/adapter-memory";
import { describe, expect, test } from "vitest";
import {
  appendAll,
  baseOffsetsIn,
  directory,
  openTestLog,
  smallSegments,
  type TestBatch,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import type { PartitionLog } from "./partition-log.ts";

/** `count` batches of two records each, from `from` on, of 100 bytes or a little more. */
function batches(from: number, count: number): readonly TestBatch[] {
  return Array.from({ length: count }, (_, i) => {
    const baseOffset = from + i * 2;
    return testBatch({ baseOffset, timestamps: [baseOffset * 10, baseOffset * 10 + 5] });
  });
}

function filled(disk: MemoryDisk, count = 50): PartitionLog {
  const log = openTestLog(disk);
  for (const batch of batches(0, count)) appendAll(log, [batch]);
  return log;
}

function readFrom(log: PartitionLog, from: number, maxBytes = 1_000_000): readonly number[] {
  const offsets: number[] = [];
  for (let at = from; ; ) {
    const read = log.read({ from: at, maxBytes, upTo: log.endOffset, atLeastOneBatch: true });
    if (read.kind !== "ok") throw new Error(`out of range: ${at}`);
    if (read.records.length === 0) return offsets;
    offsets.push(...baseOffsetsIn(read.records));
    at = read.nextOffset;
  }
}

const evens = (from: number, to: number): readonly number[] =>
  Array.from({ length: (to - from) / 2 }, (_, i) => from + i * 2);

describe("a partition's log", () => {
  test("makes no file before the first append", () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk, { startOffset: 7 });
    expect([log.logStartOffset, log.endOffset, log.sizeBytes, log.isDirty]).toEqual([
      7,
      7,
      0,
      false,
    ]);
    expect(log.read({ from: 7, maxBytes: 10, upTo: 7, atLeastOneBatch: true })).toEqual({
      kind: "ok",
      records: [],
      firstOffset: 7,
      nextOffset: 7,
    });
    log.close();
    expect(disk.paths()).toEqual([]);
  });

  test("names segments by the offset of their first record, in twenty digits", () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 30);
    log.close();
    const segments = [...log.segments()].map(({ baseOffset }) => baseOffset);
    expect(segments.length).toBeGreaterThan(2);
    expect(disk.list(directory).filter((name) => name.endsWith(".log"))).toEqual(
      segments.map((offset) => `${String(offset).padStart(20, "0")}.log`),
    );
  });

  test("gives every batch back, whole and once, from any offset and over segments", () => {
    const log = filled(new MemoryDisk());
    expect(readFrom(log, 0)).toEqual(evens(0, 100));
    expect(readFrom(log, 0, 1)).toEqual(evens(0, 100));
    for (let from = 0; from < 100; from++) {
      expect(readFrom(log, from, 300)).toEqual(evens(from - (from % 2), 100));
    }
    expect(readFrom(log, 100)).toEqual([]);
  });

  test("says out of range below the start and past the end", () => {
    const log = filled(new MemoryDisk());
    log.advanceStartOffset(40);
    const at = (from: number): string =>
      log.read({ from, maxBytes: 1, upTo: 100, atLeastOneBatch: false }).kind;
    expect([at(39), at(40), at(100), at(101)]).toEqual(["outOfRange", "ok", "ok", "outOfRange"]);
  });

  test("never reads a batch that ends at or past the bound", () => {
    const log = filled(new MemoryDisk());
    const upTo = (bound: number): readonly number[] => {
      const read = log.read({ from: 0, maxBytes: 1e6, upTo: bound, atLeastOneBatch: true });
      return read.kind === "ok" ? baseOffsetsIn(read.records) : [];
    };
    expect(upTo(0)).toEqual([]);
    expect(upTo(1)).toEqual([]);
    expect(upTo(2)).toEqual([0]);
    expect(upTo(3)).toEqual([0]);
    expect(upTo(4)).toEqual([0, 2]);
  });

  test("reads no batch larger than asked for, unless one must be read", () => {
    const log = filled(new MemoryDisk());
    const size = testBatch({ baseOffset: 0, timestamps: [0, 5] }).bytes.length;
    const read = (maxBytes: number, atLeastOneBatch: boolean): readonly number[] => {
      const found = log.read({ from: 0, maxBytes, upTo: 100, atLeastOneBatch });
      return found.kind === "ok" ? baseOffsetsIn(found.records) : [];
    };
    expect(read(size - 1, false)).toEqual([]);
    expect(read(size - 1, true)).toEqual([0]);
    expect(read(0, true)).toEqual([0]);
    expect(read(size, false)).toEqual([0]);
    expect(read(2 * size - 1, false)).toEqual([0]);
    expect(read(2 * size, false)).toEqual([0, 2]);
  });

  test("appends parts that are cut anywhere, over several segments, as one", () => {
    const all = batches(0, 30);
    const whole = new Uint8Array(all.reduce((sum, { bytes }) => sum + bytes.length, 0));
    let at = 0;
    for (const { bytes } of all) {
      whole.set(bytes, at);
      at += bytes.length;
    }
    for (const piece of [7, 100, 333, 5000]) {
      const log = openTestLog(new MemoryDisk());
      const parts: Uint8Array[] = [];
      for (let i = 0; i < whole.length; i += piece) parts.push(whole.subarray(i, i + piece));
      log.append(
        parts,
        all.map(({ summary }) => summary),
        0,
      );
      expect(readFrom(log, 0)).toEqual(evens(0, 60));
      expect([...log.segments()].length).toBeGreaterThan(2);
    }
  });

  test("rolls by the records' time, and by wall time where they have none", () => {
    const byRecords = openTestLog(new MemoryDisk(), {
      config: { ...smallSegments, segmentMs: 100 },
    });
    appendAll(byRecords, [testBatch({ baseOffset: 0, timestamps: [1000] })], 0);
    appendAll(byRecords, [testBatch({ baseOffset: 1, timestamps: [1100] })], 9999);
    expect([...byRecords.segments()].length).toBe(1);
    appendAll(byRecords, [testBatch({ baseOffset: 2, timestamps: [1101] })], 9999);
    expect([...byRecords.segments()].map(({ baseOffset }) => baseOffset)).toEqual([0, 2]);
    const byWall = openTestLog(new MemoryDisk(), { config: { ...smallSegments, segmentMs: 100 } });
    appendAll(byWall, [testBatch({ baseOffset: 0 })], 0);
    appendAll(byWall, [testBatch({ baseOffset: 1 })], 50);
    appendAll(byWall, [testBatch({ baseOffset: 2 })], 151);
    expect([...byWall.segments()].map(({ baseOffset }) => baseOffset)).toEqual([0, 2]);
  });

  test("rolls when its index is full", () => {
    const config = { ...smallSegments, segmentBytes: 1e6, segmentIndexBytes: 48 };
    const log = openTestLog(new MemoryDisk(), { config });
    for (const batch of batches(0, 40)) appendAll(log, [batch]);
    expect([...log.segments()].length).toBeGreaterThan(2);
    expect(readFrom(log, 0)).toEqual(evens(0, 80));
  });

  test("opens again as it was closed, without reading its old segments", async () => {
    const disk = new MemoryDisk();
    const before = filled(disk, 200);
    await before.sync();
    before.close();
    const old = (path: string): boolean => path.endsWith("00000000000000000000.log");
    disk.failNext({ operation: "read", matches: old });
    disk.failNext({ operation: "open", matches: old });
    const log = openTestLog(disk);
    expect([log.endOffset, log.recoveryPoint, log.isDirty]).toEqual([400, 400, false]);
    expect(log.recovered).toMatchObject({ cutBytes: 0, lostBelow: undefined });
    expect(readFrom(log, 300)).toEqual(evens(300, 400));
  });

  test("makes missing, foreign and damaged indexes again", () => {
    const kinds = [".index", ".timeindex"];
    const damage: readonly ((disk: MemoryDisk, path: string) => void)[] = [
      (disk, path) => disk.remove(path),
      (disk, path) => disk.cut(path, 3),
      (disk, path) => disk.cut(path, 16),
      (disk, path) => disk.flipBit(path, 9),
      (disk, path) => disk.flipBit(path, 16 * 8 + 27),
      (disk, path) => disk.flipBit(path, 16 * 8 + 60),
    ];
    for (const spoil of damage) {
      for (const kind of kinds) {
        const disk = new MemoryDisk();
        filled(disk).close();
        for (const path of disk.paths().filter((name) => name.endsWith(kind))) spoil(disk, path);
        const log = openTestLog(disk);
        for (let from = 0; from < 100; from++) {
          expect(readFrom(log, from, 300)).toEqual(evens(from - (from % 2), 100));
        }
        for (let at = 0; at < 98; at++) {
          expect(log.findByTimestamp({ timestamp: at * 10, upTo: 100 })?.offset).toBe(
            at % 2 === 0 ? at : at + 1,
          );
        }
      }
    }
  });

  test("says by a DiskError that a segment's bytes are damaged", async () => {
    const disk = new MemoryDisk();
    const log = filled(disk);
    await log.sync();
    disk.cut(disk.paths().find((path) => path.endsWith(".log")) ?? "", 150);
    log.close();
    const again = openTestLog(disk);
    expect(() => readFrom(again, 0)).toThrow(
      expect.objectContaining({ name: "DiskError", reason: "io" }),
    );
    expect(readFrom(again, 60)).toEqual(evens(60, 100));
  });

  test("stays as it was when the disk is full, and goes on when it is not", () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 3);
    disk.setCapacity(disk.usedBytes + 150);
    const more = batches(6, 3);
    expect(() => appendAll(log, more)).toThrow(
      expect.objectContaining({ name: "DiskError", reason: "full" }),
    );
    expect(log.endOffset).toBe(6);
    expect(readFrom(log, 0)).toEqual([0, 2, 4]);
    disk.kill();
    const after = openTestLog(disk, { recovery: { kind: "verifyFrom", offset: 0 } });
    expect(after.endOffset).toBe(6);
    disk.setCapacity(Number.POSITIVE_INFINITY);
    appendAll(after, more);
    expect(readFrom(after, 0)).toEqual(evens(0, 12));
  });

  test("deletes what lies before its start, and keeps its end when all of it does", () => {
    const disk = new MemoryDisk();
    const log = filled(disk);
    log.advanceStartOffset(51);
    expect([...log.segments()][0]?.baseOffset).toBeLessThanOrEqual(51);
    expect([...log.segments()][1]?.baseOffset).toBeGreaterThan(51);
    expect(readFrom(log, 51)).toEqual(evens(50, 100));
    log.advanceStartOffset(100);
    expect(log.sizeBytes).toBe(0);
    log.close();
    const again = openTestLog(disk);
    expect([again.logStartOffset, again.endOffset]).toEqual([100, 100]);
    appendAll(again, batches(100, 2));
    expect(readFrom(again, 100)).toEqual([100, 102]);
  });

  test("removes what ends at or after the offset it is truncated to", () => {
    for (const [offset, end] of [
      [50, 50],
      [51, 50],
      [1, 0],
      [0, 0],
      [99, 98],
      [100, 100],
      [1000, 100],
    ] as const) {
      const disk = new MemoryDisk();
      const log = filled(disk);
      log.truncateTo(offset);
      expect(log.endOffset).toBe(end);
      expect(readFrom(log, 0)).toEqual(evens(0, end));
      appendAll(log, batches(end, 3));
      expect(readFrom(log, 0)).toEqual(evens(0, end + 6));
      log.close();
      expect(readFrom(openTestLog(disk), 0)).toEqual(evens(0, end + 6));
    }
  });

  test("removes its folder", async () => {
    const disk = new MemoryDisk();
    await filled(disk).remove();
    expect(disk.paths()).toEqual([]);
  });

  test("moves its recovery point with a sync, over what was appended before it", async () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 10);
    expect([log.recoveryPoint, log.isDirty]).toEqual([0, true]);
    const sync = log.sync();
    appendAll(log, batches(20, 1));
    await sync;
    expect([log.recoveryPoint, log.isDirty]).toEqual([20, true]);
    await Promise.all([log.sync(), log.sync()]);
    expect([log.recoveryPoint, log.isDirty]).toEqual([22, false]);
    disk.crash(new SeededRandom(1));
    expect(openTestLog(disk).endOffset).toBe(22);
  });

  test("does not claim what a truncation during a sync made other bytes of", async () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 10);
    const sync = log.sync();
    log.truncateTo(12);
    appendAll(log, batches(12, 4));
    await sync;
    expect([log.recoveryPoint, log.isDirty]).toEqual([12, true]);
  });

  test("takes no append after a failed sync", async () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 10);
    disk.failNext({ operation: "sync" });
    await expect(log.sync()).rejects.toThrow("disk failed");
    await expect(log.sync()).rejects.toThrow("disk failed");
    expect(() => appendAll(log, batches(20, 1))).toThrow("disk failed");
    expect(log.recoveryPoint).toBe(0);
    expect(readFrom(log, 0)).toEqual(evens(0, 20));
  });

  test("keeps the history of leader epochs over a restart, and cuts it with the log", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk);
    for (const [baseOffset, partitionLeaderEpoch] of [0, 1, 2, 3].map((i) => [
      i,
      3 + (i >> 1) * 2,
    ])) {
      appendAll(log, [
        testBatch({ baseOffset: baseOffset ?? 0, partitionLeaderEpoch: partitionLeaderEpoch ?? 0 }),
      ]);
    }
    const answers = (of: PartitionLog): readonly unknown[] =>
      [2, 3, 4, 5, 6].map((epoch) => Object.values(of.endOffsetFor(epoch)));
    const expected = [
      [2, 0],
      [3, 2],
      [3, 2],
      [5, 4],
      [-1, -1],
    ];
    expect(answers(log)).toEqual(expected);
    await log.sync();
    log.close();
    expect(disk.list(directory)).toContain("leader-epochs");
    expect(answers(openTestLog(disk))).toEqual(expected);
    disk.flipBit(`${directory}/leader-epochs`, 150);
    const again = openTestLog(disk);
    expect(answers(again)).toEqual(expected);
    again.truncateTo(2);
    expect(answers(again)[1]).toEqual([3, 2]);
    expect(again.latestEpoch).toBe(3);
    again.beginEpoch(9);
    expect(Object.values(again.endOffsetFor(9))).toEqual([9, 2]);
    expect(Object.values(again.endOffsetFor(3))).toEqual([3, 2]);
  });

  test("finds records by their timestamps", () => {
    const log = openTestLog(new MemoryDisk());
    appendAll(log, [
      testBatch({ baseOffset: 0, timestamps: [100, 300, 200] }),
      testBatch({ baseOffset: 3, timestamps: [150] }),
      testBatch({ baseOffset: 4, timestamps: [300, 500, 500] }),
    ]);
    const find = (timestamp: number, upTo = 7): unknown => {
      const found = log.findByTimestamp({ timestamp, upTo });
      return found === undefined ? undefined : [found.offset, found.timestamp];
    };
    expect(find(0)).toEqual([0, 100]);
    expect(find(101)).toEqual([1, 300]);
    expect(find(301)).toEqual([5, 500]);
    expect(find(301, 5)).toBeUndefined();
    expect(find(501)).toBeUndefined();
    expect(log.maxTimestamp(7)).toEqual({ offset: 5, timestamp: 500, leaderEpoch: 1 });
    expect(log.maxTimestamp(5)).toBeUndefined();
    log.advanceStartOffset(1);
    expect(find(0)).toEqual([1, 300]);
  });
});
