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
  type OffsetCommitResponseTopicInput,
  zeroUuid,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import type { CommitOutcome, CommitRequest, OffsetCommit } from "../group/offset-store.ts";
import { asCoordinator } from "./as-coordinator.ts";
import { hasPartition } from "./find-partition.ts";
import { groupErrorCode } from "./group-errors.ts";
import { groupTopic, unknownGroupTopicCode } from "./group-topics.ts";
import type { Handler, RequestContext } from "./handler.ts";
import { learnTopics } from "./missing-topics.ts";

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

/**
 * Topics that are known are committed in this turn, in the order of the connection's requests; the
 * others after a look in the store, so that they hold up nobody.
 */
async function commit(
  broker: Broker,
  request: OffsetCommitRequest,
  context: RequestContext,
): Promise<OffsetCommitResponseInput> {
  const how = context.apiVersion >= byIdFrom ? "byId" : "byName";
  const known: OffsetCommitRequestTopic[] = [];
  const missing: OffsetCommitRequestTopic[] = [];
  for (const asked of request.topics) {
    (groupTopic(broker, asked, how) === undefined ? missing : known).push(asked);
  }
  const committing = commitTopics(broker, { ...request, topics: known }, context);
  if (missing.length === 0) return { topics: await committing };
  const references = missing.map(({ name, topicId }) => {
    return how === "byId" ? { name: "", topicId } : { name, topicId: zeroUuid };
  });
  const isConfirmed = await learnTopics(broker, references);
  const unknown = isConfirmed ? unknownGroupTopicCode(how) : ErrorCode.COORDINATOR_NOT_AVAILABLE;
  const late = await commitTopics(broker, { ...request, topics: missing }, context, unknown);
  const answers = new Map([...zip(known, await committing), ...zip(missing, late)]);
  return { topics: request.topics.flatMap((asked) => answers.get(asked) ?? []) };
}

function zip<Left, Right>(
  left: readonly Left[],
  right: readonly Right[],
): readonly [Left, Right][] {
  return left.flatMap((item, index) => {
    const other = right[index];
    return other === undefined ? [] : [[item, other] as [Left, Right]];
  });
}

async function commitTopics(
  broker: Broker,
  request: OffsetCommitRequest,
  { apiVersion: version, connection }: RequestContext,
  unknown: number = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
): Promise<readonly OffsetCommitResponseTopicInput[]> {
  const how = version >= byIdFrom ? "byId" : "byName";
  const commits: OffsetCommit[] = [];
  const pending = request.topics.map((asked) => {
    const topic = groupTopic(broker, asked, how);
    return topic === undefined
      ? asked.partitions.map(() => ({ errorCode: unknown }))
      : takePartitions(commits, topic, asked);
  });
  const outcome = await perform(broker, request, { commits, connection: connection.id });
  return request.topics.map(({ name, topicId, partitions }, topicIndex) => ({
    ...(how === "byId" ? { topicId } : { name }),
    partitions: partitions.map(({ partitionIndex }, index) => {
      const answer = pending[topicIndex]?.[index] ?? { errorCode: ErrorCode.NONE };
      const errorCode =
        "errorCode" in answer ? answer.errorCode : codeOf(outcome, answer.index, version);
      return { partitionIndex, errorCode };
    }),
  }));
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
async function perform(
  broker: Broker,
  request: OffsetCommitRequest,
  { commits, connection }: Pick<Required<CommitRequest>, "commits" | "connection">,
): Promise<CommitOutcome> {
  if (commits.length === 0) return { kind: "done", results: [] };
  const { groupId, retentionTimeMs } = request;
  const asked: CommitRequest = {
    groupId,
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    generation: request.generationIdOrMemberEpoch,
    retentionMs: retentionTimeMs === -1 ? null : retentionTimeMs,
    ...{ commits, connection },
  };
  const outcome = await asCoordinator(broker, groupId, () => broker.groups.commit(asked));
  if (typeof outcome !== "string") return outcome;
  return { kind: "done", results: commits.map(() => outcome) };
}

function codeOf(outcome: CommitOutcome, index: number, version: number): number {
  if (outcome.kind === "done") {
    return groupErrorCode(outcome.results[index] ?? "coordinatorNotAvailable");
  }
  // Before v9 a member without a group can only have an old generation.
  if (outcome.reason === "groupNotFound" && version < 9) return ErrorCode.ILLEGAL_GENERATION;
  return groupErrorCode(outcome.reason);
}
