/**
 * CreatePartitions v0–v3, with `validateOnly` and replicas assigned by hand.
 *
 * Path: one answer for each name, some in each turn → the cluster decides on its catalog and writes
 * the topic's item. A new partition costs nothing until it is written to. Brokers that an assignment
 * names have to be live; it says nothing about who leads.
 */
import {
  ApiKey,
  type CreatePartitionsRequest,
  type CreatePartitionsResponseInput,
  type CreatePartitionsTopic,
  type CreatePartitionsTopicResultInput,
  ErrorCode,
} from "@millrace/wire";
import type { Intent } from "../cluster/cluster.ts";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";
import { type ClusterHolder, groupedBy, verdictOf } from "./topic-outcome.ts";

export function createPartitionsHandler(
  broker: ClusterHolder,
): Handler<CreatePartitionsRequest, CreatePartitionsResponseInput> {
  return {
    apiKey: ApiKey.CreatePartitions,
    versions: { min: 0, max: 3 },
    handle: async (request) => {
      const intent = request.validateOnly ? "check" : "perform";
      const byName = groupedBy(request.topics, (topic) => topic.name);
      const results = await inTurns(broker.clock, [...byName], ([name, [topic, ...others]]) => {
        if (topic !== undefined && others.length === 0) return create(broker, topic, intent);
        const errorMessage = "Duplicate topic name.";
        return { name, errorCode: ErrorCode.INVALID_REQUEST, errorMessage };
      });
      return { throttleTimeMs: 0, results };
    },
  };
}

async function create(
  broker: ClusterHolder,
  { name, count, assignments }: CreatePartitionsTopic,
  intent: Intent,
): Promise<CreatePartitionsTopicResultInput> {
  const request = {
    partitionCount: count,
    assignments: assignments?.map((assignment) => assignment.brokerIds),
  };
  const outcome = await broker.cluster.createPartitions(name, request, intent);
  if (outcome.kind === "refused" && outcome.reason === "unknownTopic") {
    return { name, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: null };
  }
  return { name, ...verdictOf(outcome) };
}
