/** Bounds of a partition's log that no other test meets at their ends. */
import { MemoryDisk } from "@millrace/adapter-memory";
import { expect, test } from "vitest";
import {
  appendAll,
  baseOffsetsIn,
  directory,
  openTestLog,
  smallSegments,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import { producerSnapshotsMax, readCursorsMax, segmentSpanMax } from "./limits.ts";

test("a batch too far from its segment's first offset goes to a new segment", () => {
  const config = { ...smallSegments, segmentBytes: 1e6 };
  const log = openTestLog(new MemoryDisk(), { config });
  appendAll(log, [testBatch({ baseOffset: 0 })]);
  appendAll(log, [testBatch({ baseOffset: 1, lastOffsetDelta: segmentSpanMax - 1 })]);
  expect([...log.segments()]).toHaveLength(1);
  appendAll(log, [testBatch({ baseOffset: segmentSpanMax + 1 })]);
  expect([...log.segments()].map(({ baseOffset }) => baseOffset)).toEqual([0, segmentSpanMax + 1]);
});

test("of the producers' snapshots those are kept where segments begin, and the newest others", () => {
  const disk = new MemoryDisk();
  const log = openTestLog(disk);
  for (let offset = 0; offset < 100; offset += 1) {
    const producer = { producerId: 1, producerEpoch: 0, baseSequence: offset };
    appendAll(log, [testBatch({ baseOffset: offset, ...producer })]);
    log.settle();
  }
  const bases = [...log.segments()].map(({ baseOffset }) => baseOffset);
  expect(bases.length).toBeGreaterThan(producerSnapshotsMax + 2);
  const snapshots = (): readonly number[] => {
    const names = disk.list(directory).filter((name) => name.endsWith(".snapshot"));
    return names.map((name) => Number.parseInt(name, 10));
  };
  expect(snapshots()).toEqual(expect.arrayContaining(bases.slice(1)));
  const others = (): readonly number[] => snapshots().filter((at) => !bases.includes(at));
  expect(others().length).toBeLessThanOrEqual(producerSnapshotsMax);
  log.advanceStartOffset(bases.at(-1) ?? 0);
  appendAll(log, [testBatch({ baseOffset: 100 })]);
  log.settle();
  expect(snapshots().length).toBeLessThanOrEqual(producerSnapshotsMax + 1);
});

test("more readers than are remembered each get every batch once, in order", () => {
  const log = openTestLog(new MemoryDisk());
  const count = 60;
  for (let offset = 0; offset < count; offset += 1) {
    appendAll(log, [testBatch({ baseOffset: offset })]);
  }
  const readers = Array.from({ length: 3 * readCursorsMax }, (_, start) => {
    const from = start % count;
    return { from, at: from, seen: [] as number[] };
  });
  for (let round = 0; round < count; round += 1) {
    for (const reader of readers) {
      const asked = { from: reader.at, maxBytes: 1, upTo: log.endOffset, atLeastOneBatch: true };
      const read = log.read(asked);
      if (read.kind !== "ok") throw new Error(`out of range: ${reader.at}`);
      reader.seen.push(...baseOffsetsIn(read.records));
      reader.at = read.nextOffset;
    }
  }
  for (const { from, seen } of readers) {
    expect(seen).toEqual(Array.from({ length: count - from }, (_, index) => from + index));
  }
});
