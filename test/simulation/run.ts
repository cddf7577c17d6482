/**
 * Long runs: `node test/simulation/run.ts --seeds N --from S [--events M] [--twice] [--trace]
 * [--kill-in STEP]`, where STEP is one of the table's, as in `--kill-in "sync journal"`.
 *
 * Prints what was run, how often each fault hit each step, and every anomaly with its seed. Exits
 * with 1 for an anomaly, for two runs of a seed that differ, and for a fault that never hit a step
 * that it should have hit.
 */
import { parseArgs } from "node:util";
import { FaultTable } from "./fault-table.ts";
import { missingHits } from "./expected-hits.ts";
import { type SimulationResult, simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "20" },
    from: { type: "string", default: "1" },
    events: { type: "string", default: "6000" },
    twice: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    "kill-in": { type: "string" },
  },
});
const [seeds, from, events] = [Number(values.seeds), Number(values.from), Number(values.events)];
const killIn = values["kill-in"];
const focus = killIn === undefined ? {} : { killIn };
const keepTrace = values.trace ? "all" : "digest";
const table = new FaultTable();
const totals = { events: 0, operations: 0, acknowledged: 0, starts: 0, virtualMs: 0, anomalies: 0 };
let different = 0;
for (let seed = from; seed < from + seeds; seed += 1) {
  const result = await simulate({ ...focus, seed, events, keepTrace });
  add(result);
  if (values.trace) process.stdout.write(result.trace.join(""));
  if (values.twice && (await simulate({ ...focus, seed, events })).digest !== result.digest) {
    different += 1;
    console.log(`seed ${seed}: the second run is another one`);
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
    `${Math.round(totals.virtualMs / 1000)} s of virtual time`,
);
for (const { fault, step, hits } of table.rows()) {
  console.log(`${fault.padEnd(20)} ${step.padEnd(28)} ${hits}`);
}
const missing = missingHits(table);
for (const { fault, step } of missing) console.log(`never hit: ${fault} in ${step}`);
console.log(`${totals.anomalies} anomalies`);
process.exitCode = totals.anomalies + different + missing.length === 0 ? 0 : 1;

function add(result: SimulationResult): void {
  table.merge(result.table);
  totals.events += result.events;
  totals.operations += result.operations;
  totals.acknowledged += result.acknowledged;
  totals.starts += result.starts;
  totals.virtualMs += result.virtualMs;
  totals.anomalies += result.anomalies.length;
}
