import { expect, test } from "vitest";
import { lastNumber } from "./steps.ts";

test("the last number that a pattern finds counts, line by line if the pattern says so", () => {
  const output = "Tests  3 passed (3)\n  Tests  12 passed (12)\n";
  expect(lastNumber(/^\s*Tests\s+(\d+) passed/m)(output)).toBe(12);
  expect(lastNumber(/(\d+) files/)(output)).toBe(0);
});
