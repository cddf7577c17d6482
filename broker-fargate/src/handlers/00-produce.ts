/**
 * Produce v3–v13 (listed from v0, as Kafka lists it; v0–v2 close the connection, as Kafka's do).
 *
 * Path: refuse transactional records → check topic, partition and acks → hand each partition's
 * records to its owner (`partition/owner.ts`), which decides in this turn of the event loop:
 * accepted, duplicate or refused → wait for what `acks` asks → answer every partition for itself.
 *
 * Promises: the records' bytes are handed on as views of the request's frame, never copied or
 * parsed here; an acks=all reply leaves when its records are as durable as the topic's
 * `millrace.durability` says; acks=1 leaves when the owner has appended; acks=0 has no reply, and a
 * refusal closes the connection, as in Kafka.
 * A partition that another broker leads is refused with its leader's address (KIP-951), also where it
 * was lost while records waited to be durable. A refused partition harms no other partition of the request. Transactional records are refused
 * for good, with the whole request, until transactions are served: without a coordinator nothing
 * would ever end their transaction, and the last stable offset would stand still.
 */
import {
  ApiKey,
  BATCH_HEADER_BYTES,
  ErrorCode,
  isTransactional,
  kafkaError,
  type PartitionProduceData,
  type PartitionProduceResponseInput,
  type ProduceRequest,
  type ProduceResponseInput,
  readMagic,
  type TopicProduceResponseInput,
  zeroUuid,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import type { AppendResult } from "../partition/append.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { CloseConnection } from "../server/close-reason.ts";
import {
  findTopic,
  hasPartition,
  topicNaming,
  unknownTopicCode,
  withPartition,
} from "./find-partition.ts";
import type { Handler, RequestContext } from "./handler.ts";
import { type LookedFor, lookForTopic } from "./missing-topics.ts";
import { refusalCode, tellsLogStart } from "./produce-refusal.ts";
import { NamedLeaders } from "./shown-leaders.ts";

const acksAll = -1;
const acksNone = 0;
const acksLeader = 1;
const zstdFromVersion = 7;
const leadersFromVersion = 10;
const magic = 2;

export function produceHandler(broker: Broker): Handler<ProduceRequest, ProduceResponseInput> {
  return {
    apiKey: ApiKey.Produce,
    versions: { min: 3, max: 13 },
    handle: (request, context) => {
      const version = context.apiVersion;
      const failure = transactionError(request);
      const answers = request.topicData.map((data) => {
        const topic = findTopic(broker, data);
        // What is known is appended in this turn, before the connection's next request.
        if (failure !== ErrorCode.NONE) {
          return data.partitionData.map(({ index }) => refused(index, failure));
        }
        const appends = data.partitionData.map((part) => ({ part, request, version }));
        if (topic !== undefined) {
          return appends.map((append) => appendTo(broker, { topic, ...append }));
        }
        const looking = lookForTopic(broker, data);
        return appends.map((append) =>
          looking.then((found) => appendToFound(broker, found, append)),
        );
      });
      return collect(broker, request, context, answers);
    },
  };
}

type Answer = PartitionProduceResponseInput;

async function collect(
  broker: Broker,
  request: ProduceRequest,
  context: RequestContext,
  answers: readonly (readonly (Answer | Promise<Answer>)[])[],
): Promise<ProduceResponseInput | undefined> {
  const settled = await Promise.all(
    answers.map((topic) => Promise.all(topic.map((answer) => Promise.resolve(answer)))),
  );
  // Durable and in their logs: nobody holds the batches any more. After a refusal, or with less
  // than acks=all, a journal or a queue may.
  const isDone = (answer: Answer): boolean => answer.errorCode === ErrorCode.NONE;
  if (request.acks === acksAll && settled.flat().every(isDone)) context.frameIsFree();
  if (request.acks === acksNone) return silence(settled.flat());
  const responses = request.topicData.map(({ name, topicId }, index) => ({
    name,
    topicId,
    partitionResponses: settled[index] ?? [],
  }));
  const isElsewhere = responses.some(({ partitionResponses }) => partitionResponses.some(isLost));
  if (!isElsewhere || context.apiVersion < leadersFromVersion) return { responses };
  return withLeaders(broker, context, responses);
}

function isLost({ errorCode }: Answer): boolean {
  return errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER;
}

function withLeaders(
  broker: Broker,
  { connection }: RequestContext,
  responses: readonly TopicProduceResponseInput[],
): ProduceResponseInput {
  const leaders = new NamedLeaders(broker, connection.listener);
  const named = responses.map((response) => {
    const { name = "", topicId = zeroUuid } = response;
    const topic = findTopic(broker, { name, topicId });
    if (topic === undefined) return response;
    return {
      ...response,
      partitionResponses: response.partitionResponses.map((answer) => {
        if (!isLost(answer)) return answer;
        const at = { topicId: topic.id, partition: answer.index };
        const currentLeader = leaders.of(at, answer.errorCode);
        return currentLeader === undefined ? answer : { ...answer, currentLeader };
      }),
    };
  });
  return { responses: named, nodeEndpoints: leaders.nodeEndpoints };
}

/** acks=0 has no reply to carry an error: a closed connection tells the producer to look again. */
function silence(answers: readonly Answer[]): undefined {
  const failed = answers.find((answer) => answer.errorCode !== ErrorCode.NONE);
  if (failed === undefined) return;
  const { name } = kafkaError(failed.errorCode);
  throw new CloseConnection(`Produce with acks=0 failed for partition ${failed.index}: ${name}`);
}

/**
 * Transactional records without a transactional id are refused in Kafka's words; with one, as what
 * belongs to no transaction under way. The id alone does no harm.
 */
function transactionError(request: ProduceRequest): number {
  const isFound = request.topicData.some((data) => data.partitionData.some(hasTransactionalBatch));
  if (!isFound) return ErrorCode.NONE;
  return request.transactionalId === null
    ? ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    : ErrorCode.INVALID_TXN_STATE;
}

/** Only a first batch is looked at: records of more than one are refused anyway. */
function hasTransactionalBatch({ records }: PartitionProduceData): boolean {
  if (records === null || records.length < BATCH_HEADER_BYTES) return false;
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  return readMagic(view, 0) === magic && isTransactional(view, 0);
}

/** Checked once topic and partition are found, as in Kafka. */
function requestError({ isInternal }: Topic, { acks }: ProduceRequest): number {
  if (acks !== acksAll && acks !== acksNone && acks !== acksLeader) {
    return ErrorCode.INVALID_REQUIRED_ACKS;
  }
  return isInternal ? ErrorCode.INVALID_TOPIC_EXCEPTION : ErrorCode.NONE;
}

interface Append {
  readonly topic: Topic;
  readonly part: PartitionProduceData;
  readonly request: ProduceRequest;
  readonly version: number;
}

function appendToFound(
  broker: Broker,
  found: LookedFor,
  append: Omit<Append, "topic">,
): Answer | Promise<Answer> {
  const { index } = append.part;
  if (found === "unconfirmed") return refused(index, ErrorCode.NOT_LEADER_OR_FOLLOWER);
  if (found === "absent") return refused(index, unknownTopicCode(topicNaming(append.version)));
  return appendTo(broker, { topic: found, ...append });
}

function appendTo(broker: Broker, append: Append): Answer | Promise<Answer> {
  const { index, records } = append.part;
  if (!hasPartition(append.topic, index)) {
    return refused(index, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  }
  const failure = requestError(append.topic, append.request);
  if (failure !== ErrorCode.NONE) return refused(index, failure);
  if (records === null) return refused(index, ErrorCode.INVALID_RECORD);
  const at = { topicId: append.topic.id, partition: index };
  return withPartition(
    broker,
    at,
    async (owner) => {
      const result = await owner.append({
        records,
        waitFor: append.request.acks === acksAll ? "durable" : "appended",
        zstd: append.version < zstdFromVersion ? "refused" : "allowed",
      });
      if (result.kind !== "refused") broker.traffic.count(owner.slot, records.length);
      return answerOf(index, result, owner);
    },
    (errorCode) => refused(index, errorCode),
  );
}

function answerOf(index: number, result: AppendResult, owner: PartitionOwner): Answer {
  if (result.kind === "refused") {
    const { message, reason, recordErrors } = result;
    return {
      ...refused(index, refusalCode(reason)),
      logStartOffset: tellsLogStart(reason) ? owner.logStartOffset : -1,
      errorMessage: message ?? null,
      recordErrors: recordErrors ?? [],
    };
  }
  const { baseOffset, logAppendTimeMs, logStartOffset } = result;
  return { index, errorCode: ErrorCode.NONE, baseOffset, logAppendTimeMs, logStartOffset };
}

function refused(index: number, errorCode: number): Answer {
  return { index, errorCode, baseOffset: -1 };
}
