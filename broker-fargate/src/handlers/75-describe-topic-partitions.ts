/**
 * DescribeTopicPartitions v0: topics by name, sorted, a page of partitions at a time (KIP-966).
 *
 * A page ends after `responsePartitionLimit` partitions; the cursor names the first one that is
 * left. Eligible and last-known-leader replicas are empty: the object store is the replica.
 */
import {
  ApiKey,
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponseInput,
  type DescribeTopicPartitionsResponseTopicInput,
  ErrorCode,
  zeroUuid,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import { describedPartitionsMax } from "../limits.ts";
import { topicOperations } from "./authorized-operations.ts";
import type { Handler } from "./handler.ts";
import { learnTopics, named } from "./missing-topics.ts";
import { ShownLeaders } from "./shown-leaders.ts";

export function describeTopicPartitionsHandler(
  broker: Broker,
): Handler<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponseInput> {
  return {
    apiKey: ApiKey.DescribeTopicPartitions,
    versions: { min: 0, max: 0 },
    handle: async (request) => {
      const isConfirmed = await learnTopics(
        broker,
        request.topics.map(({ name }) => named(name)),
      );
      const leaders = new ShownLeaders(broker);
      const { cursor } = request;
      if (!isCursorValid(request)) return { topics: invalidCursor(request), nextCursor: null };
      const names = namesFrom(broker, request);
      let room = Math.min(Math.max(request.responsePartitionLimit, 1), describedPartitionsMax);
      const topics: DescribeTopicPartitionsResponseTopicInput[] = [];
      for (const name of names) {
        const first = cursor?.topicName === name ? cursor.partitionIndex : 0;
        if (room === 0) return { topics, nextCursor: { topicName: name, partitionIndex: first } };
        const topic = broker.cluster.topics.byName(name);
        if (topic === undefined) {
          topics.push(isConfirmed ? unknownTopic(name) : timedOut(name));
          continue;
        }
        const end = Math.min(topic.partitionCount, first + room);
        topics.push(describeTopic(leaders, topic, { first, end }));
        room -= Math.max(end - first, 0);
        if (end < topic.partitionCount) {
          return { topics, nextCursor: { topicName: name, partitionIndex: end } };
        }
      }
      return { topics, nextCursor: null };
    },
  };
}

function namesFrom(broker: Broker, request: DescribeTopicPartitionsRequest): readonly string[] {
  const asked =
    request.topics.length === 0
      ? broker.cluster.topics.list().map((topic) => topic.name)
      : [...new Set(request.topics.map((topic) => topic.name))].sort();
  const from = request.cursor?.topicName;
  return from === undefined ? asked : asked.filter((name) => name >= from);
}

/** Where topics are named, a page goes on at one of them; else the cursor's may be gone by now. */
function isCursorValid({ cursor, topics }: DescribeTopicPartitionsRequest): boolean {
  if (cursor === null) return true;
  const isAskedFor = topics.length === 0 || topics.some(({ name }) => name === cursor.topicName);
  return isAskedFor && cursor.partitionIndex >= 0;
}

function invalidCursor(
  request: DescribeTopicPartitionsRequest,
): readonly DescribeTopicPartitionsResponseTopicInput[] {
  const errorCode = ErrorCode.INVALID_REQUEST;
  return request.topics.map(({ name }) => ({ errorCode, name, topicId: zeroUuid, partitions: [] }));
}

function unknownTopic(name: string): DescribeTopicPartitionsResponseTopicInput {
  return {
    errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    name,
    topicId: zeroUuid,
    partitions: [],
    topicAuthorizedOperations: topicOperations,
  };
}

/** The store does not answer: whether there is such a topic is not known. */
function timedOut(name: string): DescribeTopicPartitionsResponseTopicInput {
  return { ...unknownTopic(name), errorCode: ErrorCode.REQUEST_TIMED_OUT };
}

function describeTopic(
  leaders: ShownLeaders,
  topic: Topic,
  range: { readonly first: number; readonly end: number },
): DescribeTopicPartitionsResponseTopicInput {
  const length = Math.max(range.end - range.first, 0);
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.isInternal,
    partitions: Array.from({ length }, (_, index) => ({
      ...leaders.of(topic, range.first + index),
      partitionIndex: range.first + index,
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      offlineReplicas: [],
    })),
    topicAuthorizedOperations: topicOperations,
  };
}
