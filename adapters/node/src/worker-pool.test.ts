import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as realTime } from "node:timers/promises";
import type { DiskFile, SideCall, SideWorkError } from "@millrace/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NodeDisk } from "./disk.ts";
import { backgroundNiceness } from "./limits.ts";
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

describe("background work", () => {
  test("has a thread of its own, of a lower priority where threads have one", async () => {
    const pool = poolOf(file);
    const urgencies = ["reply", "background", "background", "reply"] as const;
    const said: unknown[] = [];
    for (const urgency of urgencies)
      said.push((await pool.run(call("priority", { urgency }))).says);
    const lower = process.platform === "linux" ? backgroundNiceness : 0;
    expect(said).toEqual([0, lower, lower, 0]);
    expect(pool.threads).toBe(2);
  });
});

describe("a part of a file", () => {
  const content = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);
  let root = "";
  let disk: NodeDisk;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "millrace-pool-"));
    disk = new NodeDisk(root, { openFilesMax: 1 });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function written(name: string, bytes: Uint8Array = content): DiskFile {
    const opened = disk.open(name, { create: "ifAbsent" });
    if (opened === undefined) throw new Error("not made");
    opened.write(0, [bytes]);
    return opened;
  }

  function partOf(of: DiskFile, bytes = 200_000): SideCall {
    const into = new Uint8Array(262_144);
    return call("echo", { part: { file: of, position: 70_000, bytes, into } });
  }

  test("is read by the thread, into memory that goes there and back", async () => {
    const asked = partOf(written("file"));
    const { bytes } = await poolOf(file).run(asked);
    expect(asked.part?.into.length).toBe(0);
    expect(bytes[0]?.length).toBe(262_144);
    expect(bytes[0]?.subarray(0, 200_000)).toEqual(content.subarray(70_000, 270_000));
  });

  test("that the file does not have, or that is closed, is unread; the thread goes on", async () => {
    const opened = written("file");
    const pool = poolOf(file);
    expect(await reasonOf(pool.run(partOf(opened, 240_000)))).toBe("unread");
    opened.close();
    expect(await reasonOf(pool.run(partOf(opened)))).toBe("unread");
    expect((await pool.run(call("echo"))).says).toBe("echo");
    expect(deaths).toEqual([]);
  });

  test("is read to its end though the file is closed, removed and pushed out meanwhile", async () => {
    const opened = written("file");
    const pool = poolOf(file, { threadsMax: 1 });
    await pool.run(call("echo"));
    const reading = pool.run(partOf(opened));
    opened.close();
    expect(disk.openFiles).toBe(1);
    disk.remove("file");
    const other = written("other", content.toReversed());
    expect((await reading).bytes[0]?.subarray(0, 200_000)).toEqual(
      content.subarray(70_000, 270_000),
    );
    other.close();
    expect(disk.openFiles).toBe(0);
  });

  test("gives its descriptor back when the thread dies", async () => {
    const opened = written("file");
    const dying = reasonOf(poolOf(file).run({ ...partOf(opened), task: "exit" }));
    await Promise.resolve();
    opened.close();
    expect(disk.openFiles).toBe(1);
    expect(await dying).toBe("died");
    expect(disk.openFiles).toBe(0);
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
