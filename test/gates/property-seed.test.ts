import fc from "fast-check";
import { expect, test } from "vitest";

test("properties are tried with the same cases in every run", () => {
  expect(fc.readConfigureGlobal()?.seed).toBe(Number(process.env["MILLRACE_SEED"] ?? 1));
  const drawn = fc.sample(fc.nat(), 5);
  expect(fc.sample(fc.nat(), 5)).toEqual(drawn);
});
