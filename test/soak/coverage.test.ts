import { expect, it } from "vitest";
import { Coverage } from "./coverage.ts";

it("covers what ranges in any order reach together, and stops at the first gap", () => {
  const coverage = new Coverage();
  coverage.add(0, 10, 20);
  expect(coverage.coveredTo(0)).toBe(0);
  coverage.add(0, 0, 5);
  coverage.add(0, 3, 9);
  expect(coverage.coveredTo(0)).toBe(9);
  coverage.add(0, 9, 10);
  expect(coverage.coveredTo(0)).toBe(20);
  expect(coverage.coveredTo(1)).toBe(0);
});
