/** `npm run cluster`, as a user runs it: real processes, and none of them is left. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freePorts } from "../cluster/rig.ts";
import { ClusterCommand, clusterEntry } from "../fixtures/cluster-command.ts";
import { withClient } from "../fixtures/wire-client.ts";

const metadata = 3;
const takenWithinMs = 2_000;

let cluster: ClusterCommand;

beforeEach(() => {
  cluster = new ClusterCommand();
});

afterEach(() => cluster.end());

/** Brokers that a client of this one is told of. */
async function brokersAt(port: number): Promise<readonly number[]> {
  const { brokers } = await withClient(port, (client) => client.ask(metadata, 12, { topics: [] }));
  return brokers.map(({ nodeId }) => nodeId).toSorted();
}

describe("a cluster of processes", () => {
  it("grows, drains, survives a kill -9, and ends with no process left", async () => {
    const run = await cluster.start("--brokers", "2");
    expect(run.output()).toContain("Millrace cluster of 2");
    expect(run.output()).toMatch(new RegExp(`127\\.0\\.0\\.1:${run.port + 1} +\\d+ +\\d+`));
    expect(await brokersAt(run.port)).toEqual([1, 2]);

    expect(await cluster.ask("--add")).toEqual([0, expect.stringContaining("broker 3 runs")]);
    cluster.notePids();
    await cluster.until(async () => (await brokersAt(run.port)).length === 3);
    expect(await cluster.ask("--drain", "2")).toEqual([0, "broker 2 has ended: exit 0\n"]);
    expect(existsSync(join(cluster.directory, "broker-2.pid"))).toBe(false);
    expect(await cluster.ask("--drain", "2")).toEqual([1, "broker 2 does not run\n"]);

    process.kill(cluster.pidOf("broker-3"), "SIGKILL");
    await cluster.until(() => run.output().includes("broker-3"));
    expect(run.output()).toMatch(/broker-3 \(\d+\) ended: SIGKILL/);
    await cluster.until(async () => (await brokersAt(run.port)).length === 1);

    const askedMs = performance.now();
    run.process.kill("SIGINT");
    expect(await run.ended).toBe(0);
    expect(performance.now() - askedMs).toBeLessThan(5_000);
    expect(cluster.pids.size).toBe(4);
    expect(cluster.alive()).toEqual([]);
    expect(cluster.pidFiles()).toEqual([]);
    expect(await cluster.ask("--add")).toEqual([
      2,
      expect.stringContaining("no cluster runs there"),
    ]);
  });

  it("with --restart starts what died again, and stops when another terminal says so", async () => {
    const run = await cluster.start("--brokers", "1", "--restart");
    const second = spawn(process.execPath, [clusterEntry, "--data", cluster.directory], {
      stdio: "ignore",
    });
    expect(await once(second, "close")).toEqual([2, null]);
    for (const name of ["broker-1", "metadata-host"]) {
      const pid = cluster.pidOf(name);
      process.kill(pid, "SIGKILL");
      const path = join(cluster.directory, `${name}.pid`);
      await cluster.until(() => existsSync(path) && cluster.pidOf(name) !== pid);
      cluster.notePids();
    }
    await cluster.until(async () => (await brokersAt(run.port).catch(() => [])).length === 1);
    expect(await cluster.ask("--stop")).toEqual([0, "the cluster stops\n"]);
    expect(await run.ended).toBe(0);
    expect(cluster.alive()).toEqual([]);
  });

  it("keeps on a broker's disk no more than the life that it is in has there", async () => {
    const signals = "millrace.signals.log.interval.ms=100";
    const run = await cluster.start("--brokers", "2", "--set", signals);
    const lives = (broker: number): readonly string[] => {
      return readdirSync(join(cluster.directory, `broker-${broker}`, "cache"));
    };
    expect([lives(1), lives(2)]).toEqual([["1"], ["1"]]);
    // It stands still for so long that the other takes its place, and begins anew.
    process.kill(cluster.pidOf("broker-1"), "SIGSTOP");
    const isAlone = async (): Promise<boolean> => (await brokersAt(run.port + 1)).length === 1;
    await cluster.until(isAlone);
    // Of one that came back before anything was taken from it, the life would go on.
    await sleep(takenWithinMs);
    process.kill(cluster.pidOf("broker-1"), "SIGCONT");
    await cluster.until(() => lives(1).join() === "2");
    await cluster.until(async () => !(await isAlone()));
    const log = (): string => readFileSync(join(cluster.directory, "broker-1.log"), "utf8");
    await cluster.until(() => log().includes('"millrace_incarnations_fenced_total":1'));
    run.process.kill("SIGINT");
    expect(await run.ended).toBe(0);
    expect([lives(1), lives(2)]).toEqual([[], []]);
  });

  it("says why it can't start, and leaves nothing", async () => {
    const taken = await cluster.start("--brokers", "1");
    const other = join(cluster.directory, "other");
    const args = [clusterEntry, "--data", other, "--brokers", "1", "--port", String(taken.port)];
    const failed = await new Promise<readonly [unknown, string]>((resolve) => {
      execFile(process.execPath, args, (error, _, stderr) => resolve([error?.code, stderr]));
    });
    expect(failed).toEqual([2, expect.stringContaining(`listens on port ${taken.port}`)]);
    expect(readdirSync(other).filter((name) => name.endsWith(".pid"))).toEqual([]);
    taken.process.kill("SIGTERM");
    expect(await taken.ended).toBe(0);
  });

  it("shows why a broker ends at once, and ends the others", async () => {
    const bad = ["--brokers", "2", "--set", "millrace.durability=local"];
    const port = String(await freePorts(2));
    expect(await cluster.ask(...bad, "--port", port)).toEqual([
      ...[1, expect.stringMatching(/broker-\d: exit 2[^]*millrace\.durability/)],
    ]);
    expect(cluster.pidFiles()).toEqual([]);
  });
});
