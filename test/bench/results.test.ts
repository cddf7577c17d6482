import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { keepResult, readResults, type Result, type ResultPlaces, showResults } from "./results.ts";

let folder: string;
let places: ResultPlaces;
const machine = { cpu: "C", cores: 2, memoryGiB: 16, kernel: "6.1", node: "v24", java: "17" };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-results-"));
  places = { cache: join(folder, "cache"), shown: join(folder, "shown.json") };
});
afterEach(() => rm(folder, { recursive: true }));

function resultOf(figure: string, measuredOn: string, scale: Result["scale"] = "full"): Result {
  return { figure, scale, runs: 3, measuredOn, machine, samples: [] };
}

const figures = [{ name: "one" }, { name: "two" }, { name: "three" }];

it("finds of each figure the newest, measured here or shown before", async () => {
  await showResults(places, [resultOf("one", "2026-02-02"), resultOf("two", "2026-02-02")]);
  await keepResult(places, resultOf("one", "2026-02-01"));
  await keepResult(places, resultOf("two", "2026-02-02"));
  await keepResult(places, { ...resultOf("two", "2026-02-02"), runs: 5 });
  const found = await readResults(places, figures, "full");
  expect(found.map(({ figure, measuredOn, runs }) => [figure, measuredOn, runs])).toEqual([
    ["one", "2026-02-02", 3],
    ["two", "2026-02-02", 5],
  ]);
});

it("finds none of another size", async () => {
  await showResults(places, [resultOf("one", "2026-02-02")]);
  await keepResult(places, resultOf("two", "2026-02-01"));
  await expect(readResults(places, figures, "quick")).rejects.toThrow("nothing was measured");
});

it("says so where nothing was measured at all", async () => {
  await expect(readResults(places, figures, "full")).rejects.toThrow("nothing was measured");
});
