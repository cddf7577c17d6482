/** How consumers end: whom they wait for, what they commit, what they leave behind. */
import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { string } from "../codec.ts";
import { BrokerError } from "../errors.ts";
import { groupRequestTimeoutMsMax, timerMsMax } from "../limits.ts";
import { digits, until } from "../../test/memory-client.ts";
import { quick, setUp, take } from "../../test/reading.ts";
import { sleep } from "../timing.ts";

test("who stops within onRebalance, or for an invalid message, does not wait for itself", async () => {
  const { client, lines } = await setUp(["1", "two", "3"]);
  let stop = (): Promise<void> => Promise.resolve();
  const first = lines.consume({ ...quick, onRebalance: () => stop() });
  stop = () => first.stop();
  await first.run(() => undefined);
  const typed = client.topic("lines", { value: string(digits) });
  const values: number[] = [];
  const second = typed.consume({ ...quick, onInvalid: () => stop() });
  stop = () => second.stop();
  await second.run(({ value }) => void values.push(value));
  expect(values).toEqual([1]);
  await client.close();
}, 3_000);

test("heartbeats go on while onRebalance takes its time", async () => {
  const { client, lines, cluster } = await setUp();
  const gate = Promise.withResolvers<void>();
  const consumer = lines.consume({ ...quick, onRebalance: () => gate.promise });
  const running = consumer.run(() => undefined);
  await until("some heartbeats", () => cluster.group("readers").heartbeats > 3);
  gate.resolve();
  await consumer.stop();
  await running;
  await client.close();
});

test("closing the client lets handlers send until they are done", async () => {
  const { client, lines, cluster, committed } = await setUp(["a"]);
  cluster.createTopic("copies");
  const copies = client.topic("copies", { value: string() });
  const started = Promise.withResolvers<void>();
  const running = lines.consume(quick).run(async ({ value }) => {
    started.resolve();
    await new Promise((next) => setTimeout(next, 50));
    await copies.send({ value });
  });
  await started.promise;
  await client.close();
  await running;
  expect(cluster.values("copies")).toEqual(["a"]);
  expect(committed()).toBe(1);
});

test("a handler that closes the client does not wait for itself, and others may send until they are done", async () => {
  const { client, lines, cluster } = await setUp(["a", "b"]);
  cluster.createTopic("copies");
  const copies = client.topic("copies", { value: string() });
  const closing = Promise.withResolvers<void>();
  await lines.consume(quick).run(
    async ({ value }) => {
      if (value === "a") {
        await closing.promise;
        await sleep(20);
        await copies.send({ value });
      } else {
        await client.close();
        closing.resolve();
      }
    },
    { concurrency: 2 },
  );
  await client.close();
  expect(cluster.values("copies")).toEqual(["a"]);
  expect(client.openCount).toBe(0);
}, 3_000);

test("who stops a consumer within a handler of another one, which its own handler runs, waits for neither", async () => {
  const { client, lines, cluster } = await setUp(["outer"]);
  cluster.createTopic("others");
  const others = client.topic("others", { value: string() });
  await others.send({ value: "inner" });
  const outer = lines.consume(quick);
  const inner = others.consume({ ...quick, group: "inner" });
  const seen: string[] = [];
  await outer.run(async ({ value }) => {
    seen.push(value);
    await inner.run(async (message) => {
      seen.push(message.value);
      await outer.stop();
      await inner.stop();
    });
  });
  expect(seen).toEqual(["outer", "inner"]);
  await client.close();
}, 3_000);

test("the last commit is tried again where a broker says that it passes", async () => {
  const { client, lines, cluster, committed } = await setUp(["a", "b"]);
  const consumer = lines.consume({ ...quick, autoCommitIntervalMs: 60_000 });
  let failures = 2;
  await consumer.run(({ value }) => {
    if (value !== "b") return;
    const moved = new BrokerError({ code: "NOT_COORDINATOR", message: "moved", retriable: true });
    cluster.commitFault = () => (failures-- > 0 ? moved : undefined);
    consumer.stop().catch(() => undefined);
  });
  expect(committed()).toBe(2);
  await client.close();
});

test("stop waits for handlers of partitions that were lost meanwhile", async () => {
  const { client, lines, cluster } = await setUp(["a"]);
  const events: string[] = [];
  const onRebalance = ({ kind }: { readonly kind: string }): void => void events.push(kind);
  const consumer = lines.consume({ ...quick, onRebalance });
  const gate = Promise.withResolvers<void>();
  let isFirst = true;
  const running = consumer.run(async () => {
    if (!isFirst) return;
    isFirst = false;
    events.push("handling");
    await gate.promise;
    events.push("handled");
  });
  await until("the handler", () => events.includes("handling"));
  const group = cluster.group("readers");
  for (const memberId of group.members.keys()) group.remove(memberId);
  await until("the loss", () => events.includes("lost"));
  const stopped = consumer.stop().then(() => events.push("stopped"));
  await new Promise((next) => setTimeout(next, 50));
  expect(events).not.toContain("stopped");
  gate.resolve();
  await stopped;
  expect(events.at(-2)).toBe("handled");
  await running;
  await client.close();
});

test("a signal that outlives waits and consumers keeps nothing of them", async () => {
  const { client, lines } = await setUp(["a"]);
  const { signal } = new AbortController();
  await sleep(1, signal);
  await take(lines.consume({ ...quick, signal }), 1);
  expect(getEventListeners(signal, "abort")).toEqual([]);
  await client.close();
});

test("a request of a group has less time than others", async () => {
  const { client, lines, cluster } = await setUp();
  cluster.opened.length = 0;
  lines.consume(quick);
  expect(cluster.opened).toContainEqual({ requestTimeoutMs: groupRequestTimeoutMsMax });
  await client.close();
});

test("the longest rebalance gives no request more time than a timer takes", async () => {
  const { client, lines, cluster } = await setUp();
  cluster.opened.length = 0;
  lines.consume({ ...quick, rebalanceTimeoutMs: timerMsMax });
  for (const options of cluster.opened) {
    expect(options?.requestTimeoutMs ?? 0).toBeLessThanOrEqual(timerMsMax);
  }
  expect(cluster.opened).toHaveLength(3);
  await client.close();
});
