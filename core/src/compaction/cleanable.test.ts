import { describe, expect, test } from "vitest";
import { cleanable, type CleanableLog, type CompactionRules } from "./cleanable.ts";

const nowMs = 1_000_000;

/** Segments of ten offsets and 100 bytes each; segment i has times from 1000·i on. */
function logOf(count: number, changes: Partial<CleanableLog> = {}): CleanableLog {
  const segments = Array.from({ length: count }, (_, i) => ({
    ...{ baseOffset: i * 10, sizeBytes: 100, firstTimestamp: 1000 * i + 1 },
    largestTimestamp: 1000 * i + 900,
  }));
  return {
    ...{ segments, logStartOffset: 0, cleanedTo: undefined },
    ...{ lastStableOffset: count * 10, settledOffset: count * 10, ...changes },
  };
}

const rules: CompactionRules = {
  ...{ minCompactionLagMs: 0, maxCompactionLagMs: Number.MAX_SAFE_INTEGER },
  minCleanableDirtyRatio: 0.5,
};

describe("what is cleanable", () => {
  test("is every closed segment of a log that was never cleaned", () => {
    expect(cleanable(logOf(4), rules, nowMs)).toEqual({
      ...{ firstDirtyOffset: 0, firstUncleanableOffset: 30, dirtyRatio: 1, isDue: true },
    });
  });

  test("is nothing without a closed segment, a byte, or anything dirty", () => {
    expect(cleanable(logOf(0), rules, nowMs)).toBeUndefined();
    expect(cleanable(logOf(1), rules, nowMs)).toBeUndefined();
    expect(cleanable(logOf(3, { cleanedTo: 20 }), rules, nowMs)).toBeUndefined();
    const empty = logOf(3).segments.map((segment) => ({ ...segment, sizeBytes: 0 }));
    expect(cleanable(logOf(3, { segments: empty }), rules, nowMs)).toBeUndefined();
  });

  test("ends before the segment that is not decided, or not settled", () => {
    const end = (changes: Partial<CleanableLog>): number | undefined =>
      cleanable(logOf(6, changes), rules, nowMs)?.firstUncleanableOffset;
    expect(end({ lastStableOffset: 39 })).toBe(30);
    expect(end({ lastStableOffset: 40 })).toBe(40);
    expect(end({ settledOffset: 25 })).toBe(20);
    expect(end({ settledOffset: 5 })).toBeUndefined();
  });

  test("ends before a segment with a record that is younger than min.compaction.lag.ms", () => {
    const lagging = { ...rules, minCompactionLagMs: 1000 };
    expect(cleanable(logOf(6), lagging, 4800)?.firstUncleanableOffset).toBe(30);
    expect(cleanable(logOf(6), lagging, 4900)?.firstUncleanableOffset).toBe(40);
    expect(cleanable(logOf(6), lagging, 1000)).toBeUndefined();
  });

  test("begins at the log's start where that has passed what was cleaned", () => {
    const log = logOf(5, { logStartOffset: 15, cleanedTo: 10 });
    expect(cleanable(log, rules, nowMs)?.firstDirtyOffset).toBe(15);
  });

  test("is all of a log that ends below what was cleaned", () => {
    const log = logOf(3, { cleanedTo: 500 });
    expect(cleanable(log, rules, nowMs)).toMatchObject({ firstDirtyOffset: 0, dirtyRatio: 1 });
  });
});

describe("a round is due", () => {
  test("when more than the wanted share is dirty", () => {
    expect(cleanable(logOf(5, { cleanedTo: 20 }), rules, nowMs)).toMatchObject({
      ...{ dirtyRatio: 0.5, isDue: false },
    });
    expect(cleanable(logOf(6, { cleanedTo: 20 }), rules, nowMs)).toMatchObject({
      ...{ dirtyRatio: 0.6, isDue: true },
    });
    const all = { ...rules, minCleanableDirtyRatio: 0 };
    expect(cleanable(logOf(50, { cleanedTo: 480 }), all, nowMs)?.isDue).toBe(true);
  });

  test("when a dirty segment's first record waits longer than max.compaction.lag.ms", () => {
    const log = logOf(10, { cleanedTo: 80 });
    const lagging = { ...rules, maxCompactionLagMs: 5000 };
    expect(cleanable(log, lagging, 13_001)?.isDue).toBe(false);
    expect(cleanable(log, lagging, 13_002)?.isDue).toBe(true);
    expect(cleanable(logOf(9, { cleanedTo: 80 }), lagging, nowMs)).toBeUndefined();
  });
});
