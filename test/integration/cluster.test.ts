/** `npm run cluster`, as a user runs it: real processes, and none of them is left. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePorts } from "../cluster/rig.ts";
import { withClient } from "../fixtures/wire-client.ts";

const entry = join(import.meta.dirname, "../../tools/cluster.ts");
const metadata = 3;
const startMsMax = 60_000;
const takenWithinMs = 2_000;

let directory = "";
let child: ChildProcess | undefined;
/** Every process that a pid file ever named. */
const pids = new Set<number>();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-cluster-"));
  pids.clear();
});

afterEach(async () => {
  notePids();
  const cluster = child;
  if (cluster !== undefined && cluster.exitCode === null) {
    cluster.kill("SIGKILL");
    await once(cluster, "close");
  }
  for (const pid of pids) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

interface Run {
  readonly port: number;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

async function start(...flags: readonly string[]): Promise<Run> {
  const port = await freePorts(4);
  const args = [entry, "--data", directory, "--port", String(port), ...flags];
  const cluster = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  child = cluster;
  let text = "";
  cluster.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  cluster.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const ended = once(cluster, "close").then(([code]: (number | null)[]) => code ?? null);
  const run = { port, output: () => text, ended };
  await until(() => text.includes("Ctrl-C"), run);
  notePids();
  return run;
}

async function until(isSo: () => boolean | Promise<boolean>, { output }: Run): Promise<void> {
  const lateMs = performance.now() + startMsMax;
  while (!(await isSo())) {
    if (performance.now() > lateMs) throw new Error(`it never was so:\n${output()}`);
    await sleep(50);
  }
}

/** What another terminal asks of it: exit code and output. */
function ask(...flags: readonly string[]): Promise<readonly [number, string]> {
  return new Promise((resolve) => {
    const args = [entry, "--data", directory, ...flags];
    execFile(process.execPath, args, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      resolve([code, stdout + stderr]);
    });
  });
}

function pidOf(name: string): number {
  return Number(readFileSync(join(directory, `${name}.pid`), "utf8"));
}

function notePids(): void {
  const names = existsSync(directory) ? readdirSync(directory) : [];
  for (const name of names.filter((one) => one.endsWith(".pid"))) {
    pids.add(pidOf(name.slice(0, -".pid".length)));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Brokers that a client of this one is told of. */
async function brokersAt(port: number): Promise<readonly number[]> {
  const { brokers } = await withClient(port, (client) => client.ask(metadata, 12, { topics: [] }));
  return brokers.map(({ nodeId }) => nodeId).toSorted();
}

describe("a cluster of processes", () => {
  it("grows, drains, survives a kill -9, and ends with no process left", async () => {
    const run = await start("--brokers", "2");
    expect(run.output()).toContain("Millrace cluster of 2");
    expect(run.output()).toMatch(new RegExp(`127\\.0\\.0\\.1:${run.port + 1} +\\d+ +\\d+`));
    expect(await brokersAt(run.port)).toEqual([1, 2]);

    expect(await ask("--add")).toEqual([0, expect.stringContaining("broker 3 runs")]);
    notePids();
    await until(async () => (await brokersAt(run.port)).length === 3, run);
    expect(await ask("--drain", "2")).toEqual([0, "broker 2 has ended: exit 0\n"]);
    expect(existsSync(join(directory, "broker-2.pid"))).toBe(false);
    expect(await ask("--drain", "2")).toEqual([1, "broker 2 does not run\n"]);

    process.kill(pidOf("broker-3"), "SIGKILL");
    await until(() => run.output().includes("broker-3"), run);
    expect(run.output()).toMatch(/broker-3 \(\d+\) ended: SIGKILL/);
    await until(async () => (await brokersAt(run.port)).length === 1, run);

    const askedMs = performance.now();
    child?.kill("SIGINT");
    expect(await run.ended).toBe(0);
    expect(performance.now() - askedMs).toBeLessThan(5_000);
    expect(pids.size).toBe(4);
    expect([...pids].filter((pid) => isAlive(pid))).toEqual([]);
    expect(readdirSync(directory).filter((name) => name.endsWith(".pid"))).toEqual([]);
    expect(await ask("--add")).toEqual([2, expect.stringContaining("no cluster runs there")]);
  });

  it("with --restart starts what died again, and stops when another terminal says so", async () => {
    const run = await start("--brokers", "1", "--restart");
    const second = spawn(process.execPath, [entry, "--data", directory], { stdio: "ignore" });
    expect(await once(second, "close")).toEqual([2, null]);
    for (const name of ["broker-1", "metadata-host"]) {
      const pid = pidOf(name);
      process.kill(pid, "SIGKILL");
      const path = join(directory, `${name}.pid`);
      await until(() => existsSync(path) && pidOf(name) !== pid, run);
      notePids();
    }
    await until(async () => (await brokersAt(run.port).catch(() => [])).length === 1, run);
    expect(await ask("--stop")).toEqual([0, "the cluster stops\n"]);
    expect(await run.ended).toBe(0);
    expect([...pids].filter((pid) => isAlive(pid))).toEqual([]);
  });

  it("keeps on a broker's disk no more than the life that it is in has there", async () => {
    const signals = "millrace.signals.log.interval.ms=100";
    const run = await start("--brokers", "2", "--set", signals);
    const lives = (broker: number): readonly string[] => {
      return readdirSync(join(directory, `broker-${broker}`, "cache"));
    };
    expect([lives(1), lives(2)]).toEqual([["1"], ["1"]]);
    // It stands still for so long that the other takes its place, and begins anew.
    process.kill(pidOf("broker-1"), "SIGSTOP");
    const isAlone = async (): Promise<boolean> => (await brokersAt(run.port + 1)).length === 1;
    await until(isAlone, run);
    // Of one that came back before anything was taken from it, the life would go on.
    await sleep(takenWithinMs);
    process.kill(pidOf("broker-1"), "SIGCONT");
    await until(() => lives(1).join() === "2", run);
    await until(async () => !(await isAlone()), run);
    const log = (): string => readFileSync(join(directory, "broker-1.log"), "utf8");
    await until(() => log().includes('"millrace_incarnations_fenced_total":1'), run);
    child?.kill("SIGINT");
    expect(await run.ended).toBe(0);
    expect([lives(1), lives(2)]).toEqual([[], []]);
  });

  it("says why it can't start, and leaves nothing", async () => {
    const taken = await start("--brokers", "1");
    const other = join(directory, "other");
    const args = [entry, "--data", other, "--brokers", "1", "--port", String(taken.port)];
    const failed = await new Promise<readonly [unknown, string]>((resolve) => {
      execFile(process.execPath, args, (error, _, stderr) => resolve([error?.code, stderr]));
    });
    expect(failed).toEqual([2, expect.stringContaining(`listens on port ${taken.port}`)]);
    expect(readdirSync(other).filter((name) => name.endsWith(".pid"))).toEqual([]);
    child?.kill("SIGTERM");
    expect(await taken.ended).toBe(0);
  });

  it("shows why a broker ends at once, and ends the others", async () => {
    const bad = ["--brokers", "2", "--set", "millrace.durability=local"];
    const port = String(await freePorts(2));
    expect(await ask(...bad, "--port", port)).toEqual([
      ...[1, expect.stringMatching(/broker-\d: exit 2[^]*millrace\.durability/)],
    ]);
    expect(readdirSync(directory).filter((name) => name.endsWith(".pid"))).toEqual([]);
  });
});
