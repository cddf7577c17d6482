import { expect, it } from "vitest";
import { type SeriesName, seriesNames } from "./sample.ts";
import { renderTierSoak, tierFaults, type TierOutcome } from "./tier-report.ts";
import type { TierSample } from "./tier-sample.ts";

const mebibyte = 1024 * 1024;

/** Twenty minutes in which everything is as it was, but for what `planted` adds an hour. */
function outcome(planted: Partial<Record<keyof TierSample, number>> = {}): TierOutcome {
  const own = ["local logs", "journal", "cold segments", "packs", "objects"] as const;
  const sampleAt = (seconds: number): TierSample => {
    const names: readonly (SeriesName | (typeof own)[number])[] = [...seriesNames, ...own];
    const values = names.map((name) => {
      return [name, 100 + ((planted[name] ?? 0) * seconds) / 3600 + (seconds % 35)];
    });
    return Object.fromEntries(values) as TierSample;
  };
  return {
    command: "npm run soak -- --tiers",
    ...{ date: "2026-01-31", machine: "2 cores", store: "files" },
    ...{ minutes: 20, partitions: 1_000, writtenBytes: 24e9 },
    localBytesMax: 500 * mebibyte,
    objectBytesMax: 1_000 * mebibyte,
    samples: Array.from({ length: 240 }, (_, i) => ({ seconds: i * 5, sample: sampleAt(i * 5) })),
    happened: [["records acknowledged", 4]],
    violations: [],
  };
}

it("finds nothing where memory is flat and both tiers are within their bounds", () => {
  expect(tierFaults(outcome())).toEqual([]);
  expect(renderTierSoak(outcome())).toContain("Memory stayed flat");
});

it.each([
  ["local logs", "local logs, MiB: "],
  ["packs", "objects, MiB: "],
  ["cold segments", "objects, MiB: "],
  ["descriptors: files", "descriptors of files: "],
] as const)("names what %s take beyond its bound", (name, what) => {
  const beyond = outcome({ [name]: 10_000 });
  expect(tierFaults(beyond)).toEqual([expect.stringContaining(what)]);
  expect(renderTierSoak(beyond)).toContain("**beyond**");
});

it("names memory that went past its bound and came back", () => {
  const flat = outcome();
  const samples = flat.samples.map((one, i) =>
    i === 20 ? { ...one, sample: { ...one.sample, "resident memory": 900 } } : one,
  );
  const peak = { ...flat, samples };
  expect(tierFaults(peak)).toEqual([expect.stringContaining("resident memory, MiB: 900")]);
});

it("names memory that grows, unless the run is too short to tell", () => {
  const leaking = outcome({ "resident memory": 200 });
  expect(tierFaults(leaking)).toEqual([expect.stringContaining("resident memory grows by")]);
  const short = { ...leaking, minutes: 5, samples: leaking.samples.slice(0, 60) };
  expect(tierFaults(short)).toEqual([]);
  expect(renderTierSoak(short)).toContain("too short");
});
