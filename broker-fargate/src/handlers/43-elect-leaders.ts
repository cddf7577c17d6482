/**
 * ElectLeaders v0–v2 (KIP-183, KIP-460): no election is ever needed. The leader is the first of the
 * replicas that are shown, so the preferred one; a slot without an owner is taken over unasked.
 *
 * Each partition is answered once. All partitions (null) are answered with none: Kafka leaves out
 * what needs no election when nobody named it.
 */
import {
  ApiKey,
  type ElectLeadersRequest,
  type ElectLeadersResponseInput,
  type ElectLeadersResponsePartitionResultInput,
  ErrorCode,
} from "@millrace/wire";
import { hasPartition } from "./find-partition.ts";
import type { Handler } from "./handler.ts";
import { learnTopics, named } from "./missing-topics.ts";
import type { ClusterHolder } from "./topic-outcome.ts";

const electionType = { preferred: 0, unclean: 1 } as const;

export function electLeadersHandler(
  broker: ClusterHolder,
): Handler<ElectLeadersRequest, ElectLeadersResponseInput> {
  return {
    apiKey: ApiKey.ElectLeaders,
    versions: { min: 0, max: 2 },
    handle: async (request) => {
      const { electionType: type } = request;
      if (type !== electionType.preferred && type !== electionType.unclean) {
        const errorCode = ErrorCode.INVALID_REQUEST;
        return { throttleTimeMs: 0, errorCode, replicaElectionResults: [] };
      }
      const asked = partitionsByTopic(request);
      const isConfirmed = await learnTopics(broker, [...asked.keys()].map(named));
      const replicaElectionResults = [...asked].map(([topic, partitions]) => {
        const partitionResult = [...partitions].map((partition) => {
          return resultOf(broker, { topic, partition, isConfirmed });
        });
        return { topic, partitionResult };
      });
      return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, replicaElectionResults };
    },
  };
}

function partitionsByTopic({
  topicPartitions,
}: ElectLeadersRequest): ReadonlyMap<string, ReadonlySet<number>> {
  const asked = new Map<string, Set<number>>();
  for (const { topic, partitions } of topicPartitions ?? []) {
    const before = asked.get(topic);
    if (before === undefined) asked.set(topic, new Set(partitions));
    else for (const partition of partitions) before.add(partition);
  }
  return asked;
}

interface AskedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Whether the store has said that topics which are not known here are nowhere. */
  readonly isConfirmed: boolean;
}

function resultOf(
  broker: ClusterHolder,
  { topic: name, partition, isConfirmed }: AskedPartition,
): ElectLeadersResponsePartitionResultInput {
  // No name is quoted: one long name could be asked for with very many partitions.
  const answer = (errorCode: number, errorMessage: string | null = null) => {
    return { partitionId: partition, errorCode, errorMessage };
  };
  const topic = broker.cluster.topics.byName(name);
  if (topic === undefined) {
    return isConfirmed
      ? answer(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "There is no such topic.")
      : answer(ErrorCode.REQUEST_TIMED_OUT);
  }
  if (hasPartition(topic, partition)) return answer(ErrorCode.ELECTION_NOT_NEEDED);
  return answer(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "The topic has no such partition.");
}
