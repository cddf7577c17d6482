import { expect, test } from "vitest";
import { decideRetention } from "./retention.ts";
import { acrossTiers } from "./retention-tiers.ts";

const hot = [
  { baseOffset: 25, sizeBytes: 50, largestTimestamp: 300 },
  { baseOffset: 35, sizeBytes: 0, largestTimestamp: 400 },
];
const part = (baseOffset: number, nextOffset: number, maxTimestamp: number) => {
  return { baseOffset, nextOffset, batchesBytes: 100, maxTimestamp };
};

test("counts each stretch once: what is only cold, by its share, then what is hot", () => {
  // The second part lies over the first one's end, and over the hot segment's beginning.
  expect(acrossTiers([part(0, 10, 100), part(5, 30, 200), part(26, 35, 250)], hot)).toEqual([
    { baseOffset: 0, sizeBytes: 100, largestTimestamp: 100 },
    { baseOffset: 10, sizeBytes: 60, largestTimestamp: 200 },
    ...hot,
  ]);
  expect(acrossTiers([], hot)).toEqual(hot);
  expect(acrossTiers([part(0, 10, 1)], [])).toEqual([
    { baseOffset: 0, sizeBytes: 100, largestTimestamp: 1 },
  ]);
});

test("takes a part without timestamps for as old as what follows it, and for young at the end", () => {
  const ages = (cold: Parameters<typeof acrossTiers>[0], rest: typeof hot): readonly number[] =>
    acrossTiers(cold, rest).map(({ largestTimestamp }) => largestTimestamp);
  expect(ages([part(0, 10, -1), part(10, 20, -1), part(20, 25, 7)], hot)).toEqual([
    7, 7, 7, 300, 400,
  ]);
  expect(ages([part(0, 10, 5), part(10, 25, -1)], hot)).toEqual([5, 300, 300, 400]);
  expect(ages([part(0, 10, -1)], [])).toEqual([Number.POSITIVE_INFINITY]);
});

test("gives retention what it decides about, from the cold tier's beginning on", () => {
  const segments = acrossTiers([part(0, 10, 100), part(10, 30, 200)], hot);
  const log = { segments, logStartOffset: 0, highWatermark: 35, logEndOffset: 35 };
  const rules = { retentionMs: 50, retentionBytes: -1, cleanupPolicy: { delete: true } };
  expect(decideRetention(log, rules, 260)).toEqual([
    { reason: "time", upTo: 25, segments: 2, bytes: 175 },
  ]);
  expect(decideRetention(log, { ...rules, retentionMs: -1, retentionBytes: 120 }, 0)).toEqual([
    { reason: "size", upTo: 10, segments: 1, bytes: 100 },
  ]);
});
