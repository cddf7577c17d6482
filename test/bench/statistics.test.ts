import { expect, it } from "vitest";
import {
  bucketsIn,
  bucketsSince,
  quantileBound,
  quantileOf,
  ratioOf,
  type Spread,
  spreadOf,
  waitBound,
} from "./statistics.ts";

it("takes the middle of an odd number of samples, in whatever order they came", () => {
  expect(spreadOf([9, 1, 4])).toEqual({ min: 1, median: 4, max: 9, count: 3 });
});

it("takes the mean of the two in the middle of an even number", () => {
  expect(spreadOf([10, 1, 2, 4]).median).toBe(3);
});

it("takes as a quantile a sample that was measured, the least and the largest included", () => {
  const samples = [30, 10, 50, 20, 40, 60, 70, 80, 90, 100];
  const shares = [0, 0.1, 0.11, 0.5, 0.9, 1];
  expect(shares.map((share) => quantileOf(samples, share))).toEqual([10, 10, 20, 50, 90, 100]);
  expect(() => quantileOf([], 0.5)).toThrow("of 0 samples");
});

it("refuses a figure without a measurement", () => {
  expect(() => spreadOf([])).toThrow("without a measurement");
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, -1])("refuses %d as a measurement", (sample) => {
  expect(() => spreadOf([1, sample])).toThrow("not a measurement");
});

it("divides our median by theirs", () => {
  expect(ratioOf(spreadOf([1, 2, 3]), spreadOf([8, 8, 80]))).toBe(0.25);
});

it("has no ratio to nothing", () => {
  const nothing: Spread = { min: 0, median: 0, max: 0, count: 3 };
  expect(() => ratioOf(spreadOf([1]), nothing)).toThrow("median of zero");
});

const exposition = `# TYPE other histogram
other_bucket{le="0.001"} 7
# TYPE delay histogram
delay_bucket{le="0.001"} 10
delay_bucket{le="0.005"} 990
delay_bucket{le="0.025"} 999
delay_bucket{le="+Inf"} 1000
delay_sum 1.5
delay_count 1000
`;

it("reads the buckets of one histogram out of the metrics", () => {
  const buckets = bucketsIn(exposition, "delay");
  expect(buckets.map(({ bound }) => bound)).toEqual([0.001, 0.005, 0.025, Infinity]);
  expect(buckets.map(({ count }) => count)).toEqual([10, 990, 999, 1000]);
});

it("refuses metrics without that histogram", () => {
  expect(() => bucketsIn(exposition, "absent")).toThrow("no histogram absent");
});

it("bounds a quantile by the bucket that holds its observation", () => {
  const buckets = bucketsIn(exposition, "delay");
  expect(quantileBound(buckets, 0.99)).toBe(0.005);
  expect(quantileBound(buckets, 0.991)).toBe(0.025);
  expect(quantileBound(buckets, 0.999)).toBe(0.025);
  expect(quantileBound(buckets, 0.9991)).toBe(Number.POSITIVE_INFINITY);
});

it("counts only what was observed between two readings", () => {
  const before = bucketsIn(exposition, "delay");
  const after = before.map(({ bound, count }) => ({ bound, count: count + 5 }));
  expect(bucketsSince(before, after).map(({ count }) => count)).toEqual([5, 5, 5, 5]);
  expect(() => quantileBound(bucketsSince(before, before), 0.999)).toThrow("without observations");
});

it("weighs a long stretch by its time: to fall into it is the likelier the longer it is", () => {
  const buckets = [
    { bound: 0.001, count: 99_999 },
    { bound: 1, count: 100_000 },
    { bound: Number.POSITIVE_INFINITY, count: 100_000 },
  ];
  expect(quantileBound(buckets, 0.999)).toBe(0.001);
  // 1 s of 1,000 s: one in a thousand comes in it, half of them in its second half.
  expect(waitBound(buckets, 1_000, 0.9995)).toBeCloseTo(0.5, 6);
  expect(waitBound(buckets, 100_000, 0.999)).toBeLessThan(0.001);
});

it("knows no bound of a wait where a stretch has none", () => {
  const endless = [
    { bound: 0.001, count: 5 },
    { bound: Number.POSITIVE_INFINITY, count: 6 },
  ];
  expect(waitBound(endless, 100, 0.5)).toBe(Number.POSITIVE_INFINITY);
});
