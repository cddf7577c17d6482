import { expect, test } from "vitest";
import { failuresIn, lastNumber } from "./steps.ts";

test("the last number that a pattern finds counts, line by line if the pattern says so", () => {
  const output = "Tests  3 passed (3)\n  Tests  12 passed (12)\n";
  expect(lastNumber(/^\s*Tests\s+(\d+) passed/m)(output)).toBe(12);
  expect(lastNumber(/(\d+) files/)(output)).toBe(0);
});

test("what failed is told again, whoever marks it, in colours or not", () => {
  const output = [
    "ok   format         1 files",
    "FAIL lint           2 files",
    "\u001b[41m FAIL \u001b[49m |unit| a.test.ts > does",
    " FAIL  |unit| a.test.ts > does",
    "  FAILED half-closed: 2 lines",
    "1 passed, 2 failed",
    "does not FAIL",
  ];
  expect(failuresIn(output.join("\n"))).toEqual([
    "FAIL lint           2 files",
    "FAIL  |unit| a.test.ts > does",
    "FAILED half-closed: 2 lines",
  ]);
});
