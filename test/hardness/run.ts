/**
 * `npm run hardness`: attacks on a real broker, one after another, while clients that behave well
 * are served beside them; prints a table, and ends with the counts.
 *
 *     node test/hardness/run.ts [--only "frame;Fetch of"] [--no-client]
 *
 * An attack fails when the broker answers something else than it has to, when it writes more than
 * its share of log lines, when a neighbour sees an error, loses a record or waits too long, and when
 * memory or descriptors exceed the attack's stated bound. At the end, memory, descriptors and
 * connections have to be back near where they began.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PROGRAMS } from "../compat/programs.ts";
import { mebibytes } from "./attack.ts";
import { allAttacks } from "./attacks/all.ts";
import { type ClientReport, type ProberReport, startNeighbours } from "./neighbours.ts";
import { clientProblems, mib, type Observed, observe, type Scene } from "./observe.ts";
import { pause, startSubject, type Subject } from "./subject.ts";

const { values: flags } = parseArgs({
  options: { only: { type: "string" }, client: { type: "boolean", default: true } },
  allowNegative: true,
});

/** How long the neighbours are watched before the first attack. */
const quietMs = 3_000;
const recoveryMsMax = 30_000;
/** What is in use goes back, but for pools of a known size (32 MiB) and what was just cached. */
const usedLeftOverBytesMax = mebibytes(64);
/** What V8 and malloc keep of the most that there was: they give pages back late, or not at all. */
const leftOverBytesMax = mebibytes(448);

function waitText(report: ProberReport | undefined, client: ClientReport | undefined): string {
  const of = ({ p99, max }: { readonly p99: number; readonly max: number }): string =>
    `${p99.toFixed(1)} / ${max.toFixed(0)}`;
  const served = report === undefined ? "-" : report.served.max.toFixed(0);
  return `${report === undefined ? "-" : of(report.round)} | ${served} | ${client === undefined ? "-" : of(client.waits)}`;
}

function print(name: string, seen: Omit<Observed, "startBytes">): void {
  const cells = [
    name,
    seen.answer,
    waitText(seen.prober, seen.client),
    mib(seen.peakBytes),
    String(seen.descriptors),
    String(seen.logLines),
    (seen.ms / 1000).toFixed(1),
  ];
  console.log(`| ${cells.join(" | ")} |`);
  for (const problem of seen.problems) console.log(`  FAILED ${name}: ${problem}`);
}

async function quiet({ subject, neighbours }: Scene): Promise<void> {
  await pause(1_000);
  await neighbours.report();
  await pause(quietMs);
  const seen = await neighbours.report();
  print("(none)", {
    ...seen,
    answer: "",
    problems: [],
    ms: quietMs,
    peakBytes: subject.peakBytes(),
    descriptors: subject.descriptors(),
    logLines: 0,
  });
}

/** Memory, descriptors and connections go back to near what they were. */
async function recovered(subject: Subject, before: Holding): Promise<readonly string[]> {
  const startedAt = performance.now();
  let problems: readonly string[] = [];
  let now = before;
  do {
    now = await holding(subject);
    problems = leftOver(before, now);
  } while (problems.length > 0 && performance.now() - startedAt < recoveryMsMax);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const change = (of: (held: Holding) => string): string =>
    `${of(now)} (${of(before)} at the start)`;
  console.log(
    `after ${seconds} s: ${change(({ usedBytes }) => mib(usedBytes))} MiB used, ` +
      `${change(({ residentBytes }) => mib(residentBytes))} MiB resident, ` +
      `${change(({ descriptors }) => String(descriptors))} descriptors`,
  );
  return problems;
}

interface Holding {
  /** The heap's objects, and the buffers outside of it. */
  readonly usedBytes: number;
  readonly residentBytes: number;
  readonly descriptors: number;
  readonly connections: number;
}

async function holding(subject: Subject): Promise<Holding> {
  subject.collectGarbage();
  // Threads give back what was collected.
  await pause(500);
  const heapBytes = await subject.metric("nodejs_heap_size_used_bytes");
  const outsideBytes = await subject.metric("nodejs_external_memory_bytes");
  return {
    usedBytes: heapBytes + outsideBytes,
    residentBytes: subject.residentBytes(),
    descriptors: subject.descriptors(),
    connections: await subject.metric("millrace_connections"),
  };
}

function leftOver(before: Holding, now: Holding): readonly string[] {
  const problems: string[] = [];
  const usedBytes = now.usedBytes - before.usedBytes;
  if (usedBytes > usedLeftOverBytesMax) problems.push(`${mib(usedBytes)} MiB more used`);
  const residentBytes = now.residentBytes - before.residentBytes;
  if (residentBytes > leftOverBytesMax) problems.push(`${mib(residentBytes)} MiB more resident`);
  const descriptors = now.descriptors - before.descriptors;
  // Of partitions that attacks wrote to.
  if (descriptors > 50) problems.push(`${descriptors} more descriptors`);
  if (now.connections > before.connections) problems.push(`${now.connections} connections open`);
  return problems;
}

async function perform(subject: Subject, python: string | undefined): Promise<readonly boolean[]> {
  const neighbours = await startNeighbours(subject, python);
  const scene = { subject, neighbours };
  console.log(
    "| attack | answer | prober p99 / max ms | without starvation, max ms | client p99 / max ms | peak MiB | fds | log lines | s |",
  );
  await quiet(scene);
  const before = await holding(subject);
  const only = flags.only?.split(";");
  const verdicts: boolean[] = [];
  for (const attack of allAttacks) {
    if (only !== undefined && !only.some((part) => attack.name.includes(part))) continue;
    const seen = await observe(scene, attack);
    print(attack.name, seen);
    verdicts.push(seen.problems.length === 0);
    if (subject.ended()) return verdicts;
  }
  const problems = [...(await recovered(subject, before))];
  const sum = await neighbours.stop();
  problems.push(...clientProblems(sum));
  if (sum !== undefined && sum.sent !== sum.received) {
    problems.push(`librdkafka sent ${sum.sent} records and received ${sum.received}`);
  }
  for (const problem of problems) console.log(`  FAILED afterwards: ${problem}`);
  return [...verdicts, problems.length === 0];
}

const librdkafka = PROGRAMS.find(({ name }) => name === "python");
if (librdkafka === undefined) throw new Error("the compat lane has no Python client any more");
const python = flags.client
  ? (await librdkafka.install(join(import.meta.dirname, "../../.cache/compat"))).file
  : undefined;
const subject = await startSubject();
let verdicts: readonly boolean[] = [];
try {
  verdicts = await perform(subject, python);
} catch (error) {
  verdicts = [...verdicts, false];
  console.log(
    `  FAILED: ${String(error)}; the broker's log ends: ${subject.output().slice(-1_500)}`,
  );
} finally {
  const { exitCode, ms } = await subject.stop();
  console.log(`the broker ended with ${exitCode} in ${ms.toFixed(0)} ms`);
  verdicts = [...verdicts, exitCode === 0];
}
const passed = verdicts.filter(Boolean).length;
console.log(`${passed} passed, ${verdicts.length - passed} failed`);
process.exitCode = passed === verdicts.length ? 0 : 1;
