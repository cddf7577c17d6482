/**
 * Produce v3–v13 (listed from v0, as Kafka lists it; v0–v2 close the connection, as Kafka's do).
 *
 * Path: check acks and the topic → hand each partition's records to its owner
 * (`partition/owner.ts`), which decides in this turn of the event loop: accepted, duplicate or
 * refused → wait for what `acks` asks → answer every partition for itself.
 *
 * Promises: the records' bytes are handed on as views of the request's frame, never copied or
 * parsed here; an acks=all reply leaves when its records are as durable as the topic's
 * `millrace.durability` says; acks=1 leaves when the owner has appended; acks=0 has no reply, and a
 * refusal closes the connection, as in Kafka.
 * A refused partition harms no other partition of the request.
 */
import {
  ApiKey,
  ErrorCode,
  kafkaError,
  type PartitionProduceData,
  type PartitionProduceResponseInput,
  type ProduceRequest,
  type ProduceResponseInput,
  type TopicProduceData,
} from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import type { AppendResult } from "../partition/append.ts";
import { CloseConnection } from "../server/close-reason.ts";
import { findTopic, hasPartition, unknownTopicCode, withPartition } from "./find-partition.ts";
import type { Handler } from "./handler.ts";
import { refusalCode } from "./produce-refusal.ts";

const acksAll = -1;
const acksNone = 0;
const acksLeader = 1;
const zstdFromVersion = 7;

export function produceHandler(broker: Broker): Handler<ProduceRequest, ProduceResponseInput> {
  return {
    apiKey: ApiKey.Produce,
    versions: { min: 3, max: 13 },
    handle: (request, context) => {
      const answers = request.topicData.map((data) => {
        const failure = topicError(broker, request, data);
        const topic = findTopic(broker, data);
        return data.partitionData.map((part) =>
          topic === undefined || failure !== ErrorCode.NONE
            ? refused(part.index, failure)
            : appendTo(broker, { topic, part, request, version: context.apiVersion }),
        );
      });
      return collect(request, answers);
    },
  };
}

type Answer = PartitionProduceResponseInput;

async function collect(
  request: ProduceRequest,
  answers: readonly (readonly (Answer | Promise<Answer>)[])[],
): Promise<ProduceResponseInput | undefined> {
  const settled = await Promise.all(
    answers.map((topic) => Promise.all(topic.map((answer) => Promise.resolve(answer)))),
  );
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

/** What is wrong with the whole request, or with the whole topic. */
function topicError(broker: Broker, request: ProduceRequest, data: TopicProduceData): number {
  const { acks } = request;
  if (acks !== acksAll && acks !== acksNone && acks !== acksLeader) {
    return ErrorCode.INVALID_REQUIRED_ACKS;
  }
  if (request.transactionalId !== null) return ErrorCode.INVALID_REQUEST;
  const topic = findTopic(broker, data);
  if (topic === undefined) return unknownTopicCode(data);
  return topic.isInternal ? ErrorCode.INVALID_TOPIC_EXCEPTION : ErrorCode.NONE;
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
      return answerOf(index, result);
    },
    (errorCode) => refused(index, errorCode),
  );
}

function answerOf(index: number, result: AppendResult): Answer {
  if (result.kind === "refused") {
    const { message, recordErrors } = result;
    return {
      ...refused(index, refusalCode(result.reason)),
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
