/**
 * DeleteRecords v0–v2: makes an offset the first one that can be read of a partition; −1 is the high
 * watermark. Any offset that was reached before is right, and changes nothing.
 *
 * Path: one answer for each partition, some in each turn → find it, and refuse what Kafka refuses
 * (internal topics, topics that are compacted and nothing else, offsets that are not there) → its
 * owner stores the new start → the answer, with the start that is then in force. Files go after that.
 *
 * A partition whose start is not stored in time is REQUEST_TIMED_OUT: it may be stored nevertheless.
 */
import { DiskError, MetadataError } from "@millrace/core";
import {
  ApiKey,
  type DeleteRecordsPartitionResultInput,
  type DeleteRecordsRequest,
  type DeleteRecordsResponseInput,
  ErrorCode,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import { deleteRecordsWaitMsMin } from "../limits.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { confirmed, hasPartition, isLostLead, withPartition } from "./find-partition.ts";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";
import { learnTopics, missingPartitionCode, named } from "./missing-topics.ts";
import { groupedBy } from "./topic-outcome.ts";

const upToHighWatermark = -1;
const noLowWatermark = -1;

interface Asked {
  readonly name: string;
  readonly partitionIndex: number;
  readonly offset: number;
}

type Result = DeleteRecordsPartitionResultInput;

export function deleteRecordsHandler(
  broker: Broker,
): Handler<DeleteRecordsRequest, DeleteRecordsResponseInput> {
  return {
    apiKey: ApiKey.DeleteRecords,
    versions: { min: 0, max: 2 },
    handle: async ({ timeoutMs, topics }) => {
      const asked = once(topics);
      const isConfirmed = await learnTopics(
        broker,
        topics.map(({ name }) => named(name)),
      );
      const waitMs = Math.max(timeoutMs, deleteRecordsWaitMsMin);
      const results = await inTurns(broker.clock, asked, async (partition) => ({
        name: partition.name,
        result: await deleteRecords(broker, partition, { waitMs, isConfirmed }),
      }));
      const byTopic = groupedBy(results, ({ name }) => name);
      return {
        throttleTimeMs: 0,
        topics: [...byTopic].map(([name, ofTopic]) => ({
          name,
          partitions: ofTopic.map(({ result }) => result),
        })),
      };
    },
  };
}

/** Each partition once. Of one that comes twice the last offset counts, as in Kafka. */
function once(topics: DeleteRecordsRequest["topics"]): readonly Asked[] {
  const found = new Map<string, Map<number, Asked>>();
  for (const { name, partitions } of topics) {
    const ofTopic = found.get(name) ?? new Map<number, Asked>();
    found.set(name, ofTopic);
    for (const { offset, partitionIndex } of partitions) {
      ofTopic.set(partitionIndex, { name, partitionIndex, offset });
    }
  }
  return [...found.values()].flatMap((ofTopic) => [...ofTopic.values()]);
}

function deleteRecords(
  broker: Broker,
  { name, offset, partitionIndex }: Asked,
  { waitMs, isConfirmed }: { readonly waitMs: number; readonly isConfirmed: boolean },
): Result | Promise<Result> {
  const failed = (errorCode: number): Result => {
    return { partitionIndex, lowWatermark: noLowWatermark, errorCode };
  };
  const topic = broker.cluster.topics.byName(name);
  if (topic === undefined || !hasPartition(topic, partitionIndex)) {
    return failed(missingPartitionCode(isConfirmed));
  }
  if (topic.isInternal) return failed(ErrorCode.INVALID_TOPIC_EXCEPTION);
  const { cleanupPolicy } = broker.cluster.topicSettings(topic);
  // Without either policy records are kept until somebody asks for their deletion, so this may.
  const isOnlyCompacted = cleanupPolicy.compact && !cleanupPolicy.delete;
  if (isOnlyCompacted) return failed(ErrorCode.POLICY_VIOLATION);
  const at = { topicId: topic.id, partition: partitionIndex };
  return withPartition(
    broker,
    at,
    async (owner) => {
      const answer = await within(broker, waitMs, startAt(broker, owner, offset));
      if (answer !== "late") {
        const errorCode = await confirmed(broker, at, answer.errorCode);
        return { partitionIndex, ...answer, errorCode };
      }
      const lowWatermark = owner.logStartOffset;
      return { partitionIndex, lowWatermark, errorCode: ErrorCode.REQUEST_TIMED_OUT };
    },
    failed,
  );
}

async function startAt(
  broker: Broker,
  owner: PartitionOwner,
  offset: number,
): Promise<Omit<Result, "partitionIndex">> {
  const wanted = offset === upToHighWatermark ? owner.highWatermark : offset;
  const failed = (errorCode: number): Omit<Result, "partitionIndex"> => {
    return { lowWatermark: noLowWatermark, errorCode };
  };
  try {
    const outcome = await owner.deleteRecordsBefore(wanted);
    if (outcome.kind === "outOfRange") return failed(ErrorCode.OFFSET_OUT_OF_RANGE);
    return { lowWatermark: outcome.logStartOffset, errorCode: ErrorCode.NONE };
  } catch (error) {
    if (isLostLead(error)) return failed(ErrorCode.NOT_LEADER_OR_FOLLOWER);
    if (!(error instanceof DiskError || error instanceof MetadataError)) throw error;
    broker.log.warn({ err: error }, "records could not be deleted");
    const isDisk = error instanceof DiskError;
    return failed(isDisk ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.REQUEST_TIMED_OUT);
  }
}

function within<Answer>(
  { clock }: Broker,
  waitMs: number,
  answer: Promise<Answer>,
): Promise<Answer | "late"> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(waitMs, () => resolve("late"));
    void answer.then(resolve, reject).finally(() => timer.cancel());
  });
}
