import { SeededRandom } from "@millrace/adapter-memory";
import { expect, it } from "vitest";
import { grows, type Point, slopeOf } from "./judge.ts";

/** Half an hour of samples as memory gives them: a floor, and garbage above it that comes and goes. */
function series(seed: number, leakPerHour: number): readonly Point[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: 288 }, (_, index) => {
    const seconds = index * 5;
    const garbage = ((index * 7) % 60) + random.below(6);
    return { seconds, value: 150 + (leakPerHour * seconds) / 3600 + garbage };
  });
}

it("sees a leak of twenty units an hour under sixty units of garbage", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const slope = slopeOf(series(seed, 20));
    expect(grows(slope, 5)).toBe(true);
    expect(slope.lastThird).toBeGreaterThan(slope.firstThird);
  }
});

it("lets noise without growth pass", () => {
  for (let seed = 1; seed <= 20; seed += 1) expect(grows(slopeOf(series(seed, 0)), 5)).toBe(false);
});

it("allows a slow growth up to its bound, and a step down", () => {
  expect(grows(slopeOf(series(1, 2)), 5)).toBe(false);
  expect(grows(slopeOf(series(1, -50)), 5)).toBe(false);
});

it("measures a clean line exactly", () => {
  const points = Array.from({ length: 120 }, (_, i) => ({ seconds: i * 10, value: 3 + i }));
  const slope = slopeOf(points);
  expect(slope.perHour).toBeCloseTo(360, -1);
  expect(slope.plusMinus).toBeLessThan(10);
  expect(grows(slope, 359)).toBe(true);
});

it("refuses to judge too few samples", () => {
  expect(() => slopeOf([])).toThrow("too few");
  expect(() => slopeOf([{ seconds: 1, value: 1 }])).toThrow("too few");
});
