/** The README's first line, as a user meets it: what it prints, what it answers, how it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
let folder: string;
let children: ChildProcess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-start-"));
  children = [];
});

afterEach(() => {
  for (const child of children) killGroup(child);
  rmSync(folder, { recursive: true, force: true });
});

/** npm does not hand a SIGKILL on: the whole group has to go. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exit: Promise<number | null>;
  /** Resolves when the output matches, with what its groups caught; rejects if the process ends first. */
  says(pattern: RegExp): Promise<readonly string[]>;
}

function start(...flags: readonly string[]): Started {
  const child = spawn("npm", ["start", "--silent", "--", ...flags], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    detached: true,
  });
  children.push(child);
  let output = "";
  const watchers = new Set<() => void>();
  const hear = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const watcher of watchers) watcher();
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const exit = new Promise<number | null>((resolve) => child.on("close", resolve));
  const says = (pattern: RegExp): Promise<readonly string[]> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(output);
        if (match === null) return;
        watchers.delete(look);
        resolve(match.slice(1));
      };
      watchers.add(look);
      look();
      void exit.then(() => reject(new Error(`ended before it said ${pattern}:\n${output}`)));
    });
  return { child, output: () => output, exit, says };
}

/** ApiVersions v0, by hand: the broker answers it with error 0. */
function apiVersions(port: number): Promise<number> {
  const request = Buffer.from([0, 0, 0, 11, 0, 18, 0, 0, 0, 0, 0, 7, 0, 1, 0x78]);
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(request));
    socket.once("error", reject);
    socket.once("data", (reply) => {
      socket.destroy();
      resolve(reply.readInt16BE(8));
    });
  });
}

const free = ["--port", "0", "--http-port", "0"];

describe("npm start", () => {
  test("says where it listens, where its data is and what to try next, and is ready", async () => {
    const data = join(folder, "data");
    const broker = start("--data", data, ...free);
    const [port = ""] = await broker.says(/kafka\s+127\.0\.0\.1:(\d+)/i);
    const [httpPort = ""] = await broker.says(/http\s+http:\/\/127\.0\.0\.1:(\d+)/i);
    await broker.says(/data\s+\S*data/i);
    expect(await apiVersions(Number(port))).toBe(0);
    expect((await fetch(`http://127.0.0.1:${httpPort}/readyz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${httpPort}/healthz`)).status).toBe(200);
    const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
    expect(metrics).toMatch(/^# TYPE /m);
    expect(broker.output().split("\n").length).toBeLessThan(30);
    expect(existsSync(data)).toBe(true);
  });

  test("what runs is a bundle of the sources, and its compiled code is kept at once", async () => {
    const broker = start("--data", join(folder, "data"), ...free);
    await broker.says(/kafka\s+127\.0\.0\.1:(\d+)/i);
    expect(broker.output()).not.toContain("no bundle");
    const cache = join(root, ".cache/start");
    const { bundle } = JSON.parse(readFileSync(join(cache, "current.json"), "utf8"));
    expect(existsSync(join(cache, bundle))).toBe(true);
    const [byNode = ""] = readdirSync(join(cache, "compiled"));
    expect(readdirSync(join(cache, "compiled", byNode)).length).toBeGreaterThan(0);
  });

  test("SIGTERM closes it cleanly, and it starts again on the same data", async () => {
    const data = join(folder, "data");
    for (let round = 0; round < 2; round += 1) {
      const broker = start("--data", data, ...free);
      await broker.says(/kafka\s+127\.0\.0\.1:(\d+)/i);
      broker.child.kill("SIGTERM");
      expect(await broker.exit).toBe(0);
    }
  });

  test("a second broker on the same data is refused with a clear message", async () => {
    const data = join(folder, "data");
    const first = start("--data", data, ...free);
    await first.says(/kafka\s+127\.0\.0\.1:(\d+)/i);
    const second = start("--data", data, ...free);
    expect(await second.exit).not.toBe(0);
    expect(second.output()).toMatch(/in use|already|locked/i);
  });

  test("a taken port, a bad flag and a bad value are named, without a stack trace", async () => {
    const first = start("--data", join(folder, "a"), ...free);
    const [port = ""] = await first.says(/kafka\s+127\.0\.0\.1:(\d+)/i);
    const taken = start("--data", join(folder, "b"), "--port", port, "--http-port", "0");
    expect(await taken.exit).not.toBe(0);
    expect(taken.output()).toContain(port);
    const flag = start("--frobnicate");
    expect(await flag.exit).toBe(2);
    expect(flag.output()).toContain("frobnicate");
    const value = start("--data", join(folder, "c"), ...free, "--set", "num.partitions=none");
    expect(await value.exit).toBe(2);
    expect(value.output()).toContain("num.partitions");
    for (const broker of [taken, flag, value]) expect(broker.output()).not.toMatch(/^\s+at /m);
  });

  test("an unknown key is named in a warning, and the broker starts", async () => {
    const broker = start("--data", join(folder, "d"), ...free, "--set", "no.such.key=1");
    await broker.says(/no\.such\.key/);
    await broker.says(/kafka\s+127\.0\.0\.1:(\d+)/i);
  });
});
