/**
 * The soak: a broker process under mixed load with clients coming and going, watched for anything
 * that grows: memory, descriptors, timers, files.
 *
 *     npm run soak -- [--minutes 30] [--seed 1] [--policy local|journal|both] [--write-docs]
 *     npm run soak -- --tiers [--minutes 20] [--store files|s3] [--rate 20] [--partitions 1000]
 *                     [--seed 1] [--write-docs]
 *
 * Ends with an error when a series grows (see judge.ts), when something is left after all clients
 * are gone, or when an acknowledged record was not read. `both` is the default: the topics' policies
 * take turns. With `--tiers` it is another load (see tier-report.ts): `--rate` MB a second into
 * topics with retention and an object store; `--store s3` means moto, and 5 minutes at 4 MB a second
 * into 100 partitions unless told otherwise.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SeededRandom } from "@millrace/adapter-memory";
import { buildBatch, crc32c } from "@millrace/wire";
import { readMachine } from "../bench/machine.ts";
import { appendToEach, createTopic, deleteTopic } from "../bench/topics.ts";
import { killEverythingStarted } from "../compat/processes.ts";
import { PROGRAMS } from "../compat/programs.ts";
import { withClient } from "../fixtures/wire-client.ts";
import { pause, startChurn } from "./churn.ts";
import { leftovers } from "./leftovers.ts";
import { type LifeCounts, live } from "./life.ts";
import { growing, type Outcome, renderSoak } from "./report.ts";
import { type Sample, seriesNames, takeSample } from "./sample.ts";
import { startSampling } from "./sampling.ts";
import { type SectionName, withSection } from "./sections.ts";
import { startSubject, type Subject } from "./subject.ts";
import { renderTierSoak } from "./tier-report.ts";
import type { StoreKind } from "./tier-plan.ts";
import { soakTiers } from "./tier-run.ts";

const root = join(import.meta.dirname, "../..");
const sampleMs = 5_000;
const lifeSeconds = 45;
const bytesPerSecond = 6e6;
const settleMsMax = 240_000;
/**
 * Of the run, its first half: V8's room for young objects grows in doublings, pools of buffers and
 * caches fill up to their limits. By half-time memory has to have settled.
 */
const warmUpShare = 0.5;

const { values: flags } = parseArgs({
  options: {
    minutes: { type: "string" },
    tiers: { type: "boolean", default: false },
    store: { type: "string", default: "files" },
    rate: { type: "string" },
    partitions: { type: "string" },
    seed: { type: "string", default: "1" },
    policy: { type: "string", default: "both" },
    "write-docs": { type: "boolean", default: false },
  },
});
const objectStore = readStore(flags.store);
const defaults = !flags.tiers
  ? { minutes: 30, rate: 0, partitions: 0 }
  : objectStore === "files"
    ? { minutes: 20, rate: 20, partitions: 1_000 }
    : { minutes: 5, rate: 4, partitions: 100 };
const minutes = Number(flags.minutes ?? defaults.minutes);
const minutesMin = flags.tiers ? 1 : 2;
if (!(minutes >= minutesMin)) throw new Error(`--minutes wants ${minutesMin} or more`);
const policies = (["local", "journal"] as const).filter(
  (policy) => flags.policy === policy || flags.policy === "both",
);
if (policies.length === 0) throw new Error("--policy wants local, journal or both");

function readStore(text: string): StoreKind {
  if (text === "files" || text === "s3") return text;
  throw new Error("--store wants files or s3");
}

interface Soak extends Subject {
  readonly python: string;
  readonly violations: string[];
  topic: string;
}

async function startBroker(folder: string, python: string): Promise<Soak> {
  // Groups that nobody is in are removed within the run, not after ten minutes.
  const settings = [
    "group.initial.rebalance.delay.ms=0",
    "offsets.retention.check.interval.ms=30000",
  ];
  const subject = await startSubject(folder, settings);
  return { ...subject, python, violations: [], topic: "none" };
}

async function loadFor(soak: Soak, random: SeededRandom): Promise<readonly LifeCounts[]> {
  const lives: LifeCounts[] = [];
  const deadline = performance.now() + minutes * 60_000;
  for (let index = 0; performance.now() < deadline; index += 1) {
    if (soak.broker.ended()) throw new Error(`the broker ended: ${soak.broker.outputTail()}`);
    const policy = policies[index % policies.length] ?? "local";
    const topic = `soak-${index}-${policy}`;
    soak.topic = topic;
    const { python, port } = soak;
    const size = { bytesPerSecond, seconds: lifeSeconds };
    const counts = await live({ topic, python, port, policy, random, ...size });
    lives.push(counts);
    soak.violations.push(...counts.violations);
    for (const violation of counts.violations) console.log(`  ${violation}`);
  }
  return lives;
}

/** Each slot gets its one item with its first use: after this, metadata has no reason to grow. */
async function touchEverySlot(soak: Soak): Promise<void> {
  const shape = { topic: "wide", partitionCount: 1_024 };
  const batch = buildBatch([{ key: null, value: new Uint8Array(100) }], { crc32c });
  await withClient(soak.port, async (client) => {
    await createTopic(client, shape);
    await appendToEach(client, shape, batch);
    await deleteTopic(client, shape.topic);
  });
}

async function soakBroker(soak: Soak): Promise<Outcome> {
  const random = new SeededRandom(Number(flags.seed));
  const before = await takeSample(soak);
  await touchEverySlot(soak);
  const { port, httpPort } = soak;
  const failed = (reason: string): void => {
    soak.violations.push(reason);
    console.log(`  ${reason}`);
  };
  const topic = (): string => soak.topic;
  const churn = startChurn({ port, httpPort, random: new SeededRandom(7), topic, failed });
  const sampling = startSampling<Sample>({
    everyMs: sampleMs,
    take: () => takeSample(soak),
    shown: (sample) => seriesNames.map((name) => `${name} ${sample[name].toFixed(0)}`).join(", "),
    failed: (reason) => soak.violations.push(reason),
  });
  const lives = await loadFor(soak, random);
  await churn.stop();
  await sampling.stop();
  const after = await settled(soak, before);
  const total = (name: Exclude<keyof LifeCounts, "violations">): number =>
    lives.reduce((sum, counts) => sum + counts[name], 0);
  const machine = await readMachine();
  return {
    command: `npm run soak -- --minutes ${minutes} --policy ${flags.policy} --seed ${flags.seed} --write-docs`,
    date: new Date().toISOString().slice(0, 10),
    machine: `${machine.cores} cores, ${machine.kernel}, Node ${machine.node}`,
    minutes,
    warmUpSeconds: minutes * 60 * warmUpShare,
    samples: sampling.samples,
    before,
    after,
    happened: [
      ["topics written and read to their ends", lives.length],
      ["records acknowledged", total("acknowledged")],
      ["records stored, those of killed producers included", total("stored")],
      ["members that joined the topics' groups", total("joins")],
      ["members that left", total("leaves")],
      ["members that were killed", total("kills")],
      ...churn.counts,
    ],
    violations: soak.violations,
  };
}

/** Waits for what was used to come back; gives the last sample in any case. */
async function settled(soak: Soak, before: Sample): Promise<Sample> {
  const deadline = performance.now() + settleMsMax;
  for (;;) {
    const sample = await takeSample(soak);
    const left = leftovers(before, sample);
    if (left.length === 0) return sample;
    if (performance.now() > deadline) {
      soak.violations.push(...left);
      return sample;
    }
    await pause(sampleMs);
  }
}

interface Report {
  readonly section: SectionName;
  readonly text: string;
  readonly outcome: { readonly violations: readonly string[] };
}

async function mixedReport(folder: string, python: string): Promise<Report> {
  const measured = await soakBroker(await startBroker(folder, python));
  const outcome = { ...measured, violations: [...measured.violations, ...growing(measured)] };
  return { section: "mixed", text: renderSoak(outcome), outcome };
}

async function tiersReport(folder: string, python: string): Promise<Report> {
  const megabytesPerSecond = Number(flags.rate ?? defaults.rate);
  const partitions = Number(flags.partitions ?? defaults.partitions);
  if (!(megabytesPerSecond > 0)) throw new Error("--rate wants MB a second");
  if (!(partitions >= 10)) throw new Error("--partitions wants 10 or more");
  const size = `--minutes ${minutes} --rate ${megabytesPerSecond} --partitions ${partitions}`;
  const outcome = await soakTiers({
    ...{ store: objectStore, minutes, megabytesPerSecond, partitions, python, folder },
    seed: Number(flags.seed),
    command: `npm run soak -- --tiers --store ${objectStore} ${size} --seed ${flags.seed} --write-docs`,
  });
  return { section: `tiers-${outcome.store}`, text: renderTierSoak(outcome), outcome };
}

async function run(): Promise<boolean> {
  const librdkafka = PROGRAMS.find((program) => program.name === "python");
  if (librdkafka === undefined) throw new Error("the compat lane has no Python client any more");
  const python = await librdkafka.install(join(root, ".cache/compat"));
  const folder = mkdtempSync(join(tmpdir(), "millrace-soak-"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      killEverythingStarted();
      rmSync(folder, { recursive: true, force: true });
      process.exit(130);
    });
  }
  try {
    const report = flags.tiers ? tiersReport : mixedReport;
    const { outcome, section, text } = await report(folder, python.file);
    console.log(text);
    mkdirSync(join(root, ".cache/soak"), { recursive: true });
    writeFileSync(join(root, `.cache/soak/${section}.json`), JSON.stringify(outcome));
    if (flags["write-docs"]) writeSection(section, text);
    return outcome.violations.length === 0;
  } finally {
    killEverythingStarted();
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeSection(section: SectionName, text: string): void {
  const path = join(root, "docs/soak.md");
  const document = existsSync(path) ? readFileSync(path, "utf8") : "";
  writeFileSync(path, withSection(document, section, text));
}

process.exitCode = (await run()) ? 0 : 1;
