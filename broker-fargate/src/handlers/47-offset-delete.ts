/**
 * OffsetDelete v0: a group's offsets of topics that its members do not read (KIP-496).
 *
 * Path: set aside partitions that are not there → the coordinator deletes, durably. An offset that
 * is not there is no error; a topic that members read is GROUP_SUBSCRIBED_TO_TOPIC.
 */
import {
  ApiKey,
  ErrorCode,
  type OffsetDeleteRequest,
  type OffsetDeleteResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import { asCoordinator } from "./as-coordinator.ts";
import { hasPartition } from "./find-partition.ts";
import { groupErrorCode } from "./group-errors.ts";
import type { Handler } from "./handler.ts";
import { learnTopics, named } from "./missing-topics.ts";

export function offsetDeleteHandler(
  broker: Broker,
): Handler<OffsetDeleteRequest, OffsetDeleteResponseInput> {
  return {
    apiKey: ApiKey.OffsetDelete,
    versions: { min: 0, max: 0 },
    handle: (request) => deleteOffsets(broker, request),
  };
}

async function deleteOffsets(
  broker: Broker,
  request: OffsetDeleteRequest,
): Promise<OffsetDeleteResponseInput> {
  const { groupId } = request;
  if (groupId === "") return { errorCode: ErrorCode.INVALID_GROUP_ID, topics: [] };
  const isConfirmed = await learnTopics(
    broker,
    request.topics.map(({ name }) => named(name)),
  );
  if (!isConfirmed) return { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, topics: [] };
  const asked = request.topics.flatMap(({ name, partitions }) => {
    const topic = broker.cluster.topics.byName(name);
    if (topic === undefined) return [];
    return partitions
      .filter(({ partitionIndex }) => hasPartition(topic, partitionIndex))
      .map(({ partitionIndex: partition }) => ({ topic: name, topicId: topic.id, partition }));
  });
  const outcome = await asCoordinator(broker, groupId, () =>
    broker.groups.deleteOffsets(groupId, asked),
  );
  if (typeof outcome === "string") return { errorCode: groupErrorCode(outcome), topics: [] };
  if (outcome.kind === "refused") {
    return { errorCode: groupErrorCode(outcome.reason), topics: [] };
  }
  const codes = new Map<string, Map<number, number>>();
  for (const [index, { topic, partition }] of asked.entries()) {
    const ofTopic = codes.get(topic) ?? new Map<number, number>();
    codes.set(topic, ofTopic);
    const result = outcome.results[index] ?? "coordinatorNotAvailable";
    ofTopic.set(partition, groupErrorCode(result));
  }
  return {
    errorCode: ErrorCode.NONE,
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: codes.get(name)?.get(partitionIndex) ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      })),
    })),
  };
}
