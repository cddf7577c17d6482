import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HostedMetadataStore, SystemClock, SystemRandom } from "@millrace/adapter-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..", "..");
const entry = join(root, "broker-fargate/src/metadata-host/main.ts");
const clientModule = join(root, "adapters/node/src/index.ts");

let folder = "";
let socketPath = "";
const children = new Set<ChildProcess>();
const stores: HostedMetadataStore[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-hosts-"));
  socketPath = join(folder, "metadata.sock");
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const child of children) {
    child.kill("SIGKILL");
    await once(child, "close");
  }
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

function start(args: readonly string[]): Run {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = once(child, "close").then(([code, signal]: (number | string | null)[]) => {
    children.delete(child);
    return code ?? signal ?? null;
  });
  return { child, output, ended };
}

async function startHost(): Promise<Run> {
  const host = start([entry, "--dir", folder]);
  while (!host.output.stdout.includes("ready")) {
    const ended = await Promise.race([host.ended, once(host.child.stdout ?? host.child, "data")]);
    if (!Array.isArray(ended)) throw new Error(host.output.stderr);
  }
  return host;
}

function openStore(): HostedMetadataStore {
  const deps = { clock: new SystemClock(), random: new SystemRandom() };
  // Longer than a busy machine takes to start a process.
  const limits = { callMsMax: 30_000 };
  const store = new HostedMetadataStore({ socketPath, ...deps, limits });
  stores.push(store);
  return store;
}

const put = (key: string, n: number) => [{ kind: "put", key, value: { n } } as const];

describe("the process that hosts metadata", () => {
  it("says in one line where it is, and ends by SIGTERM with nothing left behind", async () => {
    const host = await startHost();
    expect(host.output.stdout).toBe(`millrace metadata host ready at ${socketPath}\n`);
    const store = openStore();
    await store.transact(put("a", 1));
    host.child.kill("SIGTERM");
    expect(await host.ended).toBe(0);
    expect(host.output.stderr).toBe("");
    expect(await readdir(folder)).toEqual(["metadata"]);
    await startHost();
    expect((await store.get("a"))?.value).toEqual({ n: 1 });
  });

  it("tells what is wrong in one line, and which kind of wrong by its exit code", async () => {
    const withoutDirectory = start([entry]);
    expect(await withoutDirectory.ended).toBe(2);
    expect(withoutDirectory.output.stderr).toBe("millrace: --dir DIR is missing\n");
    await startHost();
    const second = start([entry, "--dir", folder, "--socket", join(folder, "second")]);
    expect(await second.ended).toBe(1);
    expect(second.output.stderr).toBe(`millrace: ${folder} is in use by another process\n`);
  });

  it("loses nothing that it answered when it is killed, and its clients go on", async () => {
    const kills = 6;
    let host = await startHost();
    const writing = { goesOn: true };
    const writers = [1, 2, 3].map(async (writer) => {
      const store = openStore();
      let count = 0;
      // Without a condition: one that was applied twice shows in the version.
      while (writing.goesOn) {
        expect(await store.transact(put(`writer/${writer}`, count + 1))).toEqual({ ok: true });
        count += 1;
      }
      return count;
    });
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(60 + 17 * kill);
      host.child.kill("SIGKILL");
      expect(await host.ended).toBe("SIGKILL");
      host = await startHost();
    }
    await sleep(50);
    writing.goesOn = false;
    const counts = await Promise.all(writers);
    const page = await openStore().range({ from: "writer/", to: "writer0", limit: 10 });
    expect(page.items.map(({ version }) => version)).toEqual(counts);
    expect(page.items.map(({ value }) => value["n"])).toEqual(counts);
    expect(Math.min(...counts)).toBeGreaterThan(kills);
  });

  it("serves all others while a client's process is paused in the middle of a write", async () => {
    await startHost();
    // Always in the middle of one: each is larger than what a socket's buffer takes.
    const program = `
      import { HostedMetadataStore, SystemClock, SystemRandom } from ${JSON.stringify(clientModule)};
      const store = new HostedMetadataStore({
        socketPath: ${JSON.stringify(socketPath)}, clock: new SystemClock(), random: new SystemRandom(),
      });
      const text = "x".repeat(370_000);
      for (let n = 1; ; n += 1) {
        const keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
        await store.transact(keys.map((key) => ({ kind: "put", key, value: { n, text } })));
        process.stdout.write(n + "\\n");
      }`;
    const paused = start(["--input-type=module", "--eval", program]);
    const store = openStore();
    const slowestMs = { paused: 0 };
    while (paused.output.stdout === "") await sleep(10);
    for (let round = 0; round < 15; round += 1) {
      await sleep(5 + 3 * round);
      paused.child.kill("SIGSTOP");
      for (let n = 0; n < 10; n += 1) {
        const startedMs = performance.now();
        await store.transact(put("mine", n));
        slowestMs.paused = Math.max(slowestMs.paused, performance.now() - startedMs);
      }
      const before = paused.output.stdout;
      paused.child.kill("SIGCONT");
      // The paused one goes on, too.
      while (paused.output.stdout === before) await sleep(2);
    }
    expect((await store.get("mine"))?.version).toBe(150);
    expect(slowestMs.paused).toBeLessThan(3000);
    const page = await store.get("h");
    expect(page?.value["n"]).toBe(page?.version);
  });
});
