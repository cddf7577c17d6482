/**
 * Long runs: `node test/simulation/run.ts --seeds N [--from S] [--events M] [--twice] [--trace]
 * [--minutes N] [--kill-in STEP] [--crash-at STEP] [--regime REGIME] [--jobs N] [--report FILE]`,
 * where STEP is one of the table's, as in `--kill-in "sync journal"` or `--crash-at "segment named"`.
 * `--regime cluster` runs several brokers. `--report` adds what came of it to a file and to the page
 * beside it, and goes on after the last seed that the file has of this code. `--mutations` runs,
 * instead of all that, every mistake that it must find, from each of the seeds of `--starts`.
 *
 * Prints what was run, how often each fault hit each step, and every anomaly with its seed. Exits
 * with 1 for an anomaly, for two runs of a seed that differ, and for a fault that never hit a step
 * that it should have hit.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { allMutations } from "./all-mutations.ts";
import { added, noOutcome, type Outcome, runSeeds, type SeedOptions, tableOf } from "./campaign.ts";
import { clusterHits } from "./cluster-hits.ts";
import { codeHash } from "./code-hash.ts";
import { aloneHits, type ExpectedHits, missingHits } from "./expected-hits.ts";
import { Report } from "./report.ts";
import { carryOut, type Order } from "./seed-orders.ts";
import { regimes } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "20" },
    from: { type: "string" },
    events: { type: "string", default: "6000" },
    /** Virtual ones, of each seed. */
    minutes: { type: "string", default: "10" },
    twice: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    "kill-in": { type: "string" },
    "crash-at": { type: "string" },
    regime: { type: "string" },
    /** Processes. */
    jobs: { type: "string", default: "1" },
    report: { type: "string" },
    mutations: { type: "boolean", default: false },
    /** Seeds at which the search for a mistake begins. */
    starts: { type: "string", default: "1" },
    /** Part of the names of the mistakes that are looked for. */
    only: { type: "string", default: "" },
  },
});
/** So many at a time, so that a campaign that is stopped has most of what it has done. */
const seedsPerOrder = 5;
const { "kill-in": killIn, "crash-at": crashAt } = values;
const known = [...regimes, "cluster"] as const;
const regime = known.find((one) => one === values.regime);
if (values.regime !== regime) throw new Error(`regimes are ${known.join(", ")}`);
const [seeds, jobs] = [Number(values.seeds), Number(values.jobs)];
const options: SeedOptions = {
  ...(killIn === undefined ? {} : { killIn }),
  ...(crashAt === undefined ? {} : { crashAt }),
  ...(regime === undefined ? {} : { regime }),
  events: Number(values.events),
  faultsMsMin: Number(values.minutes) * 60_000,
  keepTrace: values.trace ? "all" : "digest",
  runs: values.twice ? "twice" : "once",
};

process.exitCode = (await (values.mutations ? findMutations() : run())) ? 0 : 1;

async function run(): Promise<boolean> {
  const of = { code: await codeHash(), command: commandOf() };
  const report = values.report === undefined ? undefined : new Report(values.report);
  const from = Number(values.from ?? report?.nextSeed(of) ?? 1);
  let all = noOutcome;
  const add = (order: Order, outcome: Outcome): void => {
    all = added(all, outcome);
    for (const { kind, regime: of, seed, what } of outcome.findings) {
      console.log(`seed ${seed} (${of ?? "by the seed"}): ${kind}: ${what}`);
    }
    if (report === undefined || order.kind !== "seeds") return;
    report.add(of, order.range, outcome);
    report.save();
    writeFileSync(pageOf(values.report ?? ""), report.page(expectedOf));
  };
  const orders = ordersOf(from);
  if (jobs > 1) {
    await carryOut(orders, jobs, (order, answer) => {
      if (answer.kind === "seeds") add(order, answer.outcome);
    });
  } else {
    const print = (lines: readonly string[]): void => void process.stdout.write(lines.join(""));
    for (const order of orders) add(order, await runSeeds(order.range, options, print));
  }
  return isWell(from, all);
}

function ordersOf(from: number): readonly (Order & { readonly kind: "seeds" })[] {
  const count = Math.ceil(seeds / seedsPerOrder);
  return Array.from({ length: count }, (_, at) => {
    const done = at * seedsPerOrder;
    const range = { from: from + done, seeds: Math.min(seedsPerOrder, seeds - done) };
    return { kind: "seeds", range, options };
  });
}

/** Prints all of it. */
function isWell(from: number, all: Outcome): boolean {
  console.log(
    `${all.seeds} seeds from ${from}: ${all.events} events, ${all.operations} operations ` +
      `(${all.acknowledged} sends acknowledged), ${all.starts} starts of brokers, ` +
      `${all.checkpoints} checkpoints, ${Math.round(all.virtualMs / 1000)} s of virtual time`,
  );
  const table = tableOf(all.hits);
  for (const { fault, step, hits } of table.rows()) {
    console.log(`${fault.padEnd(20)} ${step.padEnd(28)} ${hits}`);
  }
  const missing = missingHits(table, expectedOf(commandOf()).hits);
  for (const { fault, step } of missing) console.log(`never hit: ${fault} in ${step}`);
  console.log(`${all.findings.length} anomalies`);
  return all.findings.length + missing.length === 0;
}

function expectedOf(command: string): ExpectedHits {
  return command.includes("--regime cluster") ? clusterHits : aloneHits;
}

function pageOf(path: string): string {
  return path.replace(/\.json$/u, ".md");
}

function commandOf(): string {
  const focus = [
    ...(regime === undefined ? [] : [`--regime ${regime}`]),
    `--events ${values.events} --minutes ${values.minutes}`,
    ...(killIn === undefined ? [] : [`--kill-in "${killIn}"`]),
    ...(crashAt === undefined ? [] : [`--crash-at "${crashAt}"`]),
    ...(values.twice ? ["--twice"] : []),
  ];
  return `npm run simulate -- ${focus.join(" ")}`;
}

/** Whether each mistake is found within its number of seeds, wherever the search begins. */
async function findMutations(): Promise<boolean> {
  const wanted = allMutations.filter(({ name }) => name.includes(values.only));
  const starts = values.starts.split(",").map(Number);
  const orders = wanted.flatMap(({ name }) => {
    return starts.map((from) => ({ kind: "mutation", name, from }) as const);
  });
  let isAll = orders.length > 0;
  await carryOut(orders, jobs, (order, answer) => {
    if (order.kind !== "mutation" || answer.kind !== "mutation") return;
    const { seed } = answer;
    isAll &&= seed !== undefined;
    const seedsMax = wanted.find(({ name }) => name === order.name)?.seedsMax ?? 0;
    const within = `from ${order.from}, within ${seedsMax}`;
    console.log(`${seed === undefined ? "NOT FOUND" : `seed ${seed}`} (${within}): ${order.name}`);
  });
  return isAll;
}
