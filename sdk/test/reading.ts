/** A topic `lines` in memory, and consumers that do not wait long. */
import { string } from "../src/codec.ts";
import type { ConsumeOptions } from "../src/consumer/options.ts";
import type { MillraceClient } from "../src/connect.ts";
import type { Codec } from "../src/codec.ts";
import type { Topic } from "../src/topic.ts";
import { clientOf } from "./memory-client.ts";
import { MemoryCluster } from "./memory-cluster.ts";

export const quick: ConsumeOptions = {
  ...{ group: "readers", from: "earliest", autoCommitIntervalMs: 10 },
  ...{ heartbeatIntervalMs: 10, sessionTimeoutMs: 1_000, rebalanceTimeoutMs: 1_000 },
};

export interface Reading {
  readonly cluster: MemoryCluster;
  readonly client: MillraceClient;
  readonly lines: Topic<{ readonly value: Codec<string> }, "lines">;
  /** What the group `readers` has committed. */
  readonly committed: (partition?: number) => number | undefined;
}

/** Values go to the partitions in turn, a second apart. */
export async function setUp(values: readonly string[] = [], partitions = 1): Promise<Reading> {
  const cluster = new MemoryCluster({ fetchRecordsMax: 3 });
  cluster.createTopic("lines", partitions);
  const client = clientOf(cluster);
  const lines = client.topic("lines", { value: string() });
  for (const [index, value] of values.entries()) {
    await lines.send({ value, partition: index % partitions, timestamp: 1_000 * (index + 1) });
  }
  const committed = (partition = 0): number | undefined =>
    cluster.group("readers").offsets.get(`lines ${partition}`);
  return { cluster, client, lines, committed };
}

/** The first values, and then no more. */
export async function take(
  messages: AsyncIterable<{ readonly value: unknown }>,
  count: number,
): Promise<readonly unknown[]> {
  const values: unknown[] = [];
  for await (const { value } of messages) {
    values.push(value);
    if (values.length === count) break;
  }
  return values;
}
