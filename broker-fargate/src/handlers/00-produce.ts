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
 * A refused partition harms no other partition of the request. Transactional records are refused
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
import { refusalCode, tellsLogStart } from "./produce-refusal.ts";

const acksAll = -1;
const acksNone = 0;
const acksLeader = 1;
const zstdFromVersion = 7;
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
        return data.partitionData.map((part) => {
          if (failure !== ErrorCode.NONE) return refused(part.index, failure);
          if (topic !== undefined) return appendTo(broker, { topic, part, request, version });
          return refused(part.index, unknownTopicCode(topicNaming(version)));
        });
      });
      return collect(request, context, answers);
    },
  };
}

type Answer = PartitionProduceResponseInput;

async function collect(
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
  return {
    responses: request.topicData.map(({ name, topicId }, index) => ({
      name,
      topicId,
      partitionResponses: settled[index] ?? [],
    })),
  };
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
