import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RetainedLog, RetentionRules } from "./retention.ts";
import { decideLocalRetention, decideRetention, retentionDueMs } from "./retention.ts";

/** Four segments of ten offsets and 100 bytes, an hour apart; the last one takes the appends. */
const hourMs = 3_600_000;
const log: RetainedLog = {
  segments: [0, 1, 2, 3].map((i) => ({
    baseOffset: i * 10,
    sizeBytes: 100,
    largestTimestamp: i * hourMs,
  })),
  logStartOffset: 0,
  highWatermark: 40,
  logEndOffset: 40,
};
const forEver: RetentionRules = {
  retentionMs: -1,
  retentionBytes: -1,
  cleanupPolicy: { delete: true },
};
const nowMs = 3 * hourMs;
const step = (reason: string, upTo: number, segments: number): unknown => {
  return { reason, upTo, segments, bytes: segments * 100 };
};

describe("retention by time", () => {
  test.each([
    [-1, undefined],
    [3 * hourMs, undefined],
    // Only more than the bound is too old, as in Kafka.
    [3 * hourMs - 1, step("time", 10, 1)],
    [hourMs, step("time", 20, 2)],
    [hourMs - 1, step("time", 30, 3)],
    [0, step("time", 30, 3)],
  ])("with retention.ms=%i", (retentionMs, expected) => {
    const steps = decideRetention(log, { ...forEver, retentionMs }, nowMs);
    expect(steps).toEqual(expected === undefined ? [] : [expected]);
  });

  test("takes the active segment, too, when all its records are old", () => {
    const steps = decideRetention(log, { ...forEver, retentionMs: 0 }, nowMs + 1);
    expect(steps).toEqual([step("time", 40, 4)]);
  });

  test("leaves an empty active segment, which is no older than its log", () => {
    const empty = { baseOffset: 40, sizeBytes: 0, largestTimestamp: 0 };
    const segments = [...log.segments, empty];
    const rules = { ...forEver, retentionMs: 0, retentionBytes: 0 };
    expect(decideRetention({ ...log, segments }, { ...rules, retentionBytes: -1 }, 1e15)).toEqual([
      step("time", 40, 4),
    ]);
    expect(decideRetention({ ...log, segments: [empty] }, rules, 1e15)).toEqual([]);
  });

  test("stops at the first segment that is young enough, whatever lies behind it", () => {
    const segments = log.segments.map((segment, i) => {
      return i === 1 ? { ...segment, largestTimestamp: nowMs } : segment;
    });
    const steps = decideRetention({ ...log, segments }, { ...forEver, retentionMs: 1 }, nowMs);
    expect(steps).toEqual([step("time", 10, 1)]);
  });
});

describe("retention by size", () => {
  test.each([
    [-1, undefined],
    [400, undefined],
    [301, undefined],
    [300, step("size", 10, 1)],
    [299, step("size", 10, 1)],
    [101, step("size", 20, 2)],
    [100, step("size", 30, 3)],
    [0, step("size", 40, 4)],
  ])("keeps at least retention.bytes=%i", (retentionBytes, expected) => {
    const steps = decideRetention(log, { ...forEver, retentionBytes }, nowMs);
    expect(steps).toEqual(expected === undefined ? [] : [expected]);
  });
});

describe("what no retention may take", () => {
  test("is anything at or above the high watermark", () => {
    const rules = { ...forEver, retentionMs: 0, retentionBytes: 0 };
    expect(decideRetention({ ...log, highWatermark: 29 }, rules, 1e15)).toEqual([
      step("size", 20, 2),
    ]);
    expect(decideRetention({ ...log, highWatermark: 9 }, rules, 1e15)).toEqual([]);
  });

  test("is anything of a topic that is not deleted from, but for what nobody can read", () => {
    const rules = { retentionMs: 0, retentionBytes: 0, cleanupPolicy: { delete: false } };
    expect(decideRetention(log, rules, 1e15)).toEqual([]);
    expect(decideRetention({ ...log, logStartOffset: 25 }, rules, 1e15)).toEqual([
      step("startOffset", 20, 2),
    ]);
    // A start at the end leaves the active segment, whose name keeps the end.
    expect(decideRetention({ ...log, logStartOffset: 40 }, rules, 1e15)).toEqual([
      step("startOffset", 30, 3),
    ]);
  });
});

test("what nobody can read goes first and counts no bytes, then size, then time", () => {
  const rules = { ...forEver, retentionBytes: 200, retentionMs: hourMs - 1 };
  expect(decideRetention({ ...log, logStartOffset: 10 }, rules, nowMs)).toEqual([
    step("startOffset", 10, 1),
    step("size", 20, 1),
    step("time", 30, 1),
  ]);
});

describe("hot copies", () => {
  const rules = { ...forEver, localRetentionMs: -2, localRetentionBytes: -2 };
  const tiered = { ...log, tieredEnd: 35 };

  test("go no further than what is tiered", () => {
    const decided = decideLocalRetention(tiered, { ...rules, localRetentionBytes: 0 }, nowMs);
    expect(decided).toEqual([step("size", 30, 3)]);
    expect(
      decideLocalRetention({ ...log, tieredEnd: 0 }, { ...rules, localRetentionMs: 0 }, 1e15),
    ).toEqual([]);
  });

  test("stay as long as the log's records unless local retention says otherwise", () => {
    expect(decideLocalRetention(tiered, rules, 1e15)).toEqual([]);
    const byAge = { ...rules, retentionMs: hourMs };
    expect(decideLocalRetention(tiered, byAge, nowMs)).toEqual([step("time", 20, 2)]);
    const local = { ...byAge, localRetentionMs: hourMs - 1 };
    expect(decideLocalRetention(tiered, local, nowMs)).toEqual([step("time", 30, 3)]);
    const bySize = { ...rules, localRetentionBytes: 250 };
    expect(decideLocalRetention(tiered, bySize, nowMs)).toEqual([step("size", 10, 1)]);
  });

  test("of a compacted topic go by the local keys alone", () => {
    const compacted = { ...rules, retentionMs: 0, cleanupPolicy: { delete: false } };
    expect(decideLocalRetention(tiered, compacted, 1e15)).toEqual([]);
    const local = { ...compacted, localRetentionMs: 0 };
    expect(decideLocalRetention(tiered, local, 1e15)).toEqual([step("time", 30, 3)]);
  });
});

test("is due exactly when a decision would take something, if nothing changes until then", () => {
  const segment = fc.record({ sizeBytes: fc.nat(200), largestTimestamp: fc.nat(1000) });
  fc.assert(
    fc.property(
      fc.array(segment, { maxLength: 5 }),
      fc.record({
        retentionMs: fc.integer({ min: -1, max: 1000 }),
        retentionBytes: fc.integer({ min: -1, max: 500 }),
        cleanupPolicy: fc.record({ delete: fc.boolean() }),
      }),
      fc.nat(2500),
      (parts, rules, now) => {
        const segments = parts.map((part, i) => ({ ...part, baseOffset: i * 10 }));
        const end = parts.length * 10;
        const at = { segments, logStartOffset: 0, highWatermark: end, logEndOffset: end };
        const dueMs = retentionDueMs(at, rules, now);
        const isDueNow = decideRetention(at, rules, now).length > 0;
        expect(dueMs <= now).toBe(isDueNow);
        if (isDueNow || dueMs === Number.POSITIVE_INFINITY) return;
        expect(decideRetention(at, rules, dueMs - 1)).toEqual([]);
        expect(decideRetention(at, rules, dueMs).length).toBeGreaterThan(0);
      },
    ),
    { seed: 1 },
  );
});
