import { expect, test } from "vitest";
import { string } from "../codec.ts";
import type { MillraceError } from "../errors.ts";
import {
  producesInFlightMax,
  requestBytesMax,
  timerMsMax,
  turnBytesMax,
  waitingSendsMax,
} from "../limits.ts";
import type { MemoryCluster } from "../../test/memory-cluster.ts";
import { linesOf, until } from "../../test/memory-client.ts";

const batchesOf = ({ produced }: MemoryCluster): readonly number[] =>
  produced.flatMap(({ batches }) => batches.map(({ records }) => records.length));

test("a send resolves with where the record lies", async () => {
  const { client, lines } = linesOf();
  await lines.send({ value: "first" });
  const sent = await lines.send({ value: "second", timestamp: 1_700_000_000_000 });
  expect(sent).toEqual({ topic: "lines", partition: 0, offset: 1, timestamp: 1_700_000_000_000 });
  await client.close();
});

test("sends of one turn go in one batch", async () => {
  const { cluster, client, lines } = linesOf();
  await lines.send({ value: "to learn the topic" });
  await Promise.all(Array.from({ length: 100 }, (_, i) => lines.send({ value: `${i}` })));
  expect(batchesOf(cluster)).toEqual([1, 100]);
  await client.close();
});

test("records gather while the batch before has no answer", async () => {
  const { cluster, client, lines } = linesOf();
  await lines.send({ value: "to learn the topic" });
  const { promise, resolve } = Promise.withResolvers<void>();
  cluster.produceGate = promise;
  const sends = [lines.send({ value: "a" })];
  await until("the first batch", () => cluster.produced.length === 2);
  sends.push(lines.send({ value: "b" }));
  await new Promise((next) => setTimeout(next, 10));
  sends.push(lines.send({ value: "c" }));
  resolve();
  await Promise.all(sends);
  expect(batchesOf(cluster)).toEqual([1, 1, 2]);
  await client.close();
});

test("a batch lingers, and a flush ends that", async () => {
  const { cluster, client, lines } = linesOf();
  const producer = client.producer({ lingerMs: 60_000 });
  for (const value of ["a", "b", "c"]) await producer.enqueue(lines, { value });
  await new Promise((next) => setTimeout(next, 20));
  expect(cluster.produced).toEqual([]);
  await producer.flush();
  expect(batchesOf(cluster)).toEqual([3]);
  await client.close();
});

test("a batch that is full goes without lingering", async () => {
  const { cluster, client, lines } = linesOf();
  const producer = client.producer({ lingerMs: 60_000, batchBytes: 1_000 });
  const sends = Array.from({ length: 3 }, () =>
    producer.enqueue(lines, { value: "x".repeat(400) }),
  );
  await Promise.all(sends);
  await until("the full batch", () => cluster.produced.length === 1);
  expect(batchesOf(cluster)).toEqual([2]);
  await client.close();
  expect(batchesOf(cluster)).toEqual([2, 1]);
});

test("an answer that gets lost does not write a record twice", async () => {
  const { cluster, client, lines } = linesOf();
  const faults = ["lost before", "lost after", "none", "lost after"] as const;
  let asked = 0;
  cluster.produceFault = () => faults[asked++] ?? "none";
  const sent = [await lines.send({ value: "a" }), await lines.send({ value: "b" })];
  expect(cluster.values("lines")).toEqual(["a", "b"]);
  expect(sent.map(({ offset }) => offset)).toEqual([0, 1]);
  await client.close();
});

test("records keep their order over retries", async () => {
  const { cluster, client, lines } = linesOf();
  let asked = 0;
  cluster.produceFault = () => (asked++ % 3 === 1 ? "lost before" : "none");
  const values = Array.from({ length: 30 }, (_, i) => `${i}`);
  const producer = client.producer({ batchBytes: 100 });
  await Promise.all(values.map((value) => producer.send(lines, { value })));
  expect(cluster.values("lines")).toEqual(values);
  await client.close();
});

test("a broker that has forgotten the producer gets the record under a new producer id", async () => {
  const { cluster, client, lines } = linesOf();
  await lines.send({ value: "a" });
  cluster.log("lines").forgetProducers();
  await lines.send({ value: "b" });
  expect(cluster.values("lines")).toEqual(["a", "b"]);
  const ids = cluster.produced.map(({ batches }) => batches[0]?.sequence?.identity.producerId);
  expect(new Set(ids).size).toBe(2);
  await client.close();
});

test("a refusal for good fails its records and nothing behind them", async () => {
  const { cluster, client, lines } = linesOf();
  let asked = 0;
  cluster.produceFault = () => (asked++ === 0 ? { code: "INVALID_RECORD" } : "none");
  await expect(lines.send({ value: "a" })).rejects.toMatchObject({
    ...{ name: "BrokerError", code: "INVALID_RECORD", retriable: false },
  });
  expect(await lines.send({ value: "b" })).toMatchObject({ offset: 0 });
  await client.close();
});

test("a batch that is too large for the broker goes in halves", async () => {
  const { cluster, client, lines } = linesOf();
  await lines.send({ value: "to learn the topic" });
  cluster.produceFault = ({ batches }) =>
    (batches[0]?.records.length ?? 0) > 2 ? { code: "MESSAGE_TOO_LARGE" } : "none";
  await Promise.all(["a", "b", "c", "d", "e"].map((value) => lines.send({ value })));
  expect(cluster.values("lines").slice(1)).toEqual(["a", "b", "c", "d", "e"]);
  await client.close();
});

test("a record that no broker acknowledges fails when its time is up", async () => {
  const { cluster, client, lines } = linesOf();
  cluster.produceFault = () => "lost before";
  const producer = client.producer({ deliveryTimeoutMs: 200 });
  const failure = await producer.send(lines, { value: "a" }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "DELIVERY_TIMED_OUT", retriable: true });
  expect((failure as MillraceError).cause).toMatchObject({ code: "CONNECTION_FAILED" });
  cluster.produceFault = () => "none";
  expect(await producer.send(lines, { value: "b" })).toMatchObject({ offset: 0 });
  await client.close();
});

test("enqueue waits while the producer is full", async () => {
  const { cluster, client, lines } = linesOf();
  const { promise, resolve } = Promise.withResolvers<void>();
  cluster.produceGate = promise;
  const producer = client.producer({ bufferedBytes: 1_000 });
  const order: string[] = [];
  const one = producer.enqueue(lines, { value: "x".repeat(600) }).then(() => order.push("one"));
  const two = producer.enqueue(lines, { value: "x".repeat(600) }).then(() => order.push("two"));
  await one;
  await new Promise((next) => setTimeout(next, 20));
  expect(order).toEqual(["one"]);
  expect(producer.bufferedBytes).toBeLessThanOrEqual(1_000);
  resolve();
  await two;
  await client.close();
});

test("a loop that enqueues leaves the event loop its turns, in which full batches go", async () => {
  const { cluster, client, lines } = linesOf();
  await lines.send({ value: "to learn the topic" });
  const producer = client.producer();
  await producer.enqueue(lines, { value: "to open it" });
  const value = "x".repeat(100_000);
  const wanted = Math.ceil((4 * turnBytesMax) / value.length);
  let entered = 0;
  let enteredByTurn: number | undefined;
  setImmediate(() => (enteredByTurn = entered));
  for (; entered < wanted; entered += 1) await producer.enqueue(lines, { value });
  expect(enteredByTurn).toBeLessThanOrEqual(Math.ceil(turnBytesMax / value.length));
  expect(cluster.produced.length).toBeGreaterThan(2);
  await producer.flush();
  await client.close();
});

test("one request holds the batches of many partitions, up to its limit", async () => {
  const { cluster, client, lines } = linesOf(8);
  await lines.send({ value: "to learn the topic" });
  const value = "x".repeat(200_000);
  await Promise.all(Array.from({ length: 8 }, (_, partition) => lines.send({ value, partition })));
  const bytes = cluster.produced.map(({ batches }) =>
    batches
      .flatMap(({ records }) => records)
      .reduce((sum, one) => sum + (one.value?.length ?? 0), 0),
  );
  expect(Math.max(...cluster.produced.map(({ batches }) => batches.length))).toBe(5);
  expect(Math.max(...bytes)).toBeLessThanOrEqual(requestBytesMax);
  await client.close();
});

test("no more than a few requests to one broker are under way", async () => {
  const { cluster, client, lines } = linesOf(10);
  await lines.send({ value: "to learn the topic" });
  const { promise, resolve } = Promise.withResolvers<void>();
  cluster.produceGate = promise;
  const sends: Promise<unknown>[] = [];
  for (let partition = 0; partition < 10; partition += 1) {
    sends.push(lines.send({ value: "a", partition }));
    await new Promise((next) => setTimeout(next, 5));
  }
  expect(cluster.produced.length).toBe(1 + producesInFlightMax);
  resolve();
  await Promise.all(sends);
  expect(cluster.produced.length).toBe(2 + producesInFlightMax);
  await client.close();
});

test("one send more than may wait is refused", async () => {
  const { cluster, client } = linesOf();
  const late = client.topic("late", { value: string() });
  const waiting = Array.from({ length: waitingSendsMax }, () =>
    late.send({ value: "" }).catch((error: unknown) => error),
  );
  await expect(late.send({ value: "" })).rejects.toMatchObject({
    ...{ code: "BUFFER_EXHAUSTED", retriable: true },
  });
  cluster.createTopic("late");
  await Promise.all(waiting);
  expect(cluster.log("late").endOffset).toBe(waitingSendsMax);
  await client.close();
});

test("whoever waits for a topic that does not come learns it together", async () => {
  const { client } = linesOf();
  const nowhere = client.topic("nowhere", { value: string() });
  const sends = ["a", "b", "c"].map((value) => nowhere.send({ value }));
  const outcomes = await Promise.allSettled(sends);
  expect(outcomes.map((one) => one.status === "rejected" && one.reason.code)).toEqual(
    Array.from({ length: 3 }, () => "UNKNOWN_TOPIC_OR_PARTITION"),
  );
  await client.close();
}, 10_000);

test("a signal ends the wait for room, and takes no room", async () => {
  const { cluster, client, lines } = linesOf();
  const { promise, resolve } = Promise.withResolvers<void>();
  cluster.produceGate = promise;
  const producer = client.producer({ bufferedBytes: 1_000 });
  await producer.enqueue(lines, { value: "x".repeat(600) });
  const stop = new AbortController();
  const waiting = producer.enqueue(lines, { value: "x".repeat(600) }, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  resolve();
  await producer.flush();
  expect(producer.bufferedBytes).toBe(0);
  expect(cluster.log("lines").endOffset).toBe(1);
  await client.close();
});

test("a flush tells of a message that could not be delivered", async () => {
  const { cluster, client, lines } = linesOf();
  cluster.produceFault = () => ({ code: "TOPIC_AUTHORIZATION_FAILED" });
  const producer = client.producer();
  await producer.enqueue(lines, { value: "a" });
  await expect(producer.flush()).rejects.toMatchObject({ code: "TOPIC_AUTHORIZATION_FAILED" });
  await producer.flush();
  await client.close();
});

test("a key goes where Java's client sends it, and a partition that is named is kept to", async () => {
  const { cluster, client } = linesOf(10);
  const keyed = client.topic("lines", { key: string(), value: string() });
  // Of murmur2("foobar") = -790332482, made positive: 1357151166.
  expect(await keyed.send({ key: "foobar", value: "" })).toMatchObject({ partition: 6 });
  expect(await keyed.send({ key: "foobar", value: "", partition: 3 })).toMatchObject({
    partition: 3,
  });
  await expect(keyed.send({ key: "a", value: "", partition: 10 })).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
  });
  expect(cluster.log("lines", 3).records[0]?.key).toEqual(Buffer.from("foobar"));
  await client.close();
});

test("records without a key reach every partition", async () => {
  const { cluster, client, lines } = linesOf(4);
  for (let i = 0; i < 12; i += 1) await lines.send({ value: `${i}` });
  const counts = [0, 1, 2, 3].map((partition) => cluster.log("lines", partition).endOffset);
  expect(counts).toEqual([3, 3, 3, 3]);
  await client.close();
});

test("a message to a topic that was just created waits for it", async () => {
  const { cluster, client } = linesOf();
  const late = client.topic("late", { value: string() });
  const sent = late.send({ value: "a" });
  await new Promise((next) => setTimeout(next, 60));
  cluster.createTopic("late");
  expect(await sent).toMatchObject({ topic: "late", offset: 0 });
  await client.close();
});

test("closing sends what is held, and refuses what comes later", async () => {
  const { cluster, client, lines } = linesOf();
  const producer = client.producer({ lingerMs: 60_000 });
  const delivery = await producer.enqueue(lines, { value: "a" });
  await producer.close();
  expect(await delivery.acknowledged).toMatchObject({ offset: 0 });
  await expect(producer.send(lines, { value: "b" })).rejects.toMatchObject({ code: "CLOSED" });
  await client.close();
  expect(cluster.openTransports).toBe(0);
});

test("headers arrive in order, also two of one name", async () => {
  const { cluster, client, lines } = linesOf();
  const bytes = new Uint8Array([1]);
  await lines.send({
    value: "",
    headers: [
      ["a", "x"],
      ["a", bytes],
      ["b", null],
    ],
  });
  const [record] = cluster.log("lines").records;
  expect(record?.headers).toEqual([
    ["a", new TextEncoder().encode("x")],
    ["a", bytes],
    ["b", null],
  ]);
  await client.close();
});

test.for([
  [{ acks: "leader", idempotent: true }, "acks: all"],
  [{ batchBytes: 2_000_000 }, "batchBytes"],
  [{ lingerMs: -1 }, "lingerMs"],
  [{ lingerMs: timerMsMax + 1 }, "lingerMs"],
  [{ lingerMs: Number.NaN }, "lingerMs"],
  [{ batchBytes: Number.NaN }, "batchBytes"],
  [{ bufferedBytes: 0 }, "bufferedBytes"],
  [{ deliveryTimeoutMs: Number.POSITIVE_INFINITY }, "deliveryTimeoutMs"],
] as const)(
  "options that contradict each other, or are no numbers, are refused: %j",
  ([options, said]) => {
    const { client } = linesOf();
    expect(() => client.producer(options)).toThrow(said);
  },
);
