/**
 * The faults lane: brokers as processes that are killed, paused and stopped under clients whose
 * history is checked, while a probe measures how long partitions can't be written to.
 *
 *     npm run cluster:faults -- [--kind kill,pause,stop,move,host] [--times 50] [--brokers 3]
 *       [--partitions 6] [--idle 0] [--stores local|aws] [--clients librdkafka,java] [--report FILE]
 *       [--keep DIR] [--bundles DIR]
 *
 * Without --kind: a short form of all (3 kills, 2 pauses, 2 graceful stops, the host once). --stores
 * aws: over moto and DynamoDB Local. --report appends the table to FILE; --keep leaves logs and data
 * in DIR; --idle adds a topic of so many partitions that nobody uses; --bundles takes what an
 * earlier run bundled there, or leaves it there.
 */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { PROGRAMS } from "../compat/programs.ts";
import { withClient } from "../fixtures/wire-client.ts";
import { carryOut, type FaultKind, faultKinds, type Outage } from "./faults.ts";
import { HistoryLoad, type HistoryClient, javaClient, librdkafka } from "./history-load.ts";
import { ProbeProcess } from "./probe-process.ts";
import { CpuPressure } from "./cpu-pressure.ts";
import { distributions, reportLines } from "./report.ts";
import { bundledLaunch, Rig } from "./rig.ts";
import { type StandIns, startStandIns } from "./stand-ins.ts";

const root = join(import.meta.dirname, "../..");
const createTopics = 19;
const probeTopic = "probed";
const probeIntervalMs = 10;
const recordsPerSecond = 300;
const shortPausedMs = 5_000;
const longPausedMs = 10_000;
/** Clients start, a JVM among them, and take what the brokers need. */
const warmUpMs = 5_000;
const shortForm: readonly FaultKind[] = [
  ...(["kill", "stop", "kill", "pause", "host", "kill", "stop", "pause"] as const),
];

/** What a lane that is stopped must not leave behind. */
const stopped: (() => void)[] = [];

const { values: flags } = parseArgs({
  options: {
    kind: { type: "string" },
    times: { type: "string", default: "50" },
    brokers: { type: "string", default: "3" },
    partitions: { type: "string", default: "6" },
    report: { type: "string" },
    keep: { type: "string" },
    bundles: { type: "string" },
    clients: { type: "string", default: "librdkafka,java" },
    stores: { type: "string", default: "local" },
    idle: { type: "string", default: "0" },
  },
});

function plannedFaults(): readonly FaultKind[] {
  if (flags.kind === undefined) return shortForm;
  return flags.kind.split(",").flatMap((name) => {
    const kind = faultKinds.find((one) => one === name);
    if (kind === undefined) throw new Error(`${name} is none of ${faultKinds.join(", ")}`);
    return Array.from({ length: Number(flags.times) }, () => kind);
  });
}

async function createTopic(port: number, name: string, partitions: number): Promise<void> {
  const topic = { name, numPartitions: partitions, replicationFactor: 3 };
  const { topics } = await withClient(port, (client) =>
    client.ask(createTopics, 7, { topics: [{ ...topic, assignments: [], configs: [] }] }),
  );
  if (topics[0]?.errorCode !== 0) throw new Error(`${name}: error ${topics[0]?.errorCode}`);
}

async function clientsNamed(
  names: readonly string[],
  python: string,
): Promise<readonly HistoryClient[]> {
  const clients = [librdkafka(python)];
  if (names.includes("java")) clients.push(await javaClient(join(root, ".cache/compat")));
  return clients.filter(({ name }) => names.includes(name));
}

async function main(): Promise<boolean> {
  const program = PROGRAMS.find(({ name }) => name === "python");
  if (program === undefined) throw new Error("the compat lane has no Python client any more");
  const { file: python } = await program.install(join(root, ".cache/compat"));
  const clients = await clientsNamed(flags.clients.split(","), python);
  const folder = flags.keep ?? mkdtempSync(join(tmpdir(), "millrace-cluster-"));
  mkdirSync(folder, { recursive: true });
  const clean = (): void => {
    if (flags.keep === undefined) rmSync(folder, { recursive: true, force: true });
  };
  stopped.push(clean);
  const standIns = flags.stores === "aws" ? await startStandIns() : undefined;
  try {
    const rig = await startRig(folder, standIns);
    stopped.push(() => rig.processes.killAll());
    try {
      return await underFaults(rig, { clients, python, brokers: Number(flags.brokers) });
    } catch (error) {
      console.log(rig.logs());
      throw error;
    } finally {
      await rig.end();
    }
  } finally {
    await standIns?.stop();
    clean();
  }
}

async function startRig(folder: string, standIns: StandIns | undefined): Promise<Rig> {
  return Rig.start({
    ...{ folder, brokers: Number(flags.brokers) },
    launch: await bundledLaunch(flags.bundles ?? join(folder, "bundles")),
    settings: ["group.initial.rebalance.delay.ms=0"],
    ...(standIns === undefined ? {} : { stores: standIns.stores }),
  });
}

async function underFaults(
  rig: Rig,
  at: {
    readonly clients: readonly HistoryClient[];
    readonly python: string;
    readonly brokers: number;
  },
): Promise<boolean> {
  const partitions = Number(flags.partitions);
  const { bootstrap, ports } = rig;
  const [port, idle] = [rig.processes.portOf(1), Number(flags.idle)];
  await createTopic(port, probeTopic, partitions);
  if (idle > 0) await createTopic(port, "idle", idle);
  const options = { ports, topic: probeTopic, partitions, intervalMs: probeIntervalMs };
  const probe = new ProbeProcess(options);
  const loads = at.clients.map((client) => {
    const topic = `history-${client.name}`;
    const group = `${topic}-readers`;
    const folder = rig.processes.paths.directory;
    const target = { bootstrap, topic, partitions: 6, group, recordsPerSecond, folder };
    return new HistoryLoad(client, target);
  });
  stopped.push(() => probe.kill(), ...loads.map((load) => () => load.kill()));
  const outages: Outage[] = [];
  const pressure = new CpuPressure();
  try {
    const pausedMs = flags.kind === undefined ? shortPausedMs : longPausedMs;
    const site = { rig, probe, brokers: at.brokers, pausedMs };
    await sleep(warmUpMs);
    for (const [fault, kind] of plannedFaults().entries()) {
      const found = await carryOut(site, kind, fault);
      outages.push(...found);
      console.log(`${new Date().toISOString()} ${fault + 1}. ${kind}: ${worst(found)}`);
    }
    await probe.end();
    let isGood = true;
    for (const load of loads) {
      const verdict = await load.judge(at.python);
      const { anomalies, acknowledged, polled, commits } = verdict;
      console.log(
        `${load.name}: ${acknowledged} acknowledged, ${polled} polled, ${commits} commits, ${anomalies.length} anomalies`,
      );
      for (const { rule, detail } of anomalies.slice(0, 20)) console.log(`  ${rule}: ${detail}`);
      if (anomalies.length > 0 || acknowledged === 0 || polled === 0) isGood = false;
    }
    const rows = distributions(outages);
    const starved = pressure.read();
    const lines = [...reportLines(rows), ...(starved === undefined ? [] : ["", starved])].join(
      "\n",
    );
    console.log(lines);
    if (flags.report !== undefined) appendFileSync(flags.report, `\n${lines}\n`);
    return isGood;
  } finally {
    for (const load of loads) load.kill();
    await probe.end();
  }
}

function worst(outages: readonly Outage[]): string {
  const worstOf = new Map<string, Outage>();
  for (const outage of outages) {
    const before = worstOf.get(outage.of);
    if (before === undefined || before.gapMs < outage.gapMs) worstOf.set(outage.of, outage);
  }
  return [...worstOf.values()]
    .map(({ atMs, gapMs, of }) => `${of} ${gapMs.toFixed(0)} ms (at ${atMs.toFixed(0)})`)
    .join(", ");
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    for (const end of stopped.toReversed()) end();
    process.exit(130);
  });
}

const isGood = await main();
console.log(isGood ? "1 passed, 0 failed" : "0 passed, 1 failed");
process.exitCode = isGood ? 0 : 1;
