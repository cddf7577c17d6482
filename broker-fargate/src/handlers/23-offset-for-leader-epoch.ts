/**
 * OffsetForLeaderEpoch v2–v4: where an epoch ended, so that a client can see whether the log that
 * it read was cut (KIP-320). Shows the durable end at most.
 */
import {
  ApiKey,
  type OffsetForLeaderEpochResponseEpochEndOffsetInput,
  ErrorCode,
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochResponseInput,
  type OffsetForLeaderPartition,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import { hasPartition, leaderEpochError, withPartition } from "./find-partition.ts";
import type { Handler } from "./handler.ts";
import { learnTopics, missingPartitionCode, named } from "./missing-topics.ts";

export function offsetForLeaderEpochHandler(
  broker: Broker,
): Handler<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponseInput> {
  return {
    apiKey: ApiKey.OffsetForLeaderEpoch,
    versions: { min: 2, max: 4 },
    handle: async (request) => {
      const isConfirmed = await learnTopics(
        broker,
        request.topics.map(({ topic }) => named(topic)),
      );
      const missing = missingPartitionCode(isConfirmed);
      return {
        topics: await Promise.all(
          request.topics.map(async ({ topic, partitions }) => ({
            topic,
            partitions: await Promise.all(
              partitions.map((asked) => answerPartition(broker, topic, { asked, missing })),
            ),
          })),
        ),
      };
    },
  };
}

async function answerPartition(
  broker: Broker,
  name: string,
  { asked, missing }: { readonly asked: OffsetForLeaderPartition; readonly missing: number },
): Promise<OffsetForLeaderEpochResponseEpochEndOffsetInput> {
  const { partition } = asked;
  const topic = broker.cluster.topics.byName(name);
  if (topic === undefined || !hasPartition(topic, partition)) {
    return { partition, errorCode: missing };
  }
  return withPartition(
    broker,
    { topicId: topic.id, partition },
    (owner) => {
      const errorCode = leaderEpochError(asked.currentLeaderEpoch, owner.leaderEpoch);
      if (errorCode !== ErrorCode.NONE) return { partition, errorCode };
      const { epoch, endOffset } = owner.endOffsetFor(asked.leaderEpoch);
      return { partition, errorCode: ErrorCode.NONE, leaderEpoch: epoch, endOffset };
    },
    (errorCode) => ({ partition, errorCode }),
  );
}
