import { expect, test } from "vitest";
import { ColdExpiry } from "./cold-expiry.ts";

test("what is clean in the object store counts when it has been so for the time", () => {
  const expiry = new ColdExpiry();
  expect(expiry.look(10, 1_000, 500)).toBe(0);
  expect(expiry.look(10, 1_499, 500)).toBe(0);
  expect(expiry.look(20, 1_500, 500)).toBe(10);
  // It is seen from now on, whenever it came.
  expect(expiry.look(30, 1_600, 500)).toBe(10);
  expect(expiry.look(30, 2_099, 500)).toBe(10);
  expect(expiry.look(30, 2_100, 500)).toBe(30);
});

test("without a time it counts at once", () => {
  const expiry = new ColdExpiry();
  expect(expiry.look(10, 1_000, 0)).toBe(10);
});

test("a cold log that began anew below counts from there", () => {
  const expiry = new ColdExpiry();
  expect(expiry.look(10, 1_000, 500)).toBe(0);
  expect(expiry.look(20, 1_500, 500)).toBe(10);
  expect(expiry.look(20, 1_600, 500)).toBe(10);
  expect(expiry.look(5, 1_700, 500)).toBe(5);
  expect(expiry.look(20, 1_800, 500)).toBe(5);
  expect(expiry.look(20, 2_299, 500)).toBe(5);
  expect(expiry.look(20, 2_300, 500)).toBe(20);
});
