import { expect, it } from "vitest";
import { leftovers } from "./leftovers.ts";
import { type Sample, seriesNames } from "./sample.ts";

const before = Object.fromEntries(seriesNames.map((name) => [name, 5])) as unknown as Sample;

it("names what did not come back, and lets memory be", () => {
  expect(leftovers(before, before)).toEqual([]);
  const after = { ...before, connections: 6, "resident memory": 500, timers: 40 };
  expect(leftovers(before, after)).toEqual([
    "left behind: connections, 6 after 5 before",
    "left behind: timers, 40 after 5 before",
  ]);
});
