import { ApiKey, ErrorCode } from "@millrace/wire";
import type { PartitionRef } from "./client.ts";
import type { KafkaConnection } from "./kafka-connection.ts";

/** -1n is the latest offset, -2n the earliest; otherwise the first at or after the timestamp. */
export async function listOffset(
  connection: KafkaConnection,
  ref: PartitionRef,
  timestamp: bigint,
): Promise<{ readonly offset: number; readonly timestamp: number } | undefined> {
  const answer = await connection.request(ApiKey.ListOffsets, 7, {
    replicaId: -1,
    topics: [{ name: ref.topic, partitions: [{ partitionIndex: ref.partition, timestamp }] }],
  });
  const part = answer.topics[0]?.partitions[0];
  return part?.errorCode === ErrorCode.NONE ? part : undefined;
}
