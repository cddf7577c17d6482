/**
 * Batches made here and sent raw: for loads that Kafka's tools can't make, of exactly as much for
 * each of thousands of partitions, or with keys that come again. The same bytes for both brokers.
 */
import { withClient } from "../fixtures/wire-client.ts";
import { appendBatches, type PartitionBatch } from "./topics.ts";

/** Below Kafka's `message.max.bytes`. */
export const rawBatchBytes = 1_000_000;
const connections = 2;
const requestBatchesMax = 16;

export interface RawLoad {
  readonly topic: string;
  readonly partitionCount: number;
  /** Batches for each partition. */
  readonly rounds: number;
  readonly batchOf: (round: number, partition: number) => Uint8Array;
}

/** Appends a batch of each round to each partition; a round may overtake the one before it. */
export async function appendRaw(port: number, load: RawLoad): Promise<void> {
  const requests = requestsOf(load);
  const lanes = Array.from({ length: connections }, () =>
    withClient(port, async (client) => {
      for (const batches of requests) await appendBatches(client, load.topic, batches);
    }),
  );
  await Promise.all(lanes);
}

/** One iterator for all connections: each takes what is next. A request names no partition twice. */
function* requestsOf({ batchOf, partitionCount, rounds }: RawLoad): Generator<PartitionBatch[]> {
  for (let round = 0; round < rounds; round += 1) {
    for (let first = 0; first < partitionCount; first += requestBatchesMax) {
      const count = Math.min(requestBatchesMax, partitionCount - first);
      const partitions = Array.from({ length: count }, (_, index) => first + index);
      yield partitions.map((partition) => ({ partition, batch: batchOf(round, partition) }));
    }
  }
}
