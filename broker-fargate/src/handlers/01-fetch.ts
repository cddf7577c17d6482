/**
 * Fetch v4–v18: whole batches, as they lie in the log, up to the durable end.
 *
 * Path: choose the session (KIP-227) → read every partition asked for, in order, until the bytes
 * are used up → if there is less than the client wants, wait for a partition to advance or for
 * `maxWaitMs` → answer; within a session only what changed.
 *
 * Promises: at least one batch when there is one, even if it is larger than every limit; a fetch
 * in the middle of a batch gets the whole batch; nothing past the high watermark, or past the last
 * stable offset under read_committed; an error in one partition holds up no other. A partition that
 * another broker leads is answered with its leader (KIP-951), at once also where it is lost while the
 * fetch waits.
 */
import {
  ApiKey,
  ErrorCode,
  type FetchRequest,
  type FetchableTopicResponseInput,
  type FetchResponseInput,
  type FetchResponsePartitionDataInput,
  zeroUuid,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import {
  countTraffic,
  type FetchRound,
  giveBack,
  readWhenEnough,
} from "../fetch/read-when-enough.ts";
import {
  type FetchPosition,
  FetchSessions,
  positionKey,
  type Session,
  type SessionChoice,
  type SessionPartition,
} from "../fetch/session.ts";
import {
  fetchedBytesPerTurnMax,
  fetchSessionEvictAfterMs,
  fetchSessionPartitionsMax,
} from "../limits.ts";
import { TurnBudget } from "../turn-budget.ts";
import { findTopic, topicNaming } from "./find-partition.ts";
import type { Handler, RequestContext } from "./handler.ts";
import { NamedLeaders, tellsLeader } from "./shown-leaders.ts";

export function fetchHandler(broker: Broker): Handler<FetchRequest, FetchResponseInput> {
  const sessions = new FetchSessions({
    clock: broker.clock,
    random: broker.random,
    limits: {
      sessionsMax: broker.settings.maxIncrementalFetchSessionCacheSlots,
      partitionsMax: fetchSessionPartitionsMax,
      evictAfterMs: fetchSessionEvictAfterMs,
    },
  });
  const turns = new TurnBudget(broker.clock, fetchedBytesPerTurnMax);
  return {
    apiKey: ApiKey.Fetch,
    versions: { min: 4, max: 18 },
    handle: async (request, context) => {
      const naming = topicNaming(context.apiVersion);
      const usesTopicIds = naming === "id";
      const asked = positions(request);
      const choice = sessions.choose({
        sessionId: request.sessionId,
        sessionEpoch: request.sessionEpoch,
        usesTopicIds,
        asked,
        forgotten: forgotten(request),
      });
      const failure = sessionError(choice);
      if (failure !== ErrorCode.NONE) return { errorCode: failure, responses: [] };
      const session = choice.kind === "incremental" ? choice.session : undefined;
      const partitions = session === undefined ? fresh(asked) : [...session.partitions.values()];
      const maxBytes = Math.min(request.maxBytes, broker.settings.fetchMaxBytes);
      const round = await readWhenEnough(broker, partitions, {
        naming,
        // More than may be given is not waited for.
        minBytes: Math.min(request.minBytes, maxBytes),
        maxBytes,
        maxWaitMs: request.maxWaitMs,
        isolation: request.isolationLevel === 1 ? "committed" : "uncommitted",
        connection: context.connection,
        turns,
        memory: context.replyMemory,
      });
      countTraffic(broker, round);
      context.whenReplySent(() => giveBack(broker, round));
      if (session !== undefined) {
        return withLeaders(broker, context, incrementalResponse(session, round));
      }
      const created =
        choice.kind === "full" ? sessions.create(partitions, { usesTopicIds }) : undefined;
      return withLeaders(broker, context, fullResponse(created, round));
    },
  };
}

function positions(request: FetchRequest): readonly FetchPosition[] {
  return request.topics.flatMap(({ topic, topicId, partitions }) =>
    partitions.map((asked) => ({
      topic,
      topicId,
      partition: asked.partition,
      currentLeaderEpoch: asked.currentLeaderEpoch,
      fetchOffset: asked.fetchOffset,
      lastFetchedEpoch: asked.lastFetchedEpoch,
      maxBytes: asked.partitionMaxBytes,
    })),
  );
}

function forgotten(request: FetchRequest): readonly { readonly key: string }[] {
  return request.forgottenTopicsData.flatMap(({ topic, topicId, partitions }) =>
    partitions.map((partition) => ({ key: positionKey({ topic, topicId, partition }) })),
  );
}

/** A partition that comes twice is asked for once, with what was said last, as in a session. */
function fresh(asked: readonly FetchPosition[]): readonly SessionPartition[] {
  const byTopic = new Map<string, Map<number, FetchPosition>>();
  for (const position of asked) {
    const key = topicKey(position);
    const partitions = byTopic.get(key);
    if (partitions === undefined) byTopic.set(key, new Map([[position.partition, position]]));
    else partitions.set(position.partition, position);
  }
  return Array.from(byTopic.values(), (partitions) =>
    Array.from(partitions.values(), (position) => ({
      asked: position,
      highWatermark: -1,
      logStartOffset: -1,
    })),
  ).flat();
}

function topicKey({ topic, topicId }: FetchPosition): string {
  return topicId === zeroUuid ? topic : topicId;
}

function sessionError(choice: SessionChoice): number {
  switch (choice.kind) {
    case "sessionless":
    case "full":
    case "incremental":
      return ErrorCode.NONE;
    case "unknownSession":
      return ErrorCode.FETCH_SESSION_ID_NOT_FOUND;
    case "wrongEpoch":
      return ErrorCode.INVALID_FETCH_SESSION_EPOCH;
    case "topicIdsChanged":
      return ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR;
  }
}

function fullResponse(session: Session | undefined, round: FetchRound): FetchResponseInput {
  for (const { entry, answer } of round.reads) remember(entry, answer);
  return {
    errorCode: ErrorCode.NONE,
    sessionId: session?.id ?? 0,
    responses: byTopic(round.reads),
  };
}

function incrementalResponse(session: Session, round: FetchRound): FetchResponseInput {
  const changed = round.reads.filter(
    ({ entry, answer, bytes }) =>
      bytes > 0 ||
      answer.errorCode !== ErrorCode.NONE ||
      answer.divergingEpoch !== undefined ||
      answer.highWatermark !== entry.highWatermark ||
      answer.logStartOffset !== entry.logStartOffset,
  );
  for (const { entry, answer, bytes } of changed) {
    remember(entry, answer);
    if (bytes > 0) moveToEnd(session, entry);
  }
  return { errorCode: ErrorCode.NONE, sessionId: session.id, responses: byTopic(changed) };
}

const leadersFromVersion = 16;

/** Who leads, for a client that asked the wrong broker: it need not ask Metadata first (KIP-951). */
function withLeaders(
  broker: Broker,
  { apiVersion, connection }: RequestContext,
  response: FetchResponseInput,
): FetchResponseInput {
  const isAsked = response.responses.some(({ partitions }) =>
    partitions.some(({ errorCode }) => tellsLeader(errorCode)),
  );
  if (apiVersion < leadersFromVersion || !isAsked) return response;
  const leaders = new NamedLeaders(broker, connection.listener);
  const responses = response.responses.map((answer) => {
    const topic = findTopic(broker, { name: "", topicId: answer.topicId ?? zeroUuid });
    if (topic === undefined) return answer;
    const partitions = answer.partitions.map((part) => {
      const { errorCode, partitionIndex: partition } = part;
      if (!tellsLeader(errorCode)) return part;
      const currentLeader = leaders.of({ topicId: topic.id, partition }, errorCode);
      return currentLeader === undefined ? part : { ...part, currentLeader };
    });
    return { ...answer, partitions };
  });
  return { ...response, responses, nodeEndpoints: leaders.nodeEndpoints };
}

function remember(entry: SessionPartition, answer: FetchResponsePartitionDataInput): void {
  const failed = answer.errorCode !== ErrorCode.NONE;
  entry.highWatermark = failed ? -1 : answer.highWatermark;
  entry.logStartOffset = failed ? -1 : (answer.logStartOffset ?? -1);
}

/** Whoever got data is served last next time, so that a busy partition starves no other. */
function moveToEnd(session: Session, entry: SessionPartition): void {
  const key = positionKey(entry.asked);
  if (session.partitions.delete(key)) session.partitions.set(key, entry);
}

function byTopic(reads: FetchRound["reads"]): readonly FetchableTopicResponseInput[] {
  const topics = new Map<string, FetchResponsePartitionDataInput[]>();
  const responses: FetchableTopicResponseInput[] = [];
  for (const { entry, answer } of reads) {
    const { topic, topicId } = entry.asked;
    const key = topicKey(entry.asked);
    let partitions = topics.get(key);
    if (partitions === undefined) {
      partitions = [];
      topics.set(key, partitions);
      responses.push({ topic, topicId, partitions });
    }
    partitions.push(answer);
  }
  return responses;
}
