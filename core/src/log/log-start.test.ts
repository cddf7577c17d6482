/** The log's start as retention and DeleteRecords move it, with deaths and a full disk in between. */
import { MemoryDisk } from "@millrace/adapter-memory";
import { expect, test } from "vitest";
import {
  appendAll,
  directory,
  openTestLog,
  smallSegments,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import type { PartitionLog } from "./partition-log.ts";

function filled(disk: MemoryDisk): PartitionLog {
  const log = openTestLog(disk);
  for (let i = 0; i < 40; i++) {
    const producer = { producerId: 7, producerEpoch: 0, baseSequence: i };
    appendAll(log, [testBatch({ baseOffset: i, valueBytes: 100, timestamps: [i], ...producer })]);
  }
  return log;
}

const basesOf = (log: PartitionLog): readonly number[] =>
  [...log.segments()].map(({ baseOffset }) => baseOffset);
const logFiles = (disk: MemoryDisk): readonly string[] =>
  disk.list(directory).filter((name) => name.endsWith(".log"));

test("a start that was stored before a death is in force at the next open, and what it left is gone", () => {
  const disk = new MemoryDisk();
  const log = filled(disk);
  const bases = basesOf(log);
  const third = bases[2] ?? 0;
  log.close();
  const again = openTestLog(disk, { startOffset: third + 1 });
  expect(again.logStartOffset).toBe(third + 1);
  expect(basesOf(again)).toEqual(bases.slice(2));
  expect(logFiles(disk)).toHaveLength(bases.length - 2);
  expect(again.endOffset).toBe(40);
});

test("deleted segments that a loss of power brings back, some of them, take nothing with them", async () => {
  const disk = new MemoryDisk();
  const log = filled(disk);
  await log.sync();
  const [first = "", second = ""] = logFiles(disk);
  const contents = [first, second].map((name) => disk.bytesOf(`${directory}/${name}`));
  const third = basesOf(log)[2] ?? 0;
  log.advanceStartOffset(third);
  log.close();
  const back = disk.open(`${directory}/${first}`, { create: "ifAbsent" });
  back?.write(0, [contents[0] ?? new Uint8Array(0)]);
  // The dirty list may still name an offset that was deleted since.
  const recovery = { kind: "verifyFrom", offset: 0 } as const;
  const again = openTestLog(disk, { startOffset: third, recovery });
  expect([again.logStartOffset, again.endOffset]).toEqual([third, 40]);
  expect(basesOf(again)[0]).toBe(third);
});

test("so do hot copies of what is in the object store, while what is not stays", async () => {
  const disk = new MemoryDisk();
  const log = filled(disk);
  await log.sync();
  const bases = basesOf(log);
  const [second, third = 0] = logFiles(disk).slice(1, 3);
  log.close();
  disk.remove(`${directory}/${second}`);
  for (const recovery of [{ kind: "clean" }, { kind: "verifyFrom", offset: 0 }] as const) {
    const again = openTestLog(disk, { recovery, coldEndOffset: bases[3] ?? 0 });
    expect(again.endOffset).toBe(40);
    expect([again.logStartOffset, again.localStartOffset]).toEqual([0, bases[2]]);
    expect(third).toBe(logFiles(disk)[0]);
    again.close();
  }
});

test("so does a cut one of them, if it is the last that came back: nobody has what ends below the start", () => {
  const recoveries = [
    { kind: "clean" },
    { kind: "verifyFrom", offset: 40 },
    { kind: "truncateTo", offset: 40 },
  ] as const;
  for (const recovery of recoveries) {
    const disk = new MemoryDisk();
    const log = filled(disk);
    const bases = basesOf(log);
    log.close();
    for (const name of logFiles(disk).slice(2)) disk.remove(`${directory}/${name}`);
    const last = `${directory}/${logFiles(disk)[1]}`;
    disk.cut(last, disk.bytesOf(last).length / 2);
    // All below 40 is in the object store, from the start on.
    const startOffset = (bases[2] ?? 0) - 1;
    const again = openTestLog(disk, {
      ...{ recovery, startOffset, coldEndOffset: 40 },
      isCovered: ({ from }) => from >= startOffset,
    });
    expect(again.logStartOffset).toBe(startOffset);
    expect(again.endOffset).toBeLessThanOrEqual(40);
  }
});

test("deletes older segments first, so that a full disk has room for the empty one", () => {
  const disk = new MemoryDisk();
  const log = filled(disk);
  const bases = basesOf(log);
  disk.setCapacity(disk.usedBytes);
  log.advanceStartOffset(40);
  expect(log.logStartOffset).toBe(40);
  expect(basesOf(log)).toEqual([40]);
  expect(bases.length).toBeGreaterThan(2);
});

test("with no room for the empty segment the start is in force all the same, and a later call ends it", () => {
  const disk = new MemoryDisk();
  const log = openTestLog(disk, { config: { ...smallSegments, segmentBytes: 1e6 } });
  appendAll(log, [testBatch({ baseOffset: 0, producerId: 7, producerEpoch: 0, baseSequence: 0 })]);
  disk.setCapacity(0);
  expect(() => log.advanceStartOffset(1)).toThrow(expect.objectContaining({ reason: "full" }));
  expect([log.logStartOffset, log.endOffset]).toEqual([1, 1]);
  const range = { from: 0, maxBytes: 1e6, upTo: 1, atLeastOneBatch: true };
  expect(log.read(range)).toEqual({ kind: "outOfRange" });
  disk.setCapacity(Number.POSITIVE_INFINITY);
  log.advanceStartOffset(log.logStartOffset);
  expect(basesOf(log)).toEqual([1]);
  appendAll(log, [testBatch({ baseOffset: 1, producerId: 7, producerEpoch: 0, baseSequence: 1 })]);
  expect(log.endOffset).toBe(2);
});

test("producers are known whose every record is gone, also after a restart", () => {
  const disk = new MemoryDisk();
  const log = filled(disk);
  log.advanceStartOffset(40);
  const known = log.producers.get(7);
  expect(known?.batches.map(({ baseSequence }) => baseSequence)).toEqual([35, 36, 37, 38, 39]);
  log.close();
  const again = openTestLog(disk, { startOffset: 40 });
  expect(again.producers.get(7)).toEqual(known);
  disk.kill();
  const killed = openTestLog(disk, {
    startOffset: 40,
    recovery: { kind: "verifyFrom", offset: 40 },
  });
  expect(killed.producers.get(7)).toEqual(known);
});

test("tells where each epoch ended over deletions and restarts; one that is gone ended at the start", async () => {
  const disk = new MemoryDisk();
  const log = openTestLog(disk);
  for (let i = 0; i < 40; i++) {
    const partitionLeaderEpoch = 1 + Math.floor(i / 10);
    appendAll(log, [testBatch({ baseOffset: i, valueBytes: 100, partitionLeaderEpoch })]);
  }
  const answers = (from: PartitionLog): readonly unknown[] =>
    [0, 1, 2, 3, 4, 5].map((epoch) => Object.values(from.endOffsetFor(epoch)));
  await log.sync();
  expect(answers(log)).toEqual([
    [0, 0],
    [1, 10],
    [2, 20],
    [3, 30],
    [4, 40],
    [-1, -1],
  ]);
  log.advanceStartOffset(15);
  const afterDeletion = [
    // Older than anything there is: its end is where the log begins, as in Kafka.
    [0, 15],
    [1, 15],
    [2, 20],
    [3, 30],
    [4, 40],
    [-1, -1],
  ];
  expect(answers(log)).toEqual(afterDeletion);
  log.close();
  const again = openTestLog(disk, { startOffset: 15 });
  expect(answers(again)).toEqual(afterDeletion);
  again.advanceStartOffset(40);
  again.close();
  const empty = openTestLog(disk, { startOffset: 40 });
  expect(answers(empty)).toEqual([
    [0, 40],
    [1, 40],
    [2, 40],
    [3, 40],
    [4, 40],
    [-1, -1],
  ]);
});
