/** A run of the bench: prepares what all figures need, measures them, and leaves nothing behind. */
import { rmSync, statfsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { kafkaDistribution } from "../compat/peer.ts";
import { killEverythingStarted } from "../compat/processes.ts";
import type { Bench, Figure } from "./figure.ts";
import { compiledPrograms } from "./java-programs.ts";
import { readMachine } from "./machine.ts";
import { outcomesOf, renderTable } from "./report.ts";
import { keepResult, type ResultPlaces } from "./results.ts";
import { inGB, type Scale, scales } from "./scale.ts";

export const repository: string = join(import.meta.dirname, "../..");
const resultsCache = join(repository, ".cache/bench");
export const resultPlaces: ResultPlaces = {
  cache: resultsCache,
  shown: join(repository, "docs/benchmarks.json"),
};

export interface Flags {
  readonly only: readonly string[] | undefined;
  readonly runs: number;
  readonly scale: Scale;
  readonly writeDocs: boolean;
  /** Where Millrace leaves its CPU profiles. They cost time: such a run is kept nowhere. */
  readonly profiles: string | undefined;
}

const runsMax = 50;

export function readFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      runs: { type: "string", default: "3" },
      quick: { type: "boolean", default: false },
      "write-docs": { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1 || runs > runsMax) {
    throw new Error(`--runs wants a number from 1 to ${runsMax}, not ${values.runs}`);
  }
  return {
    only: values.only?.split(","),
    runs,
    scale: values.quick ? scales.quick : scales.full,
    writeDocs: values["write-docs"],
    profiles: values.profile ? join(resultsCache, "profiles") : undefined,
  };
}

/** Prepares a bench for the length of `use`. */
async function withBench<Result>(
  flags: Flags,
  use: (bench: Bench) => Promise<Result>,
): Promise<Result> {
  const cache = join(repository, ".cache/compat");
  const kafkaDirectory = await kafkaDistribution(cache);
  const javaClasses = await compiledPrograms(cache, kafkaDirectory);
  const scratch = await mkdtemp(join(tmpdir(), "millrace-bench-"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      killEverythingStarted();
      rmSync(scratch, { recursive: true, force: true });
      process.exit(1);
    });
  }
  const { runs, scale, profiles } = flags;

  const say = (line: string): void => console.log(line);
  try {
    const { bavail, bsize } = statfsSync(scratch);
    if (bavail * bsize < scale.diskBytesMin) {
      throw new Error(`less than ${inGB(scale.diskBytesMin)} are free at ${scratch}`);
    }
    return await use({
      repository,
      kafkaDirectory,
      javaClasses,
      scratch,
      profiles,
      runs,
      scale,
      say,
    });
  } finally {
    killEverythingStarted();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Measures figures and keeps their results; the number of figures that failed. */
export function measureFigures(figures: readonly Figure[], flags: Flags): Promise<number> {
  return withBench(flags, async (bench) => {
    if (bench.scale.name === "quick") {
      bench.say("quick: small loads, Kafka's compiler is not warm; the ratios are indicative");
    }
    let failed = 0;
    for (const figure of figures) {
      bench.say(`${figure.name}: ${bench.runs} runs`);
      try {
        await measureFigure(bench, figure);
      } catch (error) {
        failed += 1;
        console.error(`FAIL ${figure.name}`, error);
      }
    }
    return failed;
  });
}

async function measureFigure(bench: Bench, figure: Figure): Promise<void> {
  const samples = await figure.measure(bench);
  bench.say(`${renderTable(outcomesOf(figure, samples, bench.scale))}\n`);
  if (bench.profiles !== undefined) return;
  await keepResult(resultPlaces, {
    figure: figure.name,
    scale: bench.scale.name,
    runs: bench.runs,
    measuredOn: new Date().toISOString().slice(0, 10),
    machine: await readMachine(),
    samples,
  });
}
