import { afterEach, expect, test, vi } from "vitest";
import { clientOf } from "../../test/memory-client.ts";
import { MemoryCluster } from "../../test/memory-cluster.ts";
import { string } from "../codec.ts";
import {
  fetchWaitMsMax,
  idleRestMs,
  metadataAgeMsMax,
  partitionFetchBytesMax,
  turnMessagesMax,
} from "../limits.ts";

afterEach(() => {
  vi.useRealTimers();
});

function clusterWith(records: { readonly count: number; readonly bytes: number }): MemoryCluster {
  const cluster = new MemoryCluster({
    fetchRecordsMax: Math.min(5_000, Math.ceil(partitionFetchBytesMax / records.bytes)),
  });
  cluster.createTopic("lines", 2);
  const record = {
    key: null,
    value: Buffer.alloc(records.bytes, "x"),
    headers: [],
    timestampMs: 0,
  };
  const written = Array.from({ length: records.count }, () => record);
  cluster.log("lines", 0).append({ topic: "lines", partition: 0, records: written });
  return cluster;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

test("a partition without news does not hold up those that are read", async () => {
  const fetches = 20;
  const bytes = partitionFetchBytesMax / 4;
  const cluster = clusterWith({ count: 4 * fetches, bytes });
  cluster.fetchWaitMsMax = fetchWaitMsMax;
  const client = clientOf(cluster);
  const startedMs = performance.now();
  let left = 4 * fetches;
  for await (const { partition } of client
    .topic("lines", { value: string() })
    .consume({ from: "earliest" })) {
    expect(partition).toBe(0);
    left -= 1;
    if (left === 0) break;
    await pause(5);
  }
  expect(performance.now() - startedMs).toBeLessThan((fetches / 4) * fetchWaitMsMax);
  await client.close();
});

test("a partition without news is asked again only after a rest while others are read", async () => {
  const cluster = clusterWith({ count: 4, bytes: partitionFetchBytesMax / 4 });
  const client = clientOf(cluster);
  const consumer = client.topic("lines", { value: string() }).consume({ from: "earliest" });
  const messages = consumer[Symbol.asyncIterator]();
  await messages.next();
  const before = cluster.fetches;
  await pause(4 * idleRestMs);
  const asked = cluster.fetches - before;
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThan(8);
  await messages.return?.();
  await client.close();
});

test.for(["a loop", "a handler"])(
  "%s that waits for nothing leaves the event loop its turns",
  async (use) => {
    const count = 10 * turnMessagesMax;
    const client = clientOf(clusterWith({ count, bytes: 10 }));
    let seen = 0;
    let seenByTurn: number | undefined;
    const see = (): boolean => {
      seen += 1;
      if (seen === 1) setImmediate(() => (seenByTurn = seen));
      return seen === count;
    };
    const consumer = client.topic("lines", { value: string() }).consume({ from: "earliest" });
    if (use === "a loop") {
      for await (const _ of consumer) if (see()) break;
    } else {
      await consumer.run(() => {
        if (see()) consumer.stop().catch(() => undefined);
      });
    }
    expect(seen).toBe(count);
    expect(seenByTurn).toBeLessThanOrEqual(turnMessagesMax + 1);
    await client.close();
  },
);

test("a consumer of a rack reads from the broker that the leader names, and goes back after a while", async () => {
  vi.useFakeTimers();
  const cluster = clusterWith({ count: 3, bytes: 10 });
  cluster.nearerNode = 7;
  const client = clientOf(cluster);
  const lines = client.topic("lines", { value: string() });
  const consumer = lines.consume({ from: "earliest", rack: "here" });
  let seen = 0;
  const running = consumer.run(() => void (seen += 1));
  await vi.advanceTimersByTimeAsync(2_000);
  expect([seen, [...cluster.fetchedFrom]]).toEqual([3, [7]]);
  cluster.nearerNode = undefined;
  await vi.advanceTimersByTimeAsync(2 * metadataAgeMsMax);
  expect([...cluster.fetchedFrom]).toEqual([7, 1]);
  const stopping = consumer.stop();
  await vi.advanceTimersByTimeAsync(1_000);
  await Promise.all([stopping, running]);
  await client.close();
});

test("what two brokers answer is handed out once, when the leader is asked again meanwhile", async () => {
  vi.useFakeTimers();
  const cluster = clusterWith({ count: 3, bytes: 10 });
  cluster.nearerNode = 7;
  // So that the nearer broker's time is up in the midst of a poll.
  cluster.fetchWaitMsMax = 350;
  const client = clientOf(cluster);
  const lines = client.topic("lines", { value: string() });
  const consumer = lines.consume({ from: "earliest", rack: "here" });
  const offsets: number[] = [];
  const running = consumer.run(({ offset }) => void offsets.push(offset));
  await vi.advanceTimersByTimeAsync(metadataAgeMsMax - 2_000);
  cluster.nearerNode = undefined;
  for (let step = 0; step < 2_000 && !cluster.fetchedFrom.has(1); step += 1) {
    await vi.advanceTimersByTimeAsync(5);
    // As messages of other partitions do, it has the fetcher look.
    consumer.resume();
  }
  const records = [{ key: null, value: Buffer.from("new"), headers: [], timestampMs: 0 }];
  cluster.log("lines", 0).append({ topic: "lines", partition: 0, records });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(offsets).toEqual([0, 1, 2, 3]);
  const stopping = consumer.stop();
  await vi.advanceTimersByTimeAsync(1_000);
  await Promise.all([stopping, running]);
  await client.close();
});
