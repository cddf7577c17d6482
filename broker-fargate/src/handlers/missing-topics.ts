/**
 * Topics that this broker does not know: another may have made them a moment ago, so a strong read
 * decides before anybody is told UNKNOWN_TOPIC (ownership rule 17). Who asks for the same at the
 * same time shares the read, and what was not there is remembered until something changes.
 */
import { MetadataError, type TopicId } from "@millrace/core";
import { ErrorCode, zeroUuid } from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import type { TopicReference } from "./find-partition.ts";
import { inTurns } from "./in-turns.ts";

/** `unconfirmed`: the store does not answer, so nobody can say. */
export type LookedFor = Topic | "absent" | "unconfirmed";

export async function lookForTopic(
  { misses }: Pick<Broker, "misses">,
  { name, topicId }: TopicReference,
): Promise<LookedFor> {
  const asked = topicId === zeroUuid ? { name } : { id: topicId as TopicId };
  try {
    return (await misses.confirmMissing(asked)) ?? "absent";
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    return "unconfirmed";
  }
}

/**
 * Learns of the topics that memory does not have, all by one read; it has those that there are when
 * this resolves. False: the store does not answer, and nothing may be said of those it lacks.
 */
export async function learnTopics(
  broker: Pick<Broker, "clock" | "cluster" | "misses">,
  references: readonly TopicReference[],
): Promise<boolean> {
  const { topics } = broker.cluster;
  const missing = references.filter(({ name, topicId }) =>
    topicId === zeroUuid
      ? topics.byName(name) === undefined
      : topics.byId(topicId as TopicId) === undefined,
  );
  if (missing.length === 0) return true;
  const found = await inTurns(broker.clock, missing, (asked) => lookForTopic(broker, asked));
  return !found.includes("unconfirmed");
}

export function named(name: string): TopicReference {
  return { name, topicId: zeroUuid };
}

/** For a topic's partition that is not there, as far as anybody can say. */
export function missingPartitionCode(isConfirmed: boolean): number {
  return isConfirmed ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.NOT_LEADER_OR_FOLLOWER;
}
