/**
 * Metadata v0–v13: the live brokers' addresses for the listener that was asked, and topics by name
 * or id, with who leads each partition.
 *
 * Path: refuse ids where the version does not serve them (v10 and v11 have the field) → look in the
 * store for topics that this broker does not know (`missing-topics.ts`) → make topics that may be auto-created → describe what the catalog holds, each topic once. A topic that is
 * created here is answered as present at once. A partition's leader is its slot's, in the slot's
 * epoch, as this broker knows it; no partition is loaded to be described, and many are encoded once, over several turns
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
import { lookForTopic } from "./missing-topics.ts";

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
      const topics = await (asksForAll(request, apiVersion)
        ? described.all(form)
        : described.some(await findAll(broker, request), form));
      // After the topics, which may take a while: who has joined by then may lead some of them.
      const endpoints = broker.view.endpoints(listener);
      return {
        brokers: endpoints.map(({ brokerId, host, port, rack }) => {
          return { nodeId: brokerId, host, port, rack: rack ?? null };
        }),
        clusterId: broker.cluster.clusterId,
        controllerId: broker.view.controllerId,
        topics,
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
  const found = await lookForTopic(broker, reference);
  // Whoever hears this asks again.
  if (found === "unconfirmed") return ErrorCode.LEADER_NOT_AVAILABLE;
  if (found !== "absent") return found;
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
