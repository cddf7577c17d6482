/** A start that has to wait for the object store answers on its HTTP port that it is not ready. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildBatch, crc32c } from "@millrace/wire";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTopic } from "../bench/topics.ts";
import { type WireClient, withClient } from "../fixtures/wire-client.ts";

const main = join(import.meta.dirname, "../../broker-fargate/src/main.ts");
const readDelayMs = 4_000;
let folder: string;
let children: ChildProcess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-slow-"));
  children = [];
});

afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

interface Life {
  readonly child: ChildProcess;
  readonly exit: Promise<unknown>;
  /** Of Kafka's protocol, once it is served. */
  readonly port: Promise<number>;
}

function start(httpPort: number, delayMs: number): Life {
  const flags = ["--data", join(folder, "data"), "--port", "0", "--http-port", String(httpPort)];
  const store = ["--set", `millrace.object.store=file:${join(folder, "objects")}`];
  const child = spawn(process.execPath, [main, ...flags, ...store], {
    env: { ...process.env, MILLRACE_TEST_OBJECT_READ_DELAY_MS: String(delayMs), NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const exit = new Promise((resolve) => child.once("exit", resolve));
  const port = new Promise<number>((resolve, reject) => {
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const match = /kafka\s+\S+:(\d+)/i.exec(output);
      if (match !== null) resolve(Number(match[1]));
    });
    void exit.then(() => reject(new Error(`ended before it served:\n${output}`)));
  });
  return { child, exit, port };
}

async function produce(client: WireClient): Promise<void> {
  const records = buildBatch([{ key: null, value: new Uint8Array(10) }], { crc32c });
  const answer = await client.ask(0, 9, {
    ...{ acks: -1, timeoutMs: 30_000 },
    topicData: [{ name: "t", partitionData: [{ index: 0, records }] }],
  });
  expect(answer.responses[0]?.partitionResponses[0]?.errorCode).toBe(0);
}

/** 0: nobody listens. */
async function readyStatus(httpPort: number): Promise<number> {
  try {
    return (await fetch(`http://127.0.0.1:${httpPort}/readyz`)).status;
  } catch (error) {
    if (error instanceof TypeError) return 0;
    throw error;
  }
}

test("a start that waits for the object store is alive, and says that it is not ready", async () => {
  const httpPort = await freePort();
  const first = start(httpPort, 0);
  await withClient(await first.port, async (client) => {
    const configs = { "millrace.durability": "journal" };
    await createTopic(client, { topic: "t", partitionCount: 1, configs });
    await produce(client);
  });
  first.child.kill("SIGTERM");
  await first.exit;
  const second = start(httpPort, 0);
  await withClient(await second.port, produce);
  second.child.kill("SIGKILL");
  await second.exit;
  // What it replays needs what a former life packed.
  const third = start(httpPort, readDelayMs);
  const seen: number[] = [];
  const state = { isServed: false };
  const served = third.port.finally(() => {
    state.isServed = true;
  });
  while (!state.isServed) {
    seen.push(await readyStatus(httpPort));
    if (seen.at(-1) === 503) {
      expect((await fetch(`http://127.0.0.1:${httpPort}/healthz`)).status).toBe(200);
      expect((await fetch(`http://127.0.0.1:${httpPort}/metrics`)).status).toBe(200);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await served;
  expect(seen.filter((status) => status === 503).length).toBeGreaterThan(10);
  expect(await readyStatus(httpPort)).toBe(200);
});
