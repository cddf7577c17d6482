/**
 * OffsetCommit v2–v10: a group's progress, by topic name, and from v10 on by topic id.
 *
 * Path: set aside partitions that are not there → the coordinator checks who commits and writes
 * the blocks that change. A partition is answered without error only when its offset is durable,
 * and no crash brings an older one back. A retention of its own (v2–v4) is kept.
 */
import {
  ApiKey,
  ErrorCode,
  type OffsetCommitRequest,
  type OffsetCommitRequestTopic,
  type OffsetCommitResponseInput,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import type { CommitOutcome, CommitRequest, OffsetCommit } from "../group/offset-store.ts";
import { hasPartition } from "./find-partition.ts";
import { groupErrorCode } from "./group-errors.ts";
import { groupTopic, unknownGroupTopicCode } from "./group-topics.ts";
import type { Handler, RequestContext } from "./handler.ts";

const byIdFrom = 10;

/** A partition's answer: known now, or the place of its commit in the coordinator's results. */
type Pending = { readonly errorCode: number } | { readonly index: number };

export function offsetCommitHandler(
  broker: Broker,
): Handler<OffsetCommitRequest, OffsetCommitResponseInput> {
  return {
    apiKey: ApiKey.OffsetCommit,
    versions: { min: 2, max: 10 },
    handle: (request, context) => commit(broker, request, context),
  };
}

async function commit(
  broker: Broker,
  request: OffsetCommitRequest,
  { apiVersion: version, connection }: RequestContext,
): Promise<OffsetCommitResponseInput> {
  const how = version >= byIdFrom ? "byId" : "byName";
  const commits: OffsetCommit[] = [];
  const pending = request.topics.map((asked) => {
    const topic = groupTopic(broker, asked, how);
    return topic === undefined
      ? asked.partitions.map(() => ({ errorCode: unknownGroupTopicCode(how) }))
      : takePartitions(commits, topic, asked);
  });
  const outcome = await perform(broker, request, { commits, connection: connection.id });
  return {
    topics: request.topics.map(({ name, topicId, partitions }, topicIndex) => ({
      ...(how === "byId" ? { topicId } : { name }),
      partitions: partitions.map(({ partitionIndex }, index) => {
        const answer = pending[topicIndex]?.[index] ?? { errorCode: ErrorCode.NONE };
        const errorCode =
          "errorCode" in answer ? answer.errorCode : codeOf(outcome, answer.index, version);
        return { partitionIndex, errorCode };
      }),
    })),
  };
}

function takePartitions(
  commits: OffsetCommit[],
  topic: Topic,
  asked: OffsetCommitRequestTopic,
): readonly Pending[] {
  return asked.partitions.map((partition) => {
    if (!hasPartition(topic, partition.partitionIndex)) {
      return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
    }
    commits.push({
      topicId: topic.id,
      partition: partition.partitionIndex,
      offset: partition.committedOffset,
      leaderEpoch: partition.committedLeaderEpoch,
      metadata: partition.committedMetadata ?? "",
    });
    return { index: commits.length - 1 };
  });
}

/** Without a partition that is there, Kafka does not ask the coordinator who commits. */
function perform(
  broker: Broker,
  request: OffsetCommitRequest,
  { commits, connection }: Pick<Required<CommitRequest>, "commits" | "connection">,
): Promise<CommitOutcome> | CommitOutcome {
  if (commits.length === 0) return { kind: "done", results: [] };
  const { retentionTimeMs } = request;
  return broker.groups.commit({
    groupId: request.groupId,
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    generation: request.generationIdOrMemberEpoch,
    retentionMs: retentionTimeMs === -1 ? null : retentionTimeMs,
    ...{ commits, connection },
  });
}

function codeOf(outcome: CommitOutcome, index: number, version: number): number {
  if (outcome.kind === "done") {
    return groupErrorCode(outcome.results[index] ?? "coordinatorNotAvailable");
  }
  // Before v9 a member without a group can only have an old generation.
  if (outcome.reason === "groupNotFound" && version < 9) return ErrorCode.ILLEGAL_GENERATION;
  return groupErrorCode(outcome.reason);
}
