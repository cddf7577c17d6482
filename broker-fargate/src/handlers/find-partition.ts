import type { Epoch, TopicId } from "@millrace/core";
import { ErrorCode, zeroUuid } from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import type { PartitionOwner } from "../partition/owner.ts";

/** How a request names a topic: by name, or from some version on by id (KIP-516). */
export interface TopicReference {
  readonly name: string;
  readonly topicId: string;
}

export function findTopic(broker: Broker, reference: TopicReference): Topic | undefined {
  const { topics } = broker.cluster;
  return reference.topicId === zeroUuid
    ? topics.byName(reference.name)
    : topics.byId(reference.topicId as TopicId);
}

/** The error for a topic that is not there, in the words of the reference that named it. */
export function unknownTopicCode(reference: TopicReference): number {
  return reference.topicId === zeroUuid
    ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    : ErrorCode.UNKNOWN_TOPIC_ID;
}

export function hasPartition(topic: Topic, partition: number): boolean {
  return partition >= 0 && partition < topic.partitionCount;
}

/**
 * Calls `use` with the partition's owner: in this turn where it is open already (requests of one
 * connection then take effect in their order), else once it is loaded.
 */
export function withPartition<Result>(
  broker: Broker,
  at: { readonly topicId: TopicId; readonly partition: number },
  use: (owner: PartitionOwner) => Result | Promise<Result>,
): Result | Promise<Result> {
  const open = broker.partitions.find(at.topicId, at.partition);
  if (open !== undefined) return use(open);
  return broker.partitions.open(at.topicId, at.partition).then(use);
}

/** KIP-320: a client that knows another epoch than ours must look again, or wait for us. */
export function leaderEpochError(known: number, leaderEpoch: Epoch): number {
  if (known === -1 || known === leaderEpoch) return ErrorCode.NONE;
  return known < leaderEpoch ? ErrorCode.FENCED_LEADER_EPOCH : ErrorCode.UNKNOWN_LEADER_EPOCH;
}

