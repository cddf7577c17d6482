/**
 * The durability lane: kills the broker with SIGKILL in the middle of load from a real client
 * (librdkafka), restarts it, and checks that nothing acknowledged was lost.
 *
 *     npm run durability -- [--kills 20] [--only local,journal,…] [--seed 1]
 *
 * The `lost-syncs` scenarios also take away, after each kill, what no fdatasync had covered.
 * `journal` survives that; `local` does not promise to, and has to be seen losing: the lane bites.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SeededRandom } from "@millrace/adapter-memory";
import type { Random } from "@millrace/core";
import {
  killEverythingStarted,
  runOrThrow,
  type Server,
  startServer,
} from "../compat/processes.ts";
import { PROGRAMS } from "../compat/programs.ts";
import { waitUntilReady } from "../compat/raw-client.ts";
import { freePort } from "../compat/targets.ts";
import { type Anomaly, checkHistory } from "./check-history.ts";
import { type Damage, loseUnsynced, readSyncLog } from "./lose-syncs.ts";

interface Scenario {
  readonly name: string;
  readonly settings: readonly string[];
  readonly losesSyncs: boolean;
  /** The policy does not survive this: a lane that finds nothing lost would find nothing at all. */
  readonly mustLose?: true;
}

const scenarios: readonly Scenario[] = [
  { name: "local", settings: ["millrace.durability=local"], losesSyncs: false },
  { name: "journal", settings: ["millrace.durability=journal"], losesSyncs: false },
  { name: "journal-lost-syncs", settings: ["millrace.durability=journal"], losesSyncs: true },
  {
    name: "local-lost-syncs",
    settings: ["millrace.durability=local"],
    losesSyncs: true,
    mustLose: true,
  },
];

const root = join(import.meta.dirname, "../..");
const topic = "history";
const group = "history-readers";
const partitions = 6;
const recordsPerSecond = 3_000;
const readyMsMax = 20_000;
const upMsMin = 300;
const upMsMax = 1_500;

const { values: flags } = parseArgs({
  options: {
    kills: { type: "string", default: "20" },
    only: { type: "string", default: scenarios.map((scenario) => scenario.name).join(",") },
    seed: { type: "string", default: "1" },
  },
});

interface Rig {
  readonly scenario: Scenario;
  readonly folder: string;
  readonly port: number;
  /** The lane's choices repeat with the seed; the timing of the machine does not. */
  readonly random: Random;
}

function startBroker(rig: Rig): Server {
  // The member joins anew after every kill that meets it joining: no waiting for others then.
  const settings = [...rig.scenario.settings, "group.initial.rebalance.delay.ms=0"];
  return startServer(
    {
      file: process.execPath,
      args: [
        join(root, "tools/start.mjs"),
        ...["--data", join(rig.folder, "data"), "--port", String(rig.port), "--http-port", "off"],
        ...settings.flatMap((setting) => ["--set", setting]),
      ],
      cwd: root,
      env: rig.scenario.losesSyncs
        ? { MILLRACE_TEST_SYNC_LOG: join(rig.folder, "synced.jsonl") }
        : {},
    },
    join(rig.folder, "broker.log"),
  );
}

async function ready(rig: Rig, broker: Server): Promise<number> {
  const started = performance.now();
  try {
    await waitUntilReady(rig.port, { timeoutMs: readyMsMax, ended: broker.ended });
  } catch (error) {
    throw new Error(`the broker did not come back:\n${broker.outputTail()}`, { cause: error });
  }
  return performance.now() - started;
}

interface Kills {
  readonly restartsMs: readonly number[];
  readonly damages: readonly Damage[];
}

async function killAgainAndAgain(rig: Rig, first: Server, kills: number): Promise<Kills> {
  const restartsMs: number[] = [];
  const damages: Damage[] = [];
  let broker = first;
  for (let kill = 0; kill < kills; kill += 1) {
    await pause(upMsMin + rig.random.below(upMsMax - upMsMin));
    process.kill(broker.pid, "SIGKILL");
    while (!broker.ended()) await pause(5);
    if (rig.scenario.losesSyncs) {
      const data = join(rig.folder, "data");
      const synced = readSyncLog(join(rig.folder, "synced.jsonl"));
      damages.push(...loseUnsynced(data, synced, rig.random));
    }
    broker = startBroker(rig);
    restartsMs.push(await ready(rig, broker));
  }
  return { restartsMs, damages };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Load {
  readonly child: ChildProcessWithoutNullStreams;
  /** It tells of something: a kill before would take nothing. */
  readonly begun: Promise<void>;
  readonly lines: Promise<readonly string[]>;
}

function startLoad(python: string, rig: Rig): Load {
  const child = spawn(python, [
    ...["-B", join(import.meta.dirname, "load.py"), `127.0.0.1:${rig.port}`],
    ...[topic, String(partitions), group, String(recordsPerSecond)],
  ]);
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const begun = new Promise<void>((resolve) => {
    child.stdout.once("data", () => resolve());
    child.once("close", () => resolve());
  });
  child.stderr.pipe(process.stderr);
  const lines = new Promise<readonly string[]>((resolve) => {
    child.on("close", () => resolve(splitLines(Buffer.concat(chunks).toString())));
  });
  return { child, begun, lines };
}

function isLoss({ rule }: Anomaly): boolean {
  return rule === "lost write" || rule === "inconsistent offsets";
}

function splitLines(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "");
}

async function runScenario(scenario: Scenario, python: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-durability-"));
  const rig = {
    scenario,
    folder,
    port: await freePort(),
    random: new SeededRandom(Number(flags.seed)),
  };
  const kills = scenario.mustLose === true ? 3 : Number(flags.kills);
  try {
    const broker = startBroker(rig);
    await ready(rig, broker);
    const load = startLoad(python, rig);
    await load.begun;
    const { restartsMs, damages } = await killAgainAndAgain(rig, broker, kills);
    load.child.stdin.end();
    const history = await load.lines;
    const drained = await runOrThrow(
      {
        file: python,
        args: [
          ...["-B", join(import.meta.dirname, "drain.py"), `127.0.0.1:${rig.port}`],
          ...[topic, String(partitions), group],
        ],
        cwd: root,
      },
      120_000,
    );
    const verdict = checkHistory(history, splitLines(drained));
    const slowest = Math.max(...restartsMs).toFixed(0);
    const lost = damages.reduce((sum, damage) => sum + damage.lostBytes, 0);
    const happened = verdict.acknowledged > kills * 50 && verdict.commits > kills;
    const enough = happened && (lost > 0 || !scenario.losesSyncs);
    console.log(
      `${scenario.name}: ${kills} kills, ${verdict.acknowledged} acknowledged, ${verdict.stored} stored, ` +
        `${verdict.commits} commits, slowest restart ${slowest} ms, ` +
        (scenario.losesSyncs ? `${lost} unsynced bytes of ${damages.length} files lost, ` : "") +
        `${verdict.anomalies.length} anomalies` +
        (enough ? "" : " (too little happened to say anything)"),
    );
    if (scenario.mustLose === true) return verdict.anomalies.some(isLoss);
    for (const { rule, detail } of verdict.anomalies.slice(0, 20))
      console.log(`  ${rule}: ${detail}`);
    return enough && verdict.anomalies.length === 0;
  } finally {
    killEverythingStarted();
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    killEverythingStarted();
    process.exit(130);
  });
}

const wanted = new Set(flags.only.split(","));
const chosen = scenarios.filter((scenario) => wanted.has(scenario.name));
const librdkafka = PROGRAMS.find((program) => program.name === "python");
if (librdkafka === undefined) throw new Error("the compat lane has no Python client any more");
const python = await librdkafka.install(join(root, ".cache/compat"));
let passed = 0;
for (const scenario of chosen) if (await runScenario(scenario, python.file)) passed += 1;
console.log(`${passed} passed, ${chosen.length - passed} failed`);
process.exitCode = chosen.length > 0 && passed === chosen.length ? 0 : 1;
