import { expect, it } from "vitest";
import { billedBytes, readUnits, writeUnits } from "./metadata-store-units.ts";

it("counts reads by 4 KB, half eventually, and writes by 1 KB, at least one of each", () => {
  expect([0, 4_096, 4_097, 40_000].map((bytes) => readUnits(bytes))).toEqual([1, 1, 2, 10]);
  expect([0, 4_096, 4_097].map((bytes) => readUnits(bytes, "eventual"))).toEqual([0.5, 0.5, 1]);
  expect([0, 1_024, 1_025, 10_000].map((bytes) => writeUnits(bytes))).toEqual([1, 1, 2, 10]);
});

it("counts the key of an item twice, and its attributes", () => {
  expect(billedBytes({ key: "slot/00001/head", jsonBytes: 100 })).toBe(200);
});
