/** What waits on its way into a producer, and for how long. */
import { afterEach, expect, test, vi } from "vitest";
import { json } from "../codec.ts";
import { ConnectionError } from "../errors.ts";
import { linesOf } from "../../test/memory-client.ts";

const large = "x".repeat(600);

afterEach(() => {
  vi.useRealTimers();
});

test("a message for a partition that is not there takes no room", async () => {
  const { client, lines } = linesOf();
  const producer = client.producer({ bufferedBytes: 1_000 });
  await producer.send(lines, { value: "to learn the topic" });
  for (let i = 0; i < 10; i += 1) {
    await expect(producer.send(lines, { value: large, partition: 7 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  }
  expect(producer.bufferedBytes).toBe(0);
  expect(await producer.send(lines, { value: large })).toMatchObject({ offset: 1 });
  await client.close();
});

test("a signal ends the wait also of who stands behind another", async () => {
  const { cluster, client, lines } = linesOf();
  const { promise, resolve } = Promise.withResolvers<void>();
  cluster.produceGate = promise;
  const producer = client.producer({ bufferedBytes: 1_000 });
  await producer.enqueue(lines, { value: large });
  const first = producer.enqueue(lines, { value: large });
  const stop = new AbortController();
  const second = producer.enqueue(lines, { value: large }, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await expect(second).rejects.toThrow("enough");
  resolve();
  await first;
  await client.close();
  expect(cluster.log("lines").endOffset).toBe(2);
});

test("a flush waits for what was there, and not for what others go on to send", async () => {
  const { cluster, client, lines } = linesOf(2);
  cluster.produceFault = () => {
    cluster.produceGate = new Promise((next) => setTimeout(next, 3));
    return "none";
  };
  const producer = client.producer();
  const sending = { isOver: false };
  const send = async (): Promise<void> => {
    while (!sending.isOver) await producer.send(lines, { value: "more" });
  };
  const senders = Array.from({ length: 8 }, () => send());
  const delivery = await producer.enqueue(lines, { value: "held" });
  let hasArrived = false;
  delivery.acknowledged.then(
    () => (hasArrived = true),
    () => undefined,
  );
  const late = new Promise((next) => setTimeout(next, 2_000, "late"));
  expect(await Promise.race([producer.flush().then(() => hasArrived), late])).toBe(true);
  sending.isOver = true;
  await Promise.all(senders);
  await client.close();
});

test("a message is sent as it was when it was handed over", async () => {
  const { cluster, client } = linesOf();
  const counts = client.topic("lines", { value: json<{ count: number }>() });
  const value = { count: 0 };
  const sends: Promise<unknown>[] = [];
  for (; value.count < 3; value.count += 1) sends.push(counts.send({ value }));
  await Promise.all(sends);
  expect(cluster.values("lines")).toEqual(['{"count":0}', '{"count":1}', '{"count":2}']);
  await client.close();
});

test("what is sent to a known topic while no broker answers has its whole time", async () => {
  vi.useFakeTimers();
  const { cluster, client, lines } = linesOf();
  const first = lines.send({ value: "first" });
  await vi.advanceTimersByTimeAsync(100);
  await first;
  cluster.produceFault = () => "lost before";
  cluster.metadataFault = () => new ConnectionError("nobody is there");
  const sends = [lines.send({ value: "a" })];
  await vi.advanceTimersByTimeAsync(10_000);
  sends.push(lines.send({ value: "b" }));
  const outcomes = Promise.allSettled(sends);
  await vi.advanceTimersByTimeAsync(70_000);
  cluster.produceFault = () => "none";
  cluster.metadataFault = () => undefined;
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await outcomes).toMatchObject([{ value: { offset: 1 } }, { value: { offset: 2 } }]);
  const closing = client.close();
  await vi.advanceTimersByTimeAsync(100);
  await closing;
});

test("the time of a message begins when it is handed over, not when there is room", async () => {
  vi.useFakeTimers();
  const { cluster, client, lines } = linesOf();
  cluster.produceFault = () => "lost before";
  const producer = client.producer({ bufferedBytes: 1_000, deliveryTimeoutMs: 5_000 });
  const sends = Promise.allSettled([large, large].map((value) => producer.send(lines, { value })));
  let isOver = false;
  void sends.finally(() => (isOver = true));
  await vi.advanceTimersByTimeAsync(8_000);
  expect(isOver).toBe(true);
  expect((await sends).map((one) => one.status === "rejected" && one.reason.code)).toEqual([
    ...["DELIVERY_TIMED_OUT", "DELIVERY_TIMED_OUT"],
  ]);
  await client.close();
});

test("no request takes longer than a record may", async () => {
  const { cluster, client } = linesOf();
  client.producer({ deliveryTimeoutMs: 1_500 });
  client.producer();
  expect(cluster.opened).toEqual([{ requestTimeoutMs: 1_500 }, { requestTimeoutMs: 30_000 }]);
  await client.close();
});

test("a producer that is closed leaves no timer behind", async () => {
  vi.useFakeTimers();
  const { client, lines } = linesOf();
  const producer = client.producer({ lingerMs: 60_000 });
  const delivery = producer.enqueue(lines, { value: "a" });
  await vi.advanceTimersByTimeAsync(100);
  await delivery;
  const closing = producer.close();
  await vi.advanceTimersByTimeAsync(100);
  await closing;
  expect(vi.getTimerCount()).toBe(0);
});

test("producers that send one record each do not all choose the same partition", async () => {
  const { cluster, client, lines } = linesOf(4);
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      await using producer = client.producer();
      await producer.send(lines, { value: "" });
    }),
  );
  const reached = [0, 1, 2, 3].filter((partition) => cluster.log("lines", partition).endOffset > 0);
  expect(reached.length).toBeGreaterThan(1);
  await client.close();
});

test("a closed client refuses to send by a rejection", async () => {
  const { client, lines } = linesOf();
  await client.close();
  await expect(lines.send({ value: "a" })).rejects.toMatchObject({ code: "CLOSED" });
});
