/** Seeks, pauses and commits over a rebalance, and positions that are not there. */
import { afterEach, expect, test, vi } from "vitest";
import { bytes } from "../codec.ts";
import { consumerBufferBytesMax, metadataAgeMsMax } from "../limits.ts";
import { MemoryCluster } from "../../test/memory-cluster.ts";
import { clientOf, until } from "../../test/memory-client.ts";
import { quick, type Reading, setUp, take } from "../../test/reading.ts";
import { Wishes } from "./wishes.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** Has a second member come and go, so that the first one is assigned everything anew. */
async function rebalance({ lines, cluster }: Pick<Reading, "lines" | "cluster">): Promise<void> {
  const { generation } = cluster.group("readers");
  const other = lines.consume(quick);
  const running = other.run(() => undefined);
  await until("the other's part", () => cluster.group("readers").generation > generation);
  await until("two members", () => other.assignment.length > 0);
  await other.stop();
  await running;
  await until("one member", () => cluster.group("readers").generation > generation + 1);
}

test("a seek counts once: after a rebalance the group goes on where it was", async () => {
  const { client, lines, cluster, committed } = await setUp(["0", "1"], 2);
  const consumer = lines.consume(quick);
  const seen: string[] = [];
  const running = consumer.run(({ value }) => void seen.push(value));
  await until("all of it", () => seen.length === 2);
  consumer.seek("earliest");
  await until("all of it again", () => seen.length === 4);
  await until("a commit", () => committed(0) === 1 && committed(1) === 1);
  await rebalance({ lines, cluster });
  await until("everything", () => consumer.assignment.length === 2);
  await lines.send({ value: "new", partition: 0 });
  await until("what is new", () => seen.includes("new"));
  expect(seen.length).toBe(5);
  await consumer.stop();
  await running;
  await client.close();
});

test("what is paused stays so over a rebalance, and may be paused before the start", async () => {
  const { client, lines, cluster } = await setUp(["0", "1"], 2);
  const consumer = lines.consume(quick);
  consumer.pause({ partition: 1 });
  const seen: string[] = [];
  const running = consumer.run(({ value }) => void seen.push(value));
  await until("the open one", () => seen.includes("0"));
  await rebalance({ lines, cluster });
  await until("everything", () => consumer.assignment.length === 2);
  expect(consumer.assignment.map(({ paused }) => paused)).toEqual([false, true]);
  await lines.send({ value: "open", partition: 0 });
  await until("the open one", () => seen.includes("open"));
  consumer.resume();
  await until("the paused one", () => consumer.assignment.every(({ paused }) => !paused));
  await consumer.stop();
  await running;
  await client.close();
});

test("the last wish about a partition counts, and nothing is kept that says no more", () => {
  const wishes = new Wishes();
  const at = { topic: "a", partition: 1 };
  wishes.setPaused(true, {});
  wishes.setPaused(false, { topic: "a" });
  wishes.setPaused(true, at);
  expect(
    [at, { ...at, partition: 2 }, { ...at, topic: "b" }].map((one) => wishes.isPaused(one)),
  ).toEqual([true, false, true]);
  wishes.setPaused(false, {});
  expect(wishes.isPaused(at)).toBe(false);
  wishes.seek("latest", { partition: 1 });
  wishes.seek({ offset: 3 }, { topic: "a" });
  expect(wishes.positionOf(at)).toEqual({ offset: 3 });
  expect(wishes.positionOf({ topic: "b", partition: 1 })).toBe("latest");
  wishes.assigned();
  expect(wishes.positionOf(at)).toBeUndefined();
});

test("what another member reads by now can't be committed", async () => {
  const { client, lines, cluster, committed } = await setUp(["0", "1"], 2);
  const one = lines.consume({ ...quick, autoCommit: false });
  const runs = [one.run(() => undefined)];
  await until("all partitions", () => one.assignment.length === 2);
  const other = lines.consume({ ...quick, autoCommit: false });
  runs.push(other.run(() => undefined));
  await until("one each", () => one.assignment.length + other.assignment.length === 2);
  await until("both", () => one.assignment.length === 1 && other.assignment.length === 1);
  const partition = other.assignment[0]?.partition ?? 0;
  const message = { topic: "lines", partition, offset: 0 };
  await expect(one.commit(message)).rejects.toMatchObject({ code: "ILLEGAL_GENERATION" });
  expect(committed(partition)).toBeUndefined();
  await other.commit(message);
  expect(committed(partition)).toBe(1);
  await Promise.all([one.stop(), other.stop()]);
  await Promise.all(runs);
  expect(cluster.group("readers").members.size).toBe(0);
  await client.close();
});

test("a commit that is under way says nothing of what is sought meanwhile", async () => {
  const { client, lines, cluster, committed } = await setUp(["0", "1", "2"]);
  const consumer = lines.consume({ ...quick, autoCommit: false });
  const messages = consumer[Symbol.asyncIterator]();
  for (let i = 0; i < 3; i += 1) await messages.next();
  const gate = Promise.withResolvers<void>();
  cluster.commitGate = gate.promise;
  const committing = consumer.commit();
  await new Promise((next) => setTimeout(next, 5));
  consumer.seek({ offset: 0 });
  expect(await messages.next()).toMatchObject({ value: { value: "0" } });
  gate.resolve();
  await committing;
  expect(committed()).toBe(2);
  await consumer.commit();
  expect(committed()).toBe(0);
  await messages.return?.();
  await client.close();
});

test("an offset of the options that is gone is replaced by the nearest one", async () => {
  const { client, lines, cluster } = await setUp(["0", "1", "2", "3", "4"]);
  cluster.log("lines").trimTo(3);
  expect(await take(lines.consume({ from: { offset: 1 } }), 2)).toEqual(["3", "4"]);
  const ahead = lines.consume({ from: { offset: 99 } });
  const reading = take(ahead, 1);
  await until("the end", () => ahead.assignment[0]?.offset === 5);
  await lines.send({ value: "new" });
  expect(await reading).toEqual(["new"]);
  await client.close();
});

test.for([{ offset: -1 }, { offset: 1.5 }, { timestamp: Number.NaN }, { timestamp: -2 }])(
  "no position is %j",
  async (position) => {
    const { client, lines } = await setUp();
    expect(() => lines.consume({ from: position })).toThrow("no ");
    expect(() => lines.consume().seek(position)).toThrow("no ");
    await client.close();
  },
);

test.for(["autoCommitIntervalMs", "heartbeatIntervalMs", "rebalanceTimeoutMs"] as const)(
  "no %s is 0",
  async (name) => {
    const { client, lines } = await setUp();
    expect(() => lines.consume({ group: "readers", [name]: 0 })).toThrow(name);
    expect(() => lines.consume({ group: "readers", [name]: Number.NaN })).toThrow(name);
    await client.close();
  },
);

test("partitions that are paused with full buffers leave the others to be fetched", async () => {
  const cluster = new MemoryCluster();
  cluster.createTopic("large", 20);
  const value = new Uint8Array(4 * 1024 * 1024);
  for (let partition = 0; partition < 20; partition += 1) {
    const record = { key: null, value, headers: [], timestampMs: 0 };
    cluster.log("large", partition).append({ topic: "large", partition, records: [record] });
  }
  const client = clientOf(cluster);
  const consumer = client.topic("large", { value: bytes() }).consume({ from: "earliest" });
  const messages = consumer[Symbol.asyncIterator]();
  await messages.next();
  await until("the fetching to end", () => cluster.fetchedBytes >= consumerBufferBytesMax);
  await new Promise((next) => setTimeout(next, 50));
  consumer.pause();
  // Fetches are answered from the first partition on, so nothing of the last one has come.
  const partition = 19;
  consumer.resume({ partition });
  const late = new Promise((next) => setTimeout(next, 2_000, "late"));
  expect(await Promise.race([messages.next(), late])).toMatchObject({ value: { partition } });
  consumer.resume();
  const read = new Set<number>();
  for (let i = 2; i < 20; i += 1) read.add((await messages.next()).value?.partition ?? -1);
  expect(read.size).toBe(18);
  await messages.return?.();
  await client.close();
});

test("who reads without a group reads partitions that come later, from their beginning", async () => {
  vi.useFakeTimers();
  const { client, lines, cluster } = await setUp();
  const consumer = lines.consume({ from: "latest" });
  const reading = take(consumer, 1);
  await vi.advanceTimersByTimeAsync(1_000);
  cluster.growTopic("lines");
  const value = Buffer.from("early");
  const records = [{ key: null, value, headers: [], timestampMs: 0 }];
  cluster.log("lines", 1).append({ topic: "lines", partition: 1, records });
  await vi.advanceTimersByTimeAsync(3 * metadataAgeMsMax);
  expect(consumer.assignment.map(({ partition }) => partition)).toEqual([0, 1]);
  expect(await reading).toEqual(["early"]);
  await client.close();
});

test("who seeks back to what is in hand while the consumer stops has it again", async () => {
  const { client, lines, committed } = await setUp(["a", "b"]);
  const consumer = lines.consume(quick);
  const started = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const running = consumer.run(async ({ partition, offset }) => {
    started.resolve();
    await gate.promise;
    consumer.seek({ offset }, { topic: "lines", partition });
  });
  await started.promise;
  const stopped = consumer.stop();
  gate.resolve();
  await stopped;
  await running;
  expect(committed() ?? 0).toBe(0);
  expect(await take(lines.consume(quick), 1)).toEqual(["a"]);
  await client.close();
});
