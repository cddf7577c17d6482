/**
 * CreateTopics v2–v7, with `validateOnly`, configs, and replicas assigned by hand.
 *
 * Path: one answer for each name → the cluster decides on its catalog and writes the topic's item →
 * the topic is there for every later request, and durable, when the answer leaves. Topics of one
 * request are made at the same time, some per turn of the event loop, each on its own: some may
 * fail. With more than `createdTopicsMax` all are refused, as by Kafka's controller.
 *
 * A replication factor above the number of brokers is accepted: what would be replicated lies in
 * the store. Brokers that an assignment names have to be live; their number is the replication
 * factor, and who leads a partition is who leads its slot. From v5 on the answer tells the topic's size and effective configs (KIP-525).
 */
import { topicConfig, topicConfigs } from "@millrace/core";
import {
  ApiKey,
  type CreatableTopic,
  type CreatableTopicConfigsInput,
  type CreatableTopicResultInput,
  type CreateTopicsRequest,
  type CreateTopicsResponseInput,
  ErrorCode,
  uuidFromHex,
} from "@millrace/wire";
import type { Intent, Topic } from "../cluster/cluster.ts";
import { createdTopicsMax } from "../limits.ts";
import { sourceCode } from "./config-codes.ts";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";
import { type ClusterHolder, groupedBy, verdictOf } from "./topic-outcome.ts";

const tooManyTopics = `One request may create ${createdTopicsMax} topics at most.`;

export function createTopicsHandler(
  broker: ClusterHolder,
): Handler<CreateTopicsRequest, CreateTopicsResponseInput> {
  return {
    apiKey: ApiKey.CreateTopics,
    versions: { min: 2, max: 7 },
    handle: async (request) => {
      const intent = request.validateOnly ? "check" : "perform";
      const byName = groupedBy(request.topics, (topic) => topic.name);
      const isTooMany = byName.size > createdTopicsMax;
      const topics = await inTurns(broker.clock, [...byName], ([name, [topic, ...others]]) => {
        if (isTooMany) return failed(name, ErrorCode.POLICY_VIOLATION, tooManyTopics);
        return topic === undefined || others.length > 0
          ? failed(name, ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
          : create(broker, topic, intent);
      });
      return { topics };
    },
  };
}

async function create(
  broker: ClusterHolder,
  asked: CreatableTopic,
  intent: Intent,
): Promise<CreatableTopicResultInput> {
  const request = {
    name: asked.name,
    partitionCount: asked.numPartitions,
    replicationFactor: asked.replicationFactor,
    assignments: asked.assignments.map(({ partitionIndex, brokerIds }) => ({
      partition: partitionIndex,
      brokers: brokerIds,
    })),
    configs: asked.configs.map(({ name, value }) => [name, value] as const),
  };
  const outcome = await broker.cluster.createTopic(request, intent);
  if (outcome.kind === "done" || outcome.kind === "decided") return made(broker, outcome.topic);
  const { errorCode, errorMessage } = verdictOf(outcome);
  return failed(asked.name, errorCode, errorMessage);
}

function made(broker: ClusterHolder, topic: Topic): CreatableTopicResultInput {
  return {
    name: topic.name,
    topicId: uuidFromHex(topic.id),
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    numPartitions: topic.partitionCount,
    replicationFactor: topic.replicationFactor,
    configs: effectiveConfigs(broker, topic),
  };
}

function effectiveConfigs(
  broker: ClusterHolder,
  topic: Topic,
): readonly CreatableTopicConfigsInput[] {
  return [...topicConfigs.keys()].sort().flatMap((name) => {
    const definition = topicConfigs.get(name);
    if (definition === undefined) return [];
    const { text, source } = topicConfig(definition, topic.configs, broker.cluster.layers);
    const configSource = sourceCode(source);
    return [{ name, value: text, readOnly: false, configSource, isSensitive: false }];
  });
}

function failed(
  name: string,
  errorCode: number,
  errorMessage: string | null,
): CreatableTopicResultInput {
  return { name, errorCode, errorMessage, numPartitions: -1, replicationFactor: -1, configs: [] };
}
