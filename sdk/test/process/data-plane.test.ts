/** The SDK against the broker's own process, over the wire. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { startSubject, type Subject } from "../../../test/hardness/subject.ts";
import { connect, type MillraceClient, type RebalanceEvent, string } from "../../src/index.ts";
import { until } from "../memory-client.ts";
import { freePort, startMortal } from "./mortal-broker.ts";

let broker: Subject;
let client: MillraceClient;
const order = z.object({ total: z.number(), paid: z.boolean().default(false) });

beforeAll(async () => {
  broker = await startSubject();
  client = connect({ brokers: [`127.0.0.1:${broker.port}`] });
});

afterAll(async () => {
  await client.close();
  await broker.stop();
});

async function newTopic(name: string, partitions = 1) {
  await client.admin.createTopic(name, { partitions });
  return client.topic(name, { key: z.string(), value: order });
}

test("what is sent is read back, by iteration and by group", async () => {
  const orders = await newTopic("read-back", 3);
  const sent = await Promise.all(
    Array.from({ length: 300 }, (_, i) =>
      orders.send({ key: `k${i}`, value: { total: i }, headers: { n: `${i}` } }),
    ),
  );
  expect(new Set(sent.map(({ partition }) => partition)).size).toBe(3);
  const totals: number[] = [];
  await using consumer = orders.consume({ group: "read-back", from: "earliest" });
  for await (const { key, value, headers } of consumer) {
    expect([key, headers.get("n"), value.paid]).toEqual([
      `k${value.total}`,
      `${value.total}`,
      false,
    ]);
    totals.push(value.total);
    if (totals.length === 300) break;
  }
  expect(totals.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i));
});

test.for(["none", "gzip", "snappy", "lz4", "zstd"] as const)(
  "batches compressed with %s are accepted and read back",
  async (compression) => {
    const topic = `compressed-${compression}`;
    await client.admin.createTopic(topic, { partitions: 1 });
    const lines = client.topic(topic, { value: string() });
    await using producer = client.producer({ compression });
    const values = Array.from({ length: 500 }, (_, i) => `line ${i} ${"x".repeat(i % 50)}`);
    for (const value of values) await producer.enqueue(lines, { value });
    await producer.flush();
    const read: string[] = [];
    for await (const { value } of lines.consume({ from: "earliest" })) {
      read.push(value);
      if (read.length === values.length) break;
    }
    expect(read).toEqual(values);
  },
);

test("what a loop hands over arrives as it is, in its order, with a few requests under way", async () => {
  await client.admin.createTopic("streamed", { partitions: 1 });
  const lines = client.topic("streamed", { value: string() });
  await using producer = client.producer();
  const values = Array.from({ length: 12_000 }, (_, i) => `${i} `.repeat(200));
  for (const value of values) await producer.enqueue(lines, { value });
  await producer.flush();
  let read = 0;
  for await (const { value, offset } of lines.consume({ from: "earliest" })) {
    if (value !== values[read] || offset !== read) throw new Error(`${read} is not itself`);
    read += 1;
    if (read === values.length) break;
  }
  expect(read).toBe(values.length);
});

test("a second member takes its share, and hands it back with what it did", async () => {
  const orders = await newTopic("shared", 4);
  const handled: number[] = [];
  const events: string[] = [];
  const join = (name: string) => {
    const consumer = orders.consume({
      ...{ group: "shared", from: "earliest", heartbeatIntervalMs: 100 },
      onRebalance: ({ kind, partitions }: RebalanceEvent) =>
        void events.push(`${name} ${kind} ${partitions.length}`),
    });
    return { consumer, running: consumer.run(({ value }) => void handled.push(value.total)) };
  };
  const one = join("one");
  await until("one member", () => events.includes("one assigned 4"));
  const two = join("two");
  await until("two members", () => events.includes("two assigned 2"));
  for (let i = 0; i < 40; i += 1) {
    await orders.send({ key: `${i}`, value: { total: i }, partition: i % 4 });
  }
  await until("all messages", () => handled.length >= 40);
  await two.consumer.stop();
  await until("one member again", () => events.filter((e) => e === "one assigned 4").length === 2);
  await one.consumer.stop();
  await Promise.all([one.running, two.running]);
  expect(handled.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  const lag = await client.admin.lag("shared");
  expect(lag.map(({ committed, end, lag: behind }) => [committed, end, behind])).toEqual(
    Array.from({ length: 4 }, () => [10, 10, 0]),
  );
});

test("seeks by time, by offset and to both ends", async () => {
  const orders = await newTopic("sought");
  for (let i = 0; i < 10; i += 1) {
    await orders.send({ key: "k", value: { total: i }, timestamp: 1_700_000_000_000 + i * 1_000 });
  }
  const consumer = orders.consume({ from: { timestamp: 1_700_000_003_500 } });
  const totals: number[] = [];
  for await (const { value } of consumer) {
    totals.push(value.total);
    if (totals.length === 1) consumer.seek({ offset: 8 });
    if (totals.length === 2) consumer.seek("earliest");
    if (totals.length === 3) {
      consumer.seek("latest");
      await until("the end", () => consumer.assignment[0]?.offset === 10);
      await orders.send({ key: "k", value: { total: 10 } });
    }
    if (totals.length === 4) break;
  }
  expect(totals).toEqual([4, 8, 0, 10]);
});

test("the admin client creates, describes, configures, lists and deletes", async () => {
  const { admin } = client;
  await admin.createTopic("kept", { partitions: 2, configs: { "cleanup.policy": "compact" } });
  await expect(admin.createTopic("kept")).rejects.toMatchObject({
    ...{ name: "BrokerError", code: "TOPIC_ALREADY_EXISTS", retriable: false },
  });
  await admin.createPartitions("kept", 3);
  expect((await admin.describeTopic("kept")).partitions.map(({ partition }) => partition)).toEqual([
    0, 1, 2,
  ]);
  const resource = { kind: "topic", name: "kept" } as const;
  await admin.alterConfigs(resource, { "retention.ms": "1000", "cleanup.policy": null });
  const configs = await admin.describeConfigs(resource);
  const found = (name: string) => configs.find((config) => config.name === name);
  expect(found("retention.ms")).toMatchObject({ value: "1000", isDefault: false });
  expect(found("cleanup.policy")).toMatchObject({ value: "delete", isDefault: true });
  const kept = client.topic("kept", { value: string() });
  await kept.send({ value: "a", partition: 2, timestamp: 5_000 });
  expect(await admin.offsets("kept", "latest")).toContainEqual({
    ...{ topic: "kept", partition: 2, offset: 1 },
  });
  expect((await admin.offsets("kept", { timestamp: 4_000 }))[2]?.offset).toBe(0);
  expect(await admin.listTopics()).toContain("kept");
  await admin.deleteTopic("kept");
  await expect(admin.describeTopic("kept")).rejects.toMatchObject({
    code: "UNKNOWN_TOPIC_OR_PARTITION",
  });
  expect(await admin.listTopics()).not.toContain("kept");
  const { brokers, clusterId } = await admin.describeCluster();
  expect([brokers.length, typeof clusterId]).toEqual([1, "string"]);
});

test("groups are listed, described and deleted", async () => {
  const { admin } = client;
  const orders = await newTopic("grouped", 2);
  const consumer = orders.consume({ group: "grouped", from: "earliest" });
  const running = consumer.run(() => undefined);
  await until("the assignment", () => consumer.assignment.length === 2);
  expect(await admin.describeGroup("grouped")).toMatchObject({
    ...{ state: "Stable", assignor: "range" },
    members: [{ clientId: "millrace-sdk", partitions: [{ partition: 0 }, { partition: 1 }] }],
  });
  await expect(admin.deleteGroup("grouped")).rejects.toMatchObject({ code: "NON_EMPTY_GROUP" });
  const first = [{ topic: "grouped", partition: 0, offset: 0 }];
  await expect(admin.alterOffsets("grouped", first)).rejects.toMatchObject({
    code: "UNKNOWN_MEMBER_ID",
  });
  await consumer.stop();
  await running;
  await admin.alterOffsets("grouped", first);
  expect(await admin.committedOffsets("grouped")).toContainEqual(first[0]);
  expect(await admin.listGroups()).toContainEqual({
    ...{ group: "grouped", state: "Empty", type: "classic" },
  });
  await admin.deleteGroup("grouped");
  await expect(admin.describeGroup("grouped")).rejects.toMatchObject({
    code: "GROUP_ID_NOT_FOUND",
  });
});

test("a record that is too large is refused by its name, and its neighbours are sent", async () => {
  await client.admin.createTopic("narrow", { configs: { "max.message.bytes": "2000" } });
  const lines = client.topic("narrow", { value: string() });
  await lines.send({ value: "to learn the topic" });
  const outcomes = await Promise.allSettled(
    [500, 5_000, 500, 1_000].map((length) => lines.send({ value: "x".repeat(length) })),
  );
  expect(outcomes.map(({ status }) => status)).toEqual([
    ...["fulfilled", "rejected", "fulfilled", "fulfilled"],
  ]);
  expect(outcomes[1]).toMatchObject({ reason: { code: "MESSAGE_TOO_LARGE" } });
});

test("where no broker listens, the first question says so, and a signal ends the wait", async () => {
  await using lost = connect({ brokers: ["127.0.0.1:1"] });
  await expect(lost.admin.listTopics()).rejects.toMatchObject({
    ...{ name: "ConnectionError", code: "CONNECTION_FAILED", retriable: true },
  });
  const signal = AbortSignal.timeout(50);
  const sent = lost.topic("lines", { value: string() }).send({ value: "a" }, { signal });
  await expect(sent).rejects.toBe(await sent.catch(() => signal.reason));
});

test("the README's lines do what they say", async () => {
  const sdk = join(import.meta.dirname, "../..");
  const readme = await readFile(join(sdk, "README.md"), "utf8");
  const code = /```ts\n([\s\S]*?)```/u.exec(readme)?.[1] ?? "";
  const place = await mkdtemp(join(tmpdir(), "millrace-readme-"));
  await symlink(join(sdk, "../node_modules"), join(place, "node_modules"));
  const program = code
    .replace("@millrace/sdk", join(sdk, "src/index.ts"))
    .replace("localhost:9092", `127.0.0.1:${broker.port}`);
  await writeFile(join(place, "readme.mts"), program);
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [join(place, "readme.mts")]);
  expect(stdout).toBe("order-1 12\n");
  await rm(place, { recursive: true });
});

test("nothing is lost and nothing comes twice where the broker is killed between sends", async () => {
  const directory = await mkdtemp(join(tmpdir(), "millrace-sdk-"));
  const port = await freePort();
  let mortal = await startMortal(directory, port);
  await using there = connect({ brokers: [`127.0.0.1:${port}`] });
  await there.admin.createTopic("survivor", { configs: { "millrace.durability": "journal" } });
  const lines = there.topic("survivor", { value: string() });
  const sends: Promise<unknown>[] = [];
  for (let i = 0; i < 400; i += 1) {
    sends.push(lines.send({ value: `${i}` }));
    if (i % 10 === 0) await new Promise((next) => setTimeout(next, 2));
    if (i % 200 === 100) {
      await sends[i - 20];
      await mortal.end("SIGKILL");
      mortal = await startMortal(directory, port);
    }
  }
  await Promise.all(sends);
  const values: string[] = [];
  for await (const { value } of lines.consume({ from: "earliest" })) {
    values.push(value);
    if (values.length === 400) break;
  }
  expect(values).toEqual(Array.from({ length: 400 }, (_, i) => `${i}`));
  expect(await there.admin.offsets("survivor", "latest")).toMatchObject([{ offset: 400 }]);
  await there.close();
  await mortal.end("SIGTERM");
  await rm(directory, { recursive: true, force: true });
});
