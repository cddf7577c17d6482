/**
 * The faults lane: brokers as processes that are killed, paused and stopped under clients whose
 * history is checked, while a probe measures how long partitions can't be written to.
 *
 *     npm run cluster:faults -- [--kind kill,pause,stop,move,host] [--times 50] [--brokers 3]
 *       [--partitions 6] [--report docs/cluster.md] [--keep DIR] [--bundles DIR]
 *
 * --keep leaves logs and data there; --bundles takes what an earlier run bundled there. Without --kind: a short form of all (3 kills, 2 pauses, 2 graceful stops, the host once).
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PROGRAMS } from "../compat/programs.ts";
import { withClient } from "../fixtures/wire-client.ts";
import { carryOut, type FaultKind, faultKinds, type Outage } from "./faults.ts";
import { HistoryLoad, type HistoryClient, librdkafka } from "./history-load.ts";
import { ProbeProcess } from "./probe-process.ts";
import { distributions, reportLines } from "./report.ts";
import { bundledLaunch, Rig } from "./rig.ts";

const root = join(import.meta.dirname, "../..");
const createTopics = 19;
const probeTopic = "probed";
const probeIntervalMs = 10;
const recordsPerSecond = 300;
const shortForm: readonly FaultKind[] = [
  ...(["kill", "stop", "kill", "pause", "host", "kill", "stop", "pause"] as const),
];

const { values: flags } = parseArgs({
  options: {
    kind: { type: "string" },
    times: { type: "string", default: "50" },
    brokers: { type: "string", default: "3" },
    partitions: { type: "string", default: "6" },
    report: { type: "string" },
    keep: { type: "string" },
    bundles: { type: "string" },
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

async function createTopic(port: number, partitions: number): Promise<void> {
  const topic = { name: probeTopic, numPartitions: partitions, replicationFactor: 3 };
  const { topics } = await withClient(port, (client) =>
    client.ask(createTopics, 7, { topics: [{ ...topic, assignments: [], configs: [] }] }),
  );
  if (topics[0]?.errorCode !== 0) throw new Error(`${probeTopic}: error ${topics[0]?.errorCode}`);
}

async function main(): Promise<boolean> {
  const program = PROGRAMS.find(({ name }) => name === "python");
  if (program === undefined) throw new Error("the compat lane has no Python client any more");
  const { file: python } = await program.install(join(root, ".cache/compat"));
  const clients: readonly HistoryClient[] = [librdkafka(python)];
  const folder = flags.keep ?? mkdtempSync(join(tmpdir(), "millrace-cluster-"));
  mkdirSync(folder, { recursive: true });
  const brokers = Number(flags.brokers);
  const rig = await Rig.start({
    ...{ folder, brokers },
    launch: await bundledLaunch(flags.bundles ?? join(folder, "bundles")),
    settings: ["group.initial.rebalance.delay.ms=0"],
  });
  onEnd = () => rig.processes.killAll();
  try {
    return await underFaults(rig, { clients, python, brokers });
  } catch (error) {
    console.log(rig.logs());
    throw error;
  } finally {
    await rig.end();
    if (flags.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
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
  await createTopic(rig.processes.portOf(1), partitions);
  const options = { ports, topic: probeTopic, partitions, intervalMs: probeIntervalMs };
  const probe = new ProbeProcess(options);
  const loads = at.clients.map((client) => {
    const topic = `history-${client.name}`;
    const group = `${topic}-readers`;
    return new HistoryLoad(client, { bootstrap, topic, partitions: 6, group, recordsPerSecond });
  });
  const outages: Outage[] = [];
  try {
    const site = { rig, probe, brokers: at.brokers };
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
    console.log(reportLines(rows).join("\n"));
    return isGood;
  } finally {
    for (const load of loads) load.kill();
    await probe.end();
  }
}

function worst(outages: readonly Outage[]): string {
  return distributions(outages)
    .map(({ of, maxMs }) => `${of} ${Math.round(maxMs)} ms`)
    .join(", ");
}

let onEnd = (): void => undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    onEnd();
    process.exit(130);
  });
}

const isGood = await main();
console.log(isGood ? "1 passed, 0 failed" : "0 passed, 1 failed");
process.exitCode = isGood ? 0 : 1;
