import { spawn } from "node:child_process";
import { setTimeout as realTime } from "node:timers/promises";
import type { SideCall, SideWorkError } from "@millrace/core";
import { afterEach, describe, expect, test } from "vitest";
import { type WorkerPoolLimits, WorkerPool, workerPoolLimits } from "./worker-pool.ts";
import type { ThreadEntry } from "./worker-pool-thread.ts";

const programs = new URL("../test-programs/", import.meta.url);
const file: ThreadEntry = { kind: "file", url: new URL("side-tasks.ts", programs) };
const pools: WorkerPool[] = [];
const deaths: SideWorkError[] = [];

function poolOf(entry: ThreadEntry, limits: Partial<WorkerPoolLimits> = {}): WorkerPool {
  const pool = new WorkerPool({
    entry: () => entry,
    limits: { ...workerPoolLimits, ...limits },
    onDeath: (error) => deaths.push(error),
  });
  pools.push(pool);
  return pool;
}

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
  deaths.length = 0;
});

function call(task: string, changes: Partial<SideCall> = {}): SideCall {
  return { task, urgency: "reply", told: task, bytes: [], bytesAre: "copied", ...changes };
}

function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "done",
    (error: SideWorkError) => error.reason,
  );
}

describe("threads", () => {
  test("are there when there is work for them, and not before", async () => {
    const pool = poolOf(file);
    expect(pool.threads).toBe(0);
    await pool.run(call("echo"));
    await pool.run(call("echo"));
    expect(pool.threads).toBe(1);
    await Promise.all([1, 2, 3].map(() => pool.run(call("echo"))));
    expect(pool.threads).toBe(2);
  });

  test("are given back when they had nothing to do, and started again", async () => {
    const pool = poolOf(file, { idleMsMax: 50 });
    await Promise.all([pool.run(call("echo")), pool.run(call("echo"))]);
    for (let waits = 0; pool.threads > 0 && waits < 200; waits += 1) await realTime(20);
    expect(pool.threads).toBe(0);
    expect((await pool.run(call("echo"))).says).toBe("echo");
    expect(deaths).toEqual([]);
  });

  test("run a text as well, which finds packages from where it is said to be", async () => {
    const text = `
      const { parentPort, workerData } = require("node:worker_threads");
      const { createRequire } = require("node:module");
      const found = createRequire(workerData.url).resolve("lmdb");
      parentPort.on("message", () =>
        parentPort.postMessage({ kind: "done", outcome: { says: found, bytes: [] } }));`;
    const pool = poolOf({ kind: "text", text, url: import.meta.url });
    expect((await pool.run(call("any"))).says).toMatch(/lmdb/);
  });

  test("never keep the process alive, idle or at work", async () => {
    const program = new URL("side-work-and-end.ts", programs);
    const child = spawn(process.execPath, [program.pathname]);
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect([said, code]).toEqual(['"worked"', 0]);
  });
});

describe("a thread that dies", () => {
  test.each(["exit", "grow"])("in %s takes its call with it, and no other one", async (task) => {
    const pool = poolOf(file, { threadsMax: 1 });
    const dying = reasonOf(pool.run(call(task)));
    const behind = reasonOf(pool.run(call("echo")));
    expect(await Promise.all([dying, behind])).toEqual(["died", "done"]);
    expect(deaths.map(({ reason }) => reason)).toEqual(["died"]);
  });

  test("is replaced also when it dies of what it does behind an answer", async () => {
    const pool = poolOf(file);
    await pool.run(call("throwLater"));
    for (let waits = 0; pool.threads > 0 && waits < 1000; waits += 1) await realTime(5);
    expect(await reasonOf(pool.run(call("echo")))).toBe("done");
    expect(pool.threads).toBe(1);
  });

  test("at its start says so", async () => {
    const url = new URL("absent.ts", programs);
    const pool = poolOf({ kind: "file", url });
    expect(await reasonOf(pool.run(call("echo")))).toBe("died");
    expect(pool.threads).toBe(0);
  });

  test("because its task takes too long lets others go on", async () => {
    // The start of a thread counts: on a busy machine it takes seconds.
    const pool = poolOf(file, { taskMsMax: 6_000, threadsMax: 1 });
    await pool.run(call("echo"));
    const spinning = pool.run(call("spin"));
    const behind = pool.run(call("echo"));
    await expect(spinning).rejects.toMatchObject({
      ...{ reason: "died", retriable: true, message: expect.stringContaining("6000 ms") },
    });
    expect((await behind).says).toBe("echo");
  });

  test("or an answer that cannot be sent settles its call", async () => {
    const pool = poolOf(file);
    expect(await reasonOf(pool.run(call("unclonable")))).toBe("died");
    const told = (() => 0) as never;
    expect(await reasonOf(pool.run(call("echo", { told })))).toBe("threw");
    expect(await reasonOf(pool.run(call("echo")))).toBe("done");
  });
});
