/**
 * The soak: a broker process under mixed load with clients coming and going, watched for anything
 * that grows: memory, descriptors, timers, files.
 *
 *     npm run soak -- [--minutes 30] [--seed 1] [--policy local|journal|both] [--write-docs]
 *
 * Ends with an error when a series grows (see judge.ts), when something is left after all clients
 * are gone, or when an acknowledged record was not read. `both` is the default: the topics' policies
 * take turns.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SeededRandom } from "@millrace/adapter-memory";
import { buildBatch, crc32c } from "@millrace/wire";
import { readMachine } from "../bench/machine.ts";
import { appendToEach, createTopic, deleteTopic } from "../bench/topics.ts";
import { killEverythingStarted, type Server, startServer } from "../compat/processes.ts";
import { PROGRAMS } from "../compat/programs.ts";
import { waitUntilReady } from "../compat/raw-client.ts";
import { freePort } from "../compat/targets.ts";
import { withClient } from "../fixtures/wire-client.ts";
import { pause, startChurn } from "./churn.ts";
import { leftovers } from "./leftovers.ts";
import { type LifeCounts, live } from "./life.ts";
import { growing, type Outcome, renderSoak, type TimedSample } from "./report.ts";
import { seriesNames, takeSample, type Watched } from "./sample.ts";

const root = join(import.meta.dirname, "../..");
const readyMsMax = 30_000;
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
    minutes: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
    policy: { type: "string", default: "both" },
    "write-docs": { type: "boolean", default: false },
  },
});
const minutes = Number(flags.minutes);
if (!(minutes >= 2)) throw new Error("--minutes wants 2 or more");
const policies = (["local", "journal"] as const).filter(
  (policy) => flags.policy === policy || flags.policy === "both",
);
if (policies.length === 0) throw new Error("--policy wants local, journal or both");

interface Soak extends Watched {
  readonly python: string;
  readonly port: number;
  readonly broker: Server;
  readonly violations: string[];
  topic: string;
}

async function startBroker(folder: string, python: string): Promise<Soak> {
  const [port, httpPort] = [await freePort(), await freePort()];
  const dataDirectory = join(folder, "data");
  // Groups that nobody is in are removed within the run, not after ten minutes.
  const settings = [
    "group.initial.rebalance.delay.ms=0",
    "offsets.retention.check.interval.ms=30000",
  ];
  const broker = startServer(
    {
      file: process.execPath,
      args: [
        join(root, "tools/start.mjs"),
        ...["--data", dataDirectory, "--port", String(port), "--http-port", String(httpPort)],
        ...settings.flatMap((setting) => ["--set", setting]),
      ],
      cwd: root,
    },
    join(folder, "broker.log"),
  );
  await waitUntilReady(port, { timeoutMs: readyMsMax, ended: broker.ended });
  const { pid } = broker;
  return { pid, port, httpPort, dataDirectory, python, broker, violations: [], topic: "none" };
}

/** Samples until it is stopped, and says a line a minute. */
function startSampling(soak: Soak, samples: TimedSample[]): () => Promise<void> {
  const stopping = { now: false };
  const startedAt = performance.now();
  const sampling = (async () => {
    for (let due = startedAt; !stopping.now; due += sampleMs) {
      await pause(Math.max(0, due - performance.now()));
      const seconds = (performance.now() - startedAt) / 1000;
      const sample = await takeSample(soak);
      samples.push({ seconds, sample });
      if (samples.length % 12 !== 1) continue;
      const shown = seriesNames.map((name) => `${name} ${sample[name].toFixed(0)}`);
      console.log(`${(seconds / 60).toFixed(1)} min: ${shown.join(", ")}`);
    }
  })();
  sampling.catch((error: unknown) => soak.violations.push(`sampling: ${String(error)}`));
  return async () => {
    stopping.now = true;
    // Its failure was noted above.
    await Promise.allSettled([sampling]);
  };
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
  const samples: TimedSample[] = [];
  const { port, httpPort } = soak;
  const failed = (reason: string): void => {
    soak.violations.push(reason);
    console.log(`  ${reason}`);
  };
  const topic = (): string => soak.topic;
  const churn = startChurn({ port, httpPort, random: new SeededRandom(7), topic, failed });
  const stopSampling = startSampling(soak, samples);
  const lives = await loadFor(soak, random);
  await churn.stop();
  await stopSampling();
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
    samples,
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
async function settled(soak: Soak, before: TimedSample["sample"]): Promise<TimedSample["sample"]> {
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
    const soak = await startBroker(folder, python.file);
    const measured = await soakBroker(soak);
    const outcome = { ...measured, violations: [...measured.violations, ...growing(measured)] };
    console.log(renderSoak(outcome));
    mkdirSync(join(root, ".cache/soak"), { recursive: true });
    writeFileSync(join(root, ".cache/soak/last.json"), JSON.stringify(outcome));
    if (flags["write-docs"]) writeFileSync(join(root, "docs/soak.md"), renderSoak(outcome));
    return outcome.violations.length === 0;
  } finally {
    killEverythingStarted();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = (await run()) ? 0 : 1;
