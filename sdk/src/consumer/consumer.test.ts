import { expect, test } from "vitest";
import { z } from "zod";
import { bytes, json, string } from "../codec.ts";
import { consumerBufferBytesMax, handlerConcurrencyMax, partitionStreakMax } from "../limits.ts";
import { clientOf, digits, until } from "../../test/memory-client.ts";
import { MemoryCluster } from "../../test/memory-cluster.ts";
import { quick, setUp, take } from "../../test/reading.ts";
import type { InvalidMessage } from "./options.ts";

const numbers = (from: number, to: number): readonly string[] =>
  Array.from({ length: to - from }, (_, i) => `${from + i}`);

test("an iteration gives every message in order, and those that come later", async () => {
  const { client, lines } = await setUp(numbers(0, 5));
  const reading = take(lines.consume(quick), 7);
  await lines.send({ value: "5" });
  await lines.send({ value: "6" });
  expect(await reading).toEqual(numbers(0, 7));
  await client.close();
});

test("a message counts as processed when the next one is asked for", async () => {
  const { client, lines, committed } = await setUp(numbers(0, 5));
  const consumer = lines.consume(quick);
  const messages = consumer[Symbol.asyncIterator]();
  await messages.next();
  await messages.next();
  await until("a commit in the background", () => committed() === 1);
  await consumer.commit();
  expect(committed()).toBe(1);
  await messages.return?.();
  expect(committed()).toBe(1);
  await client.close();
});

test("a loop that is left early commits what it had before, and what it commits itself", async () => {
  const { client, lines, committed } = await setUp(numbers(0, 5));
  await take(lines.consume(quick), 3);
  expect(committed()).toBe(2);
  const consumer = lines.consume(quick);
  for await (const message of consumer) {
    if (message.value !== "3") continue;
    await consumer.commit(message);
    break;
  }
  expect(committed()).toBe(4);
  expect(await take(lines.consume(quick), 1)).toEqual(["4"]);
  await client.close();
});

test("nothing is committed on its own where autoCommit is off", async () => {
  const { client, lines, committed } = await setUp(numbers(0, 5));
  const consumer = lines.consume({ ...quick, autoCommit: false });
  await consumer.run(async ({ value }) => {
    if (value === "4") consumer.stop().catch(() => undefined);
  });
  expect(committed()).toBeUndefined();
  await client.close();
});

test("run handles a partition's messages one after another, and partitions beside each other", async () => {
  const { client, lines, committed } = await setUp(numbers(0, 8), 2);
  const consumer = lines.consume(quick);
  const handled: string[][] = [[], []];
  let atOnce = 0;
  let mostAtOnce = 0;
  await consumer.run(async ({ partition, value }) => {
    atOnce += 1;
    mostAtOnce = Math.max(mostAtOnce, atOnce);
    await new Promise((next) => setTimeout(next, 5));
    atOnce -= 1;
    handled[partition]?.push(value);
    if (handled.flat().length === 8) consumer.stop().catch(() => undefined);
  });
  expect(handled).toEqual([
    ["0", "2", "4", "6"],
    ["1", "3", "5", "7"],
  ]);
  expect(mostAtOnce).toBe(2);
  expect([committed(0), committed(1)]).toEqual([4, 4]);
  await client.close();
});

test("with concurrency, an offset waits for every message before it", async () => {
  const { client, lines, committed } = await setUp(numbers(0, 3));
  const consumer = lines.consume(quick);
  const first = Promise.withResolvers<void>();
  const done: string[] = [];
  const running = consumer.run(
    async ({ value }) => {
      if (value === "0") await first.promise;
      done.push(value);
    },
    { concurrency: 3 },
  );
  await until("the other two", () => done.length === 2);
  await consumer.commit();
  expect(committed() ?? 0).toBe(0);
  first.resolve();
  await until("the first", () => done.length === 3);
  await consumer.stop();
  await running;
  expect(committed()).toBe(3);
  await client.close();
});

test("a handler that throws ends the run, and its message comes again", async () => {
  const { client, lines, committed } = await setUp(numbers(0, 5));
  const running = lines.consume(quick).run(({ value }) => {
    if (value === "2") throw new Error("broken");
  });
  await expect(running).rejects.toThrow("broken");
  expect(committed()).toBe(2);
  expect(await take(lines.consume(quick), 1)).toEqual(["2"]);
  await client.close();
});

test("stop waits for the handlers, and commits what they did", async () => {
  const { client, lines, committed, cluster } = await setUp(numbers(0, 5));
  const consumer = lines.consume(quick);
  let finished = false;
  const started = Promise.withResolvers<void>();
  const running = consumer.run(async () => {
    started.resolve();
    await new Promise((next) => setTimeout(next, 50));
    finished = true;
  });
  await started.promise;
  await consumer.stop();
  await running;
  expect(finished).toBe(true);
  expect(committed()).toBe(1);
  expect(cluster.group("readers").members.size).toBe(0);
  await client.close();
});

test("a reader without a group reads everything, and commits nothing", async () => {
  const { client, lines, cluster } = await setUp(numbers(0, 6), 3);
  const consumer = lines.consume({ from: "earliest" });
  expect([...(await take(consumer, 6))].sort()).toEqual(numbers(0, 6));
  expect(cluster.groups.size).toBe(0);
  await expect(lines.consume().commit()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await client.close();
});

test.for([
  ["earliest", ["0", "1"]],
  [{ offset: 3 }, ["3", "4"]],
  [{ timestamp: 2_500 }, ["2", "3"]],
  [{ timestamp: new Date(4_000) }, ["3", "4"]],
  ["latest", ["new", "newer"]],
  [{ timestamp: 99_000_000 }, ["new", "newer"]],
] as const)("a reader begins at %j", async ([from, expected]) => {
  const { client, lines } = await setUp(numbers(0, 5));
  const consumer = lines.consume({ from });
  const reading = take(consumer, 2);
  await until("the position", () => consumer.assignment[0]?.offset !== undefined);
  await lines.send({ value: "new" });
  await lines.send({ value: "newer" });
  expect(await reading).toEqual(expected);
  await client.close();
});

test("a seek goes on from there, also in the middle, and drops what was fetched", async () => {
  const { client, lines } = await setUp(numbers(0, 5));
  const consumer = lines.consume(quick);
  const values: string[] = [];
  for await (const { value } of consumer) {
    values.push(value);
    if (values.length === 4) consumer.seek({ offset: 1 });
    if (values.length === 6) break;
  }
  expect(values).toEqual(["0", "1", "2", "3", "1", "2"]);
  await client.close();
});

test("a seek before the start counts for what will be assigned", async () => {
  const { client, lines } = await setUp(numbers(0, 5));
  const consumer = lines.consume(quick);
  consumer.seek({ timestamp: 4_000 }, { partition: 0 });
  expect(await take(consumer, 2)).toEqual(["3", "4"]);
  await client.close();
});

test("a paused partition hands out nothing until it is resumed", async () => {
  const { client, lines } = await setUp(numbers(0, 4), 2);
  const consumer = lines.consume(quick);
  const seen: string[] = [];
  const running = consumer.run(({ value }) => void seen.push(value));
  await until("all of it", () => seen.length === 4);
  consumer.pause({ partition: 1 });
  await lines.send({ value: "paused", partition: 1 });
  await lines.send({ value: "open", partition: 0 });
  await until("the open one", () => seen.includes("open"));
  await new Promise((next) => setTimeout(next, 30));
  expect(seen).not.toContain("paused");
  consumer.resume();
  await until("the paused one", () => seen.includes("paused"));
  await consumer.stop();
  await running;
  await client.close();
});

test("an offset that is gone is replaced by the position of the options", async () => {
  const { client, lines, cluster } = await setUp(numbers(0, 5));
  cluster.group("readers").offsets.set("lines 0", 1);
  cluster.log("lines").trimTo(3);
  expect(await take(lines.consume(quick), 2)).toEqual(["3", "4"]);
  await client.close();
});

test("a message that does not fit stops the consumer before it", async () => {
  const { client, lines, committed } = await setUp(["1", "2", "three", "4"]);
  const typed = client.topic("lines", { value: string(digits) });
  const values: number[] = [];
  const reading = (async () => {
    for await (const { value } of typed.consume(quick)) values.push(value);
  })();
  await expect(reading).rejects.toMatchObject({
    ...{ name: "ValidationError", side: "value", partition: 0, offset: 2 },
    issues: [{ message: "not a string of digits" }],
  });
  expect(values).toEqual([1, 2]);
  expect(committed()).toBe(2);
  await expect(typed.consume(quick).run(() => undefined)).rejects.toMatchObject({ offset: 2 });
  await client.close();
  expect(lines.name).toBe("lines");
});

test("a message that does not fit is passed over, or goes to the dead letters", async () => {
  const { client } = await setUp(["1", "two", "3"]);
  const typed = client.topic("lines", { value: string(digits) });
  expect(await take(typed.consume({ from: "earliest", onInvalid: "skip" }), 2)).toEqual([1, 3]);
  const dead: InvalidMessage[] = [];
  const onInvalid = async (message: InvalidMessage): Promise<void> => void dead.push(message);
  expect(await take(typed.consume({ from: "earliest", onInvalid }), 2)).toEqual([1, 3]);
  expect(dead.map(({ offset, value }) => [offset, Buffer.from(value ?? []).toString()])).toEqual([
    [1, "two"],
  ]);
  await client.close();
});

test("a consumer of two topics says by the topic which type a message has", async () => {
  const { client, cluster, lines } = await setUp(["a"]);
  cluster.createTopic("counts");
  const counts = client.topic("counts", { value: json(z.object({ count: z.number() })) });
  await counts.send({ value: { count: 1 } });
  const seen: string[] = [];
  for await (const message of client.consumer([lines, counts], { from: "earliest" })) {
    seen.push(message.topic === "lines" ? message.value : `${message.value.count + 1}`);
    if (seen.length === 2) break;
  }
  expect(seen.sort()).toEqual(["2", "a"]);
  await client.close();
});

test("a topic that is not there is said", async () => {
  const { client } = await setUp();
  const nowhere = client.topic("nowhere", { value: string() });
  const failure = { code: "UNKNOWN_TOPIC_OR_PARTITION" };
  await Promise.all([
    expect(nowhere.consume(quick).run(() => undefined)).rejects.toMatchObject(failure),
    expect(take(nowhere.consume(), 1)).rejects.toMatchObject(failure),
  ]);
  await client.close();
}, 10_000);

test("a signal ends the loop, and closing the client ends every consumer", async () => {
  const { client, lines, cluster } = await setUp(["a"]);
  const stop = new AbortController();
  const byASignal = take(lines.consume({ ...quick, signal: stop.signal }), 2);
  const byClosing = take(lines.consume({ from: "earliest" }), 2);
  await new Promise((next) => setTimeout(next, 50));
  stop.abort();
  expect(await byASignal).toEqual(["a"]);
  await client.close();
  expect(await byClosing).toEqual(["a"]);
  expect(cluster.openTransports).toBe(0);
});

test("a client forgets the consumers that have ended", async () => {
  const { client, lines, cluster } = await setUp(["a"]);
  await take(lines.consume({ from: "earliest" }), 1);
  const before = cluster.openTransports;
  await take(lines.consume({ from: "earliest" }), 1);
  expect(cluster.openTransports).toBe(before);
  expect(client.openCount).toBe(1);
  await client.close();
  expect(client.openCount).toBe(0);
});

test("a consumer is used in one way, once", async () => {
  const { client, lines } = await setUp(["a"]);
  const consumer = lines.consume({ from: "earliest" });
  await take(consumer, 1);
  await expect(consumer.run(() => undefined)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(() => lines.consume({ group: "" })).toThrow("a group needs a name");
  await client.close();
});

test("a concurrency outside its bounds is refused", async () => {
  const { client, lines } = await setUp(["a"]);
  for (const concurrency of [0, 1.5, handlerConcurrencyMax + 1]) {
    const running = lines.consume().run(() => undefined, { concurrency });
    await expect(running).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  await client.close();
});

test("a consumer that holds enough fetches no more until some of it is taken", async () => {
  const { client, cluster } = await setUp();
  cluster.createTopic("large", 20);
  const value = new Uint8Array(4 * 1024 * 1024);
  for (let partition = 0; partition < 20; partition += 1) {
    const record = { key: null, value, headers: [], timestampMs: 0 };
    cluster.log("large", partition).append({ topic: "large", partition, records: [record] });
  }
  const consumer = client.topic("large", { value: bytes() }).consume({ from: "earliest" });
  const messages = consumer[Symbol.asyncIterator]();
  await messages.next();
  await until("the fetching to end", () => cluster.fetchedBytes >= consumerBufferBytesMax);
  await new Promise((next) => setTimeout(next, 100));
  expect(cluster.fetchedBytes).toBeLessThanOrEqual(consumerBufferBytesMax + value.length + 8e6);
  for (let taken = 1; taken < 20; taken += 1) await messages.next();
  expect(cluster.fetchedBytes).toBe(20 * value.length);
  await messages.return?.();
  await client.close();
});

test("who stops from within the loop, or a handler, does not wait for itself", async () => {
  const { client, lines, committed } = await setUp(numbers(0, 4));
  const iterated = lines.consume(quick);
  for await (const { value } of iterated) if (value === "1") await iterated.stop();
  expect(committed()).toBe(1);
  const handled = lines.consume(quick);
  await handled.run(async ({ value }) => {
    if (value === "2") await handled.stop();
  });
  expect(committed()).toBe(3);
  await client.close();
});

test("a partition that never ends does not keep the others waiting", async () => {
  const cluster = new MemoryCluster({ fetchRecordsMax: 5_000 });
  cluster.createTopic("lines", 2);
  const record = { key: null, value: Buffer.from("x"), headers: [], timestampMs: 0 };
  const append = (partition: number, count: number): void => {
    const records = Array.from({ length: count }, () => record);
    cluster.log("lines", partition).append({ topic: "lines", partition, records });
  };
  append(0, 4 * partitionStreakMax);
  append(1, 1);
  const client = clientOf(cluster);
  let seen = 0;
  for await (const { partition } of client
    .topic("lines", { value: string() })
    .consume({ from: "earliest" })) {
    seen += 1;
    if (partition === 1) break;
  }
  expect(seen).toBe(partitionStreakMax + 1);
  await client.close();
});
