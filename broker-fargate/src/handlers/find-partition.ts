import { type Epoch, MetadataError, type TopicId } from "@millrace/core";
import { ErrorCode, zeroUuid } from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import { NotLeaderError } from "../cluster/cluster-view.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { ColdReadError } from "../partition/partition-reads.ts";
import { UnknownPartitionError } from "../partition/partitions-deps.ts";
import { isStoreError } from "../partition/store-error.ts";

/** How a request names a topic: by name, or from some version on by id (KIP-516). */
export interface TopicReference {
  readonly name: string;
  readonly topicId: string;
}

/** How a version of a request names all its topics. */
export type TopicNaming = "name" | "id";

/** Produce and Fetch name topics by id alone from this version on. */
const topicIdsFromVersion = 13;

export function topicNaming(version: number): TopicNaming {
  return version < topicIdsFromVersion ? "name" : "id";
}

export function findTopic(broker: Broker, reference: TopicReference): Topic | undefined {
  const { topics } = broker.cluster;
  return reference.topicId === zeroUuid
    ? topics.byName(reference.name)
    : topics.byId(reference.topicId as TopicId);
}

/** The error for a topic that is not there, in the words of the request that named it. */
export function unknownTopicCode(naming: TopicNaming): number {
  return naming === "id" ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
}

export function hasPartition(topic: Topic, partition: number): boolean {
  return partition >= 0 && partition < topic.partitionCount;
}

/** A partition as handlers ask for it. */
export interface PartitionPlace {
  readonly topicId: TopicId;
  readonly partition: number;
}

/** Whether the partition is this broker's to serve, by what it knows. */
export function isLedHere({ cluster, view }: Broker, at: PartitionPlace): boolean {
  return view.leads(cluster.slotOfPartition(at.topicId, at.partition));
}

/**
 * The partition's owner if it is loaded; `elsewhere` where another broker leads it by now, loaded
 * here or not.
 */
export function findOwner(
  broker: Broker,
  at: PartitionPlace,
): PartitionOwner | "elsewhere" | undefined {
  const open = broker.partitions.find(at.topicId, at.partition);
  // A loaded one knows its slot, which saves hashing its topic's id.
  const isHere = open === undefined ? isLedHere(broker, at) : broker.view.leads(open.slot);
  return isHere ? open : "elsewhere";
}

/**
 * Calls `use` with the partition's owner: in this turn where it is open already (requests of one
 * connection then take effect in their order), else once it is loaded. `failed` makes the answer
 * where it can't be, and where another broker leads it: then nothing is loaded, and no file is made.
 */
export function withPartition<Result>(
  broker: Broker,
  at: PartitionPlace,
  use: (owner: PartitionOwner) => Result | Promise<Result>,
  failed: (errorCode: number) => Result,
): Result | Promise<Result> {
  const found = findOwner(broker, at);
  if (found === "elsewhere") return failed(ErrorCode.NOT_LEADER_OR_FOLLOWER);
  if (found !== undefined) return use(found);
  return broker.partitions
    .open(at.topicId, at.partition)
    .then(use, (error: unknown) => failed(openingErrorCode(broker, error)));
}

/** The slot is another broker's, or this incarnation is over. */
export function isLostLead(error: unknown): boolean {
  return error instanceof FencedError || error instanceof NotLeaderError;
}

/**
 * OFFSET_OUT_OF_RANGE makes a client give up its position for good, so an owner that may have been
 * replaced without knowing says it only after a strong read of the slot's head (ownership rule 16).
 */
export async function confirmed(
  broker: Broker,
  at: PartitionPlace,
  errorCode: number,
): Promise<number> {
  if (errorCode !== ErrorCode.OFFSET_OUT_OF_RANGE || broker.view.hasEvidence) return errorCode;
  try {
    const slot = broker.cluster.slotOfPartition(at.topicId, at.partition);
    const isOurs = await broker.view.isStillOurs(slot);
    return isOurs ? errorCode : ErrorCode.NOT_LEADER_OR_FOLLOWER;
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    return ErrorCode.NOT_LEADER_OR_FOLLOWER;
  }
}

/** Why a partition could not be loaded. What is not expected here is a bug, and thrown on. */
export function openingErrorCode(broker: Broker, error: unknown): number {
  if (error instanceof UnknownPartitionError) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  if (isLostLead(error)) return ErrorCode.NOT_LEADER_OR_FOLLOWER;
  if (error instanceof MetadataError) {
    broker.log.warn({ err: error }, "a partition could not be opened");
    // Not LEADER_NOT_AVAILABLE: Java's consumer takes that for a bug when a fetch is answered so.
    return ErrorCode.NOT_LEADER_OR_FOLLOWER;
  }
  if (isStoreError(error) || error instanceof ColdReadError) {
    broker.log.warn({ err: error }, "a partition could not be opened, or read");
    return ErrorCode.KAFKA_STORAGE_ERROR;
  }
  throw error;
}

/** KIP-320: a client that knows another epoch than ours must look again, or wait for us. */
export function leaderEpochError(known: number, leaderEpoch: Epoch): number {
  if (known === -1 || known === leaderEpoch) return ErrorCode.NONE;
  return known < leaderEpoch ? ErrorCode.FENCED_LEADER_EPOCH : ErrorCode.UNKNOWN_LEADER_EPOCH;
}
