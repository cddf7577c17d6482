import { afterEach, expect, test, vi } from "vitest";
import { ConnectionError } from "../errors.ts";
import { until } from "../../test/memory-client.ts";
import { quick, setUp } from "../../test/reading.ts";
import type { RebalanceEvent } from "./options.ts";

afterEach(() => {
  vi.useRealTimers();
});

test("two members share the partitions, and one gets them all when the other leaves", async () => {
  const { client, lines, cluster } = await setUp([], 4);
  const seen = new Map<string, string[]>();
  const join = (name: string) => {
    seen.set(name, []);
    const consumer = lines.consume(quick);
    return { consumer, running: consumer.run(({ value }) => void seen.get(name)?.push(value)) };
  };
  const one = join("one");
  await until("one member", () => one.consumer.assignment.length === 4);
  const other = join("other");
  await until("two members", () => other.consumer.assignment.length === 2);
  for (let partition = 0; partition < 4; partition += 1) {
    await lines.send({ value: `${partition}`, partition });
  }
  await until("four messages", () => [...seen.values()].flat().length === 4);
  expect([...seen.values()].map(({ length }) => length)).toEqual([2, 2]);
  await other.consumer.stop();
  await other.running;
  await until("one member again", () => one.consumer.assignment.length === 4);
  await lines.send({ value: "more", partition: 3 });
  await until("the fifth", () => seen.get("one")?.includes("more") === true);
  expect([...seen.values()].flat().length).toBe(5);
  await one.consumer.stop();
  await one.running;
  expect(cluster.group("readers").members.size).toBe(0);
  await client.close();
});

test("a rebalance waits for what is in hand, and commits it first", async () => {
  const { client, lines, committed } = await setUp(["a"]);
  const events: string[] = [];
  const onRebalance = ({ kind }: RebalanceEvent): void => void events.push(kind);
  const consumer = lines.consume({ ...quick, autoCommitIntervalMs: 60_000, onRebalance });
  const gate = Promise.withResolvers<void>();
  const running = consumer.run(async () => {
    events.push("handling");
    await gate.promise;
    events.push("handled");
  });
  await until("the handler", () => events.includes("handling"));
  const second = lines.consume(quick);
  const secondRuns = second.run(() => undefined);
  await new Promise((next) => setTimeout(next, 50));
  expect(committed()).toBeUndefined();
  gate.resolve();
  await until("the second assignment", () => events.length >= 5);
  expect(events).toEqual(["assigned", "handling", "handled", "revoked", "assigned"]);
  expect(committed()).toBe(1);
  await Promise.all([consumer.stop(), second.stop()]);
  await Promise.all([running, secondRuns]);
  await client.close();
});

test("a member that the group has put out says so, and joins anew", async () => {
  const { client, lines, cluster } = await setUp(["a"]);
  const events: RebalanceEvent["kind"][] = [];
  const consumer = lines.consume({ ...quick, onRebalance: ({ kind }) => void events.push(kind) });
  const running = consumer.run(() => undefined);
  await until("the assignment", () => events.length === 1);
  const group = cluster.group("readers");
  for (const memberId of group.members.keys()) group.remove(memberId);
  await until("another assignment", () => events.length === 3);
  expect(events).toEqual(["assigned", "lost", "assigned"]);
  await consumer.stop();
  await running;
  await client.close();
});

test("what onRebalance throws ends the consumer, as the cause", async () => {
  const { client, lines, cluster } = await setUp(["a"]);
  const thrown = new Error("broken");
  const onRebalance = (): never => {
    throw thrown;
  };
  const running = lines.consume({ ...quick, onRebalance }).run(() => undefined);
  await expect(running).rejects.toMatchObject({ code: "INVALID_ARGUMENT", cause: thrown });
  expect(cluster.group("readers").members.size).toBe(0);
  await client.close();
});

test("a leader that can't learn what topics have assigns nothing meanwhile, and then all of it", async () => {
  vi.useFakeTimers();
  const { client, lines, cluster } = await setUp([], 2);
  const assigned: number[] = [];
  const onRebalance = ({ kind, partitions }: RebalanceEvent): void => {
    if (kind === "assigned") assigned.push(partitions.length);
  };
  const consumer = lines.consume({ ...quick, onRebalance });
  let asked = 0;
  cluster.metadataFault = () => (asked++ === 0 ? undefined : new ConnectionError("away"));
  const running = consumer.run(() => undefined);
  await vi.advanceTimersByTimeAsync(8_000);
  cluster.metadataFault = () => undefined;
  await vi.advanceTimersByTimeAsync(3_000);
  expect(assigned).toEqual([2]);
  const stopping = consumer.stop();
  await vi.advanceTimersByTimeAsync(1_000);
  await stopping;
  await running;
  await client.close();
});
