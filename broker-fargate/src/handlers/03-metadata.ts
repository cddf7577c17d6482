/**
 * Metadata v0–v13: this broker's address for the listener that was asked, and topics by name or id.
 *
 * Path: refuse ids where the version does not serve them (v10 and v11 have the field) → make topics
 * that may be auto-created → describe what the catalog holds, each topic once. A topic that is
 * created here is answered as present at once. Every partition is led by this broker, in the epoch
 * of its slot; no partition is loaded to be described, and many are encoded once, over several turns
 * of the event loop (`described-topics.ts`).
 */
import {
  ApiKey,
  ErrorCode,
  type MetadataRequest,
  type MetadataRequestTopic,
  type MetadataResponseInput,
  type MetadataResponseTopicInput,
  zeroUuid,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import { clusterOperations, operationsNotAsked } from "./authorized-operations.ts";
import { DescribedTopics, type TopicOrFailure } from "./described-topics.ts";
import { findTopic } from "./find-partition.ts";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";

export function metadataHandler(broker: Broker): Handler<MetadataRequest, MetadataResponseInput> {
  const described = new DescribedTopics(broker);
  return {
    apiKey: ApiKey.Metadata,
    versions: { min: 0, max: 13 },
    handle: async (request, { apiVersion, connection: { listener } }) => {
      if (apiVersion < topicIdsFromVersion && request.topics?.some(isByIdOrNameless)) {
        return refusal(request.topics);
      }
      const form = { apiVersion, withOperations: request.includeTopicAuthorizedOperations };
      return {
        brokers: [{ nodeId: broker.settings.nodeId, host: listener.host, port: listener.port }],
        clusterId: broker.cluster.clusterId,
        controllerId: broker.settings.nodeId,
        topics: await (asksForAll(request, apiVersion)
          ? described.all(form)
          : described.some(await findAll(broker, request), form)),
        clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
          ? clusterOperations
          : operationsNotAsked,
      };
    },
  };
}

/** The topics that are asked for by name or id, each once, made where they may be. */
function findAll(broker: Broker, request: MetadataRequest): Promise<readonly TopicOrFailure[]> {
  return inTurns(broker.clock, withoutRepeats(request.topics ?? []), async (asked) => {
    const found = await findOrCreate(broker, request, asked);
    if (typeof found !== "number") return { topic: found };
    return { topic: undefined, failure: failed(asked, found) };
  });
}

const topicIdsFromVersion = 12;

function isByIdOrNameless({ name, topicId }: MetadataRequestTopic): boolean {
  return topicId !== zeroUuid || name === null;
}

function refusal(topics: readonly MetadataRequestTopic[]): MetadataResponseInput {
  const errorCode = ErrorCode.INVALID_REQUEST;
  return {
    brokers: [],
    topics: topics.map(({ name, topicId }) => ({
      ...{ errorCode, topicId, partitions: [] },
      name: name ?? "",
    })),
  };
}

function withoutRepeats(topics: readonly MetadataRequestTopic[]): readonly MetadataRequestTopic[] {
  const keyOf = ({ name, topicId }: MetadataRequestTopic): string =>
    topicId === zeroUuid ? `name ${name}` : `id ${topicId}`;
  return [...new Map(topics.map((asked) => [keyOf(asked), asked])).values()];
}

/** Version 0 has no null: there an empty list means all topics. */
function asksForAll(request: MetadataRequest, version: number): boolean {
  return request.topics === null || (version === 0 && request.topics.length === 0);
}

async function findOrCreate(
  broker: Broker,
  request: MetadataRequest,
  asked: MetadataRequestTopic,
): Promise<Topic | number> {
  const reference = { name: asked.name ?? "", topicId: asked.topicId };
  const known = findTopic(broker, reference);
  if (known !== undefined) return known;
  const name = asked.name;
  const mayCreate = request.allowAutoTopicCreation && broker.settings.autoCreateTopicsEnable;
  if (reference.topicId !== zeroUuid) return ErrorCode.UNKNOWN_TOPIC_ID;
  if (name === null) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  const outcome = await broker.cluster.autoCreateTopic(name, { create: mayCreate });
  switch (outcome.kind) {
    case "created":
    case "exists":
      return outcome.topic;
    case "invalidName":
      return ErrorCode.INVALID_TOPIC_EXCEPTION;
    case "absent":
      return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  }
}

function failed(asked: MetadataRequestTopic, errorCode: number): MetadataResponseTopicInput {
  const { topicId } = asked;
  return { errorCode, name: topicId === zeroUuid ? asked.name : null, topicId, partitions: [] };
}
