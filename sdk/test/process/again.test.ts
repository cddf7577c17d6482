/** Sessions of a listener that asks for a new authentication now and then (KIP-368). */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect, string } from "../../src/index.ts";
import { freePort, type MortalBroker, startMortal } from "./mortal-broker.ts";

let directory: string;
let address: string;
let broker: MortalBroker;
const sasl = { mechanism: "SCRAM-SHA-256", username: "admin", password: "first" } as const;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-again-"));
});

afterEach(async () => {
  await broker.end("SIGKILL");
  await rm(directory, { recursive: true, force: true });
});

async function start(sessionMs: number): Promise<void> {
  const port = await freePort();
  address = `127.0.0.1:${port}`;
  broker = await startMortal(directory, port, [
    `listeners=SASL_PLAINTEXT://${address}`,
    `connections.max.reauth.ms=${sessionMs}`,
    ...["millrace.admin.user=admin", "millrace.admin.password=first"],
  ]);
}

test("whoever sends and reads all the time authenticates again, and notices nothing", async () => {
  await start(1_500);
  const client = connect({ brokers: [address], sasl });
  await client.admin.createTopic("lines", { partitions: 2 });
  const lines = client.topic("lines", { value: string() });
  const read: number[] = [];
  const consumer = lines.consume({ group: "readers", from: "earliest", heartbeatIntervalMs: 100 });
  const running = consumer.run(({ value }) => void read.push(Number(value)));
  const untilMs = performance.now() + 6_000;
  let sent = 0;
  for (; performance.now() < untilMs; sent += 20) {
    const values = Array.from({ length: 20 }, (_, i) => `${sent + i}`);
    await Promise.all(values.map((value) => lines.send({ value })));
    await new Promise((next) => setTimeout(next, 5));
  }
  const lateMs = performance.now() + 5_000;
  while (read.length < sent && performance.now() < lateMs) {
    await new Promise((next) => setTimeout(next, 20));
  }
  await consumer.stop();
  await running;
  expect(read.toSorted((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, i) => i));
  await client.close();
});

test("a closed client keeps no process alive whose broker went before it", async () => {
  await start(600_000);
  const sdk = join(import.meta.dirname, "../../src/index.ts");
  const program = `import { connect } from ${JSON.stringify(sdk)};
const client = connect({ brokers: ["${address}"], sasl: ${JSON.stringify(sasl)} });
await client.admin.listTopics();
console.log("in");
process.stdin.once("data", () => client.close().then(() => process.stdin.destroy()));
`;
  await writeFile(join(directory, "program.mts"), program);
  const child = spawn(process.execPath, [join(directory, "program.mts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  await broker.end("SIGKILL");
  const exited = once(child, "exit");
  child.stdin.write("close\n");
  const late = new Promise((next) => setTimeout(next, 5_000, ["it is still there"]));
  const [outcome] = (await Promise.race([exited, late])) as readonly unknown[];
  child.kill("SIGKILL");
  expect(outcome).toBe(0);
});
