/** What happens to the batches of a partition when a few of them are under way at a time. */
import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { string } from "../codec.ts";
import { batchesInFlightMax, producesInFlightMax } from "../limits.ts";
import { MemoryCluster, type ProduceFault } from "../../test/memory-cluster.ts";
import { clientOf, until } from "../../test/memory-client.ts";
import type { Producer } from "./producer.ts";

/** Two of these fill a batch of `batchBytes`. */
const valueBytes = 68;
const batchBytes = 200;

function setUp(partitions = 1) {
  const cluster = new MemoryCluster();
  cluster.createTopic("lines", partitions);
  const client = clientOf(cluster);
  const lines = client.topic("lines", { value: string() });
  const sendAll = (producer: Producer, values: readonly string[]) =>
    Promise.allSettled(values.map((value) => producer.send(lines, { value })));
  return { cluster, client, lines, sendAll };
}

function valuesUpTo(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${i}`.padEnd(valueBytes, "."));
}

function hold(cluster: MemoryCluster): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  cluster.produceGate = promise;
  return resolve;
}

const turn = (): Promise<void> => new Promise((next) => setTimeout(next, 10));

afterEach(() => {
  vi.useRealTimers();
});

test("a few full batches of a partition are under way at a time, the first of a producer alone", async () => {
  const { cluster, client, sendAll } = setUp();
  const producer = client.producer({ batchBytes });
  const values = valuesUpTo(24);
  const openFirst = hold(cluster);
  const sent = sendAll(producer, values);
  await until("the first request", () => cluster.produced.length > 0);
  await turn();
  expect(cluster.produced.length).toBe(1);
  const openRest = hold(cluster);
  openFirst();
  await until("the others", () => cluster.produced.length > 1);
  await turn();
  expect(cluster.produced.length).toBe(1 + batchesInFlightMax);
  openRest();
  await sent;
  expect(cluster.values("lines")).toEqual(values);
  await client.close();
});

test("a producer that is not idempotent has one batch of a partition under way", async () => {
  const { cluster, client, sendAll } = setUp();
  const producer = client.producer({ batchBytes, idempotent: false });
  await sendAll(producer, ["to learn the topic"]);
  const open = hold(cluster);
  const sent = sendAll(producer, valuesUpTo(8));
  await until("a request", () => cluster.produced.length > 1);
  await turn();
  expect(cluster.produced.length).toBe(2);
  open();
  await sent;
  await client.close();
});

const faults: readonly (readonly [string, ProduceFault])[] = [
  ["is lost on its way", "lost before"],
  ["is appended and its answer lost", "lost after"],
  ["is refused for a while", { code: "NOT_LEADER_OR_FOLLOWER", retriable: true }],
  ["is too large", { code: "MESSAGE_TOO_LARGE" }],
  ["comes to a broker that has forgotten the producer", { code: "UNKNOWN_PRODUCER_ID" }],
];

/** Sends as many batches as may be under way, of which the second meets the fault. */
async function sendBehind(fault: ProduceFault) {
  const { cluster, client, sendAll } = setUp();
  const producer = client.producer({ batchBytes });
  await sendAll(producer, ["first"]);
  let asked = 0;
  cluster.produceFault = () => (asked++ === 1 ? fault : "none");
  const open = hold(cluster);
  const values = valuesUpTo(16);
  const sent = sendAll(producer, values);
  await until("the requests", () => cluster.produced.length === 1 + batchesInFlightMax);
  open();
  const outcomes = await sent;
  await client.close();
  return { outcomes, stored: cluster.values("lines"), values };
}

test.for(faults)(
  "records keep their order when a batch %s and others follow it",
  async ([, fault]) => {
    const { outcomes, stored, values } = await sendBehind(fault);
    expect(stored).toEqual(["first", ...values]);
    expect(outcomes.map((one) => one.status === "fulfilled" && one.value.offset)).toEqual(
      values.map((_, i) => i + 1),
    );
  },
);

test("a batch that is refused for good takes nothing with it that was sent behind it", async () => {
  const { outcomes, stored, values } = await sendBehind({ code: "INVALID_RECORD" });
  const refused = outcomes.flatMap(({ status }, i) => (status === "rejected" ? [i] : []));
  expect(refused).toEqual([2, 3]);
  expect(stored).toEqual(["first", ...values.toSpliced(2, 2)]);
});

test("the numbers of a batch that may have been appended are not given to the next", async () => {
  const { cluster, client, lines } = setUp();
  const outcomes: ProduceFault[] = ["lost after", { code: "TOPIC_AUTHORIZATION_FAILED" }];
  cluster.produceFault = () => outcomes.shift() ?? "none";
  await expect(lines.send({ value: "a" })).rejects.toMatchObject({
    code: "TOPIC_AUTHORIZATION_FAILED",
  });
  expect(await lines.send({ value: "b" })).toMatchObject({ offset: 1 });
  expect(cluster.values("lines")).toEqual(["a", "b"]);
  await client.close();
});

test("a partition that has much to send leaves the others their part of the requests", async () => {
  const partitions = 4;
  const { cluster, client, lines } = setUp(partitions);
  const producer = client.producer();
  const each = Array.from({ length: partitions }, (_, partition) => partition);
  await Promise.all(each.map((partition) => producer.send(lines, { value: "first", partition })));
  const before = cluster.produced.length;
  const open = hold(cluster);
  const value = "x".repeat(300_000);
  const sent = Promise.all(
    each.flatMap((partition) =>
      Array.from({ length: 10 }, () => producer.send(lines, { value, partition })),
    ),
  );
  await until("the requests", () => cluster.produced.length === before + producesInFlightMax);
  const counts = cluster.produced
    .slice(before)
    .flatMap(({ batches }) => batches)
    .reduce(
      (sums, { partition }) => sums.with(partition, (sums[partition] ?? 0) + 1),
      [0, 0, 0, 0],
    );
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  open();
  await sent;
  await client.close();
});

test("records without a key go to the next partition when a batch is full", async () => {
  const partitions = 4;
  const { cluster, client, sendAll } = setUp(partitions);
  const producer = client.producer({ batchBytes });
  const values = valuesUpTo(2 * partitions).map((value) => value.slice(1));
  await sendAll(producer, values);
  const counts = [0, 1, 2, 3].map((partition) => cluster.log("lines", partition).endOffset);
  expect(counts).toEqual([2, 2, 2, 2]);
  await client.close();
});

test("a batch goes without lingering when a record of a later turn does not fit into it", async () => {
  const { cluster, client, lines } = setUp();
  const producer = client.producer({ lingerMs: 60_000, batchBytes });
  for (const value of valuesUpTo(3).map((one) => one.slice(1))) {
    await producer.enqueue(lines, { value });
    await turn();
  }
  await until("the full batch", () => cluster.produced.length > 0);
  expect(cluster.values("lines").length).toBe(2);
  await client.close();
});

const anyFault = fc.oneof(
  { weight: 6, arbitrary: fc.constant<ProduceFault>("none") },
  {
    weight: 4,
    arbitrary: fc.constantFrom<ProduceFault>(
      ...faults.map(([, fault]) => fault),
      { code: "OUT_OF_ORDER_SEQUENCE_NUMBER" },
      { code: "INVALID_RECORD" },
      "garbled after",
      "failed after",
    ),
  },
);

/** Sends in a few bursts while requests fail as they are told to, in time that is not waited for. */
async function sendThrough(
  scenario: readonly ProduceFault[],
  takesAnyFirst: boolean,
): Promise<{
  readonly stored: readonly string[];
  readonly outcomes: readonly PromiseSettledResult<{ readonly offset: number }>[];
}> {
  const { cluster, client, lines } = setUp();
  cluster.log("lines").takesAnyFirst = takesAnyFirst;
  const coming = [...scenario];
  cluster.produceFault = () => coming.shift() ?? "none";
  const producer = client.producer({ batchBytes, deliveryTimeoutMs: 1_500 });
  const sends: Promise<{ readonly offset: number }>[] = [];
  let burst = 0;
  for (const [index, value] of valuesUpTo(30).entries()) {
    const sent = producer.send(lines, { value });
    sent.catch(() => undefined);
    sends.push(sent);
    if (index % 10 === 9) await vi.advanceTimersByTimeAsync((burst += 40));
  }
  const outcomes = await inFakeTime(async () => {
    const settled = await Promise.allSettled(sends);
    await client.close();
    return settled;
  });
  return { stored: cluster.values("lines"), outcomes };
}

/** Timers stand still unless somebody moves them. */
async function inFakeTime<T>(run: () => Promise<T>): Promise<T> {
  const state = { isOver: false };
  const running = run().finally(() => (state.isOver = true));
  while (!state.isOver) await vi.advanceTimersByTimeAsync(50);
  return running;
}

test.for([false, true])(
  "whatever fails, nothing is written twice or out of order, and what is acknowledged is there (%s)",
  async (takesAnyFirst) => {
    vi.useFakeTimers();
    const property = fc.asyncProperty(
      fc.array(anyFault, { minLength: 1, maxLength: 24 }),
      async (scenario) => {
        const { stored, outcomes } = await sendThrough(scenario, takesAnyFirst);
        const numbers = stored.map((value) => Number.parseInt(value, 10));
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        for (const [number, outcome] of outcomes.entries()) {
          if (outcome.status === "fulfilled") expect(numbers[outcome.value.offset]).toBe(number);
        }
      },
    );
    await fc.assert(property, { seed: 11, numRuns: 150 });
  },
);
