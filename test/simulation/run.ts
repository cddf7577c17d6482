/**
 * Long runs: `node test/simulation/run.ts --seeds N --from S [--events M] [--twice] [--trace]
 * [--minutes N] [--kill-in STEP] [--crash-at STEP] [--regime REGIME]`, where STEP is one of the
 * table's, as in `--kill-in "sync journal"` or `--crash-at "segment named"`. `--regime cluster` runs
 * several brokers; `--mutations` runs, instead of all that, every mistake that it must find.
 *
 * Prints what was run, how often each fault hit each step, and every anomaly with its seed. Exits
 * with 1 for an anomaly, for two runs of a seed that differ, and for a fault that never hit a step
 * that it should have hit.
 */
import { parseArgs } from "node:util";
import { FaultTable } from "./fault-table.ts";
import { clusterHits } from "./cluster-hits.ts";
import { clusterMutations } from "./cluster-mutations.ts";
import { expectedHits, missingHits } from "./expected-hits.ts";
import { firstFound } from "./mutating.ts";
import { regimes, type SimulationResult, simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "20" },
    from: { type: "string", default: "1" },
    events: { type: "string", default: "6000" },
    /** Virtual ones, of each seed. */
    minutes: { type: "string", default: "10" },
    twice: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    "kill-in": { type: "string" },
    "crash-at": { type: "string" },
    regime: { type: "string" },
    mutations: { type: "boolean", default: false },
  },
});
const [seeds, from, events] = [Number(values.seeds), Number(values.from), Number(values.events)];
const { "kill-in": killIn, "crash-at": crashAt } = values;
const known = [...regimes, "cluster"] as const;
const regime = known.find((one) => one === values.regime);
if (values.regime !== regime) throw new Error(`regimes are ${known.join(", ")}`);
const focus = {
  ...(killIn === undefined ? {} : { killIn }),
  ...(crashAt === undefined ? {} : { crashAt }),
  ...(regime === undefined ? {} : { regime }),
  faultsMsMin: Number(values.minutes) * 60_000,
};
if (values.mutations) process.exit((await allFound()) ? 0 : 1);
const keepTrace = values.trace ? "all" : "digest";
const table = new FaultTable();
const totals = {
  ...{ events: 0, operations: 0, acknowledged: 0, starts: 0 },
  ...{ checkpoints: 0, virtualMs: 0, anomalies: 0 },
};
const least = { events: 2_000, checkpoints: 2 };
let different = 0;
let present = from;
// In a process it would be the broker's end.
process.on("unhandledRejection", (error) => {
  totals.anomalies += 1;
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  console.log(`seed ${present}: nobody handled ${stack}`);
});
let tooShort = 0;
for (let seed = from; seed < from + seeds; seed += 1) {
  present = seed;
  const result = await simulate({ ...focus, seed, events, keepTrace });
  add(result);
  if (values.trace) process.stdout.write(result.trace.join(""));
  if (values.twice && (await simulate({ ...focus, seed, events })).digest !== result.digest) {
    different += 1;
    console.log(`seed ${seed}: the second run is another one`);
  }
  const { checkpoints } = result;
  if (result.events < least.events || checkpoints < least.checkpoints) {
    tooShort += 1;
    console.log(`seed ${seed}: ${result.events} events and ${checkpoints} checkpoints are too few`);
  }
  const kinds = [...new Set(result.anomalies.map(({ kind }) => kind))].join(", ");
  if (kinds !== "") {
    console.log(`seed ${seed} (${result.regime}): ${result.anomalies.length} anomalies: ${kinds}`);
    for (const { kind, what } of result.anomalies.slice(0, 5)) console.log(`  ${kind}: ${what}`);
  }
}
console.log(
  `${seeds} seeds from ${from}: ${totals.events} events, ${totals.operations} operations ` +
    `(${totals.acknowledged} sends acknowledged), ${totals.starts} starts of the broker, ` +
    `${totals.checkpoints} checkpoints, ${Math.round(totals.virtualMs / 1000)} s of virtual time`,
);
for (const { fault, step, hits } of table.rows()) {
  console.log(`${fault.padEnd(20)} ${step.padEnd(28)} ${hits}`);
}
const missing = missingHits(table, regime === "cluster" ? clusterHits : expectedHits);
for (const { fault, step } of missing) console.log(`never hit: ${fault} in ${step}`);
console.log(`${totals.anomalies} anomalies`);
process.exitCode = totals.anomalies + different + tooShort + missing.length === 0 ? 0 : 1;

function add(result: SimulationResult): void {
  table.merge(result.table);
  totals.events += result.events;
  totals.operations += result.operations;
  totals.acknowledged += result.acknowledged;
  totals.starts += result.starts;
  totals.checkpoints += result.checkpoints;
  totals.virtualMs += result.virtualMs;
  totals.anomalies += result.anomalies.length;
}

/** Whether each mistake is found within its number of seeds. */
async function allFound(): Promise<boolean> {
  let isAll = true;
  for (const mutation of clusterMutations) {
    const seed = await firstFound(mutation);
    isAll &&= seed !== undefined;
    console.log(`${seed === undefined ? "not found" : `seed ${seed}`}: ${mutation.name}`);
  }
  return isAll;
}
