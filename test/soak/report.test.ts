import { expect, it } from "vitest";
import { growing, type Outcome, renderSoak } from "./report.ts";
import { type Sample, type SeriesName, seriesNames } from "./sample.ts";

/** Half an hour in which everything is as it was, but for what `planted` adds an hour. */
function outcome(planted: Partial<Record<SeriesName, number>>): Outcome {
  const sampleAt = (seconds: number): Sample => {
    const values = seriesNames.map((name) => {
      const leaked = ((planted[name] ?? 0) * seconds) / 3600;
      return [name, 100 + leaked + (seconds % 35)];
    });
    return Object.fromEntries(values) as Sample;
  };
  return {
    command: "npm run soak",
    ...{ date: "2026-01-31", machine: "2 cores", minutes: 30, warmUpSeconds: 900 },
    samples: Array.from({ length: 360 }, (_, i) => ({ seconds: i * 5, sample: sampleAt(i * 5) })),
    ...{ before: sampleAt(0), after: sampleAt(0) },
    happened: [["topics", 40]],
    violations: [],
  };
}

it("finds nothing in a run without a leak", () => {
  expect(growing(outcome({}))).toEqual([]);
  expect(renderSoak(outcome({}))).toContain("Nothing grew");
});

it.each([
  ["heap in use", 60],
  ["timers", 60],
  ["descriptors: sockets", 60],
  ["files in the data directory", 60],
] as const)("names %s when it is the one that leaks", (name, perHour) => {
  const leaking = outcome({ [name]: perHour });
  expect(growing(leaking)).toEqual([expect.stringContaining(`${name} grows by`)]);
  expect(renderSoak(leaking)).toContain("**grows**");
});

it("does not judge what follows the load", () => {
  expect(growing(outcome({ "size of the data directory": 500 }))).toEqual([]);
});

it("shows the violations that a run had", () => {
  const violations = ["soak-1-local-0: read to 5 of 6"];
  expect(renderSoak({ ...outcome({}), violations })).toContain("- soak-1-local-0: read to 5 of 6");
});
