/**
 * DeleteTopics v1–v6: by name, from v6 on also by id.
 *
 * Path: one answer for each topic → its item goes, durably, together with a note of the deletion →
 * the answer leaves; whoever holds data of the topic is told, and removes it in the background, or
 * at the next start if this process dies before. The id never comes back: what is written to a new topic of the same
 * name has nothing to do with the old one.
 */
import type { TopicId } from "@millrace/core";
import {
  ApiKey,
  type DeletableTopicResultInput,
  type DeleteTopicState,
  type DeleteTopicsRequest,
  type DeleteTopicsResponseInput,
  ErrorCode,
  type Uuid,
  uuidFromHex,
  zeroUuid,
} from "@millrace/wire";
import type { Handler } from "./handler.ts";
import { inTurns } from "./in-turns.ts";
import { type LookedFor, lookForTopic } from "./missing-topics.ts";
import { type ClusterHolder, groupedBy, unavailable, verdictOf } from "./topic-outcome.ts";

interface Asked {
  readonly name: string | null;
  readonly topicId: Uuid;
}

export function deleteTopicsHandler(
  broker: ClusterHolder,
): Handler<DeleteTopicsRequest, DeleteTopicsResponseInput> {
  return {
    apiKey: ApiKey.DeleteTopics,
    versions: { min: 1, max: 6 },
    handle: async (request, { apiVersion }) => {
      const asked: readonly DeleteTopicState[] =
        apiVersion >= 6
          ? request.topics
          : request.topicNames.map((name) => ({ name, topicId: zeroUuid }));
      const groups = groupedBy(asked, ({ name, topicId }) => `${name ?? ""}/${topicId}`);
      const responses = await inTurns(broker.clock, [...groups.values()], async (same) => {
        const [topic = { name: null, topicId: zeroUuid }] = same;
        if (same.length === 1) return remove(broker, topic, apiVersion);
        const kind = topic.name === null ? "id" : "name";
        return failed(topic, ErrorCode.INVALID_REQUEST, `Duplicate topic ${kind}.`);
      });
      return { responses };
    },
  };
}

async function remove(
  broker: ClusterHolder,
  asked: Asked,
  apiVersion: number,
): Promise<DeletableTopicResultInput> {
  const isNamed = asked.name !== null;
  const hasId = asked.topicId !== zeroUuid;
  if (isNamed && hasId) {
    const message = "You may not specify both topic name and topic id.";
    return failed(asked, ErrorCode.INVALID_REQUEST, message);
  }
  if (!isNamed && !hasId) {
    return failed(asked, ErrorCode.INVALID_REQUEST, "Neither topic name nor id were specified.");
  }
  if (!broker.cluster.settings.deleteTopicEnable) {
    const code = apiVersion < 3 ? ErrorCode.INVALID_REQUEST : ErrorCode.TOPIC_DELETION_DISABLED;
    return failed(asked, code, "Topic deletion is disabled.");
  }
  const found = asked.name === null ? await topicOf(broker, asked.topicId) : "absent";
  if (found === "unconfirmed") {
    return failed(asked, unavailable.errorCode, unavailable.errorMessage);
  }
  const topic = found === "absent" ? undefined : found;
  const name = asked.name ?? topic?.name;
  if (name === undefined) {
    return failed(asked, ErrorCode.UNKNOWN_TOPIC_ID, "This server does not host this topic ID.");
  }
  const outcome = await broker.cluster.deleteTopic(name, topic?.id);
  if (outcome.kind === "done") {
    const deleted = { name, topicId: uuidFromHex(outcome.topic.id) };
    return { ...deleted, errorCode: ErrorCode.NONE, errorMessage: null };
  }
  if (outcome.kind === "refused" && outcome.reason === "unknownTopic") {
    const message = "This server does not host this topic-partition.";
    return failed(asked, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message);
  }
  const { errorCode, errorMessage } = verdictOf(outcome);
  return failed(asked, errorCode, errorMessage);
}

async function topicOf(broker: ClusterHolder, id: Uuid): Promise<LookedFor> {
  const known = broker.cluster.topics.byId(id as string as TopicId);
  return known ?? lookForTopic(broker, { name: "", topicId: id });
}

function failed(
  asked: Asked,
  errorCode: number,
  errorMessage: string | null,
): DeletableTopicResultInput {
  return { ...asked, errorCode, errorMessage };
}
