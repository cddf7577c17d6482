import { describe, expect, test } from "vitest";
import { simulate } from "./simulate.ts";

/** `run.ts --regime cluster` takes many seeds and long runs; these are what fits into every check. */
const seeds = [1, 2, 3];
const how = { events: 2_500, faultsMsMin: 20_000, regime: "cluster" } as const;

describe.for(seeds)("seed %i of a cluster", (seed) => {
  test("shows no anomaly, and is the same run when it is run again", async () => {
    const result = await simulate({ ...how, seed });
    expect(result.anomalies).toEqual([]);
    expect(result.acknowledged).toBeGreaterThan(50);
    expect((await simulate({ ...how, seed })).digest).toBe(result.digest);
  });
});
