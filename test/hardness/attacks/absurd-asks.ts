/** Requests with one absurd value each, and what their answers say, by the names of error codes. */
import { ApiKey, type CreateTopicsRequestInput, kafkaError, zeroUuid } from "@millrace/wire";
import type { WireClient } from "../../fixtures/wire-client.ts";

export const most = 0x7fffffff;
export const least = -0x80000000;

export type TopicAsked = CreateTopicsRequestInput["topics"][number];

export function topicAsked(name: string, numPartitions: number): TopicAsked {
  return { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] };
}

export async function createTopic(client: WireClient, topic: TopicAsked): Promise<string> {
  const request = { timeoutMs: 10_000, topics: [topic] };
  const { topics } = await client.ask(ApiKey.CreateTopics, 7, request);
  return nameOf(topics[0]?.errorCode);
}

function nameOf(code: number | undefined): string {
  return code === undefined ? "no answer" : kafkaError(code).name;
}

export async function grow(client: WireClient, count: number): Promise<string> {
  const topics = [{ name: "probed", count, assignments: null }];
  const request = { topics, timeoutMs: 1000, validateOnly: false };
  const { results } = await client.ask(ApiKey.CreatePartitions, 3, request);
  return nameOf(results[0]?.errorCode);
}

export interface Wish {
  readonly maxBytes?: number;
  readonly minBytes?: number;
  readonly maxWaitMs?: number;
  readonly partition?: number;
  readonly fetchOffset?: number;
  readonly partitionMaxBytes?: number;
  readonly sessionId?: number;
  readonly sessionEpoch?: number;
}

/** `[error of the answer, error of the partition, whether records came]`. */
export async function fetch(client: WireClient, wish: Wish): Promise<unknown> {
  const { maxBytes, minBytes = 1, maxWaitMs = 0, partition = 0 } = wish;
  const { fetchOffset = 0, partitionMaxBytes = 1000, sessionId = 0, sessionEpoch = -1 } = wish;
  const topics = [{ topic: "probed", partitions: [{ partition, fetchOffset, partitionMaxBytes }] }];
  const session = { sessionId, sessionEpoch };
  const budget = maxBytes === undefined ? {} : { maxBytes };
  const request = { maxWaitMs, minBytes, topics, ...session, ...budget };
  const answer = await client.ask(ApiKey.Fetch, 11, request);
  const part = answer.responses[0]?.partitions[0];
  const records = part?.records === null ? 0 : (part?.records?.length ?? 0);
  return [nameOf(answer.errorCode), nameOf(part?.errorCode), records > 0 ? "records" : "none"];
}

export async function join(
  client: WireClient,
  asked: {
    readonly groupId?: string;
    readonly memberId?: string;
    readonly sessionTimeoutMs?: number;
    readonly rebalanceTimeoutMs?: number;
    readonly protocols?: readonly { readonly name: string; readonly metadata: Uint8Array }[];
  },
): Promise<string> {
  const { groupId = "absurd", memberId = "", sessionTimeoutMs = 10_000 } = asked;
  const { rebalanceTimeoutMs = 10_000 } = asked;
  const { protocols = [{ name: "range", metadata: new Uint8Array(0) }] } = asked;
  const member = { groupId, memberId, protocolType: "consumer", protocols };
  const timeouts = { sessionTimeoutMs, rebalanceTimeoutMs };
  const { errorCode } = await client.ask(ApiKey.JoinGroup, 7, { ...member, ...timeouts });
  return nameOf(errorCode);
}

export async function commit(
  client: WireClient,
  asked: {
    readonly metadata?: string;
    readonly partitionIndex?: number;
    readonly offset?: number;
    readonly groupId?: string;
  },
): Promise<string> {
  const { metadata = "", partitionIndex = 0, offset = 1, groupId = "absurd-commits" } = asked;
  const partitions = [{ partitionIndex, committedOffset: offset, committedMetadata: metadata }];
  const topics = [{ name: "probed", partitions }];
  const answer = await client.ask(ApiKey.OffsetCommit, 8, { groupId, topics });
  return nameOf(answer.topics[0]?.partitions[0]?.errorCode);
}

export async function producerId(
  client: WireClient,
  asked: { readonly transactionalId?: string; readonly timeoutMs: number; readonly id?: number },
): Promise<string> {
  const { errorCode } = await client.ask(ApiKey.InitProducerId, 4, {
    transactionalId: asked.transactionalId ?? null,
    transactionTimeoutMs: asked.timeoutMs,
    producerId: asked.id ?? -1,
  });
  return nameOf(errorCode);
}

export async function produce(
  client: WireClient,
  asked: { readonly acks?: number; readonly index?: number; readonly records?: Uint8Array | null },
): Promise<string> {
  const { acks = -1, index = 0, records = new Uint8Array(0) } = asked;
  const { responses } = await client.ask(ApiKey.Produce, 9, {
    acks,
    timeoutMs: least,
    topicData: [{ name: "probed", partitionData: [{ index, records }] }],
  });
  return nameOf(responses[0]?.partitionResponses[0]?.errorCode);
}

export async function endOffset(
  client: WireClient,
  timestamp: bigint,
  partition = 0,
): Promise<string> {
  const { topics } = await client.ask(ApiKey.ListOffsets, 7, {
    replicaId: -1,
    topics: [{ name: "probed", partitions: [{ partitionIndex: partition, timestamp }] }],
  });
  return nameOf(topics[0]?.partitions[0]?.errorCode);
}

export async function alter(client: WireClient, name: string, value: string): Promise<string> {
  const { responses } = await client.ask(ApiKey.IncrementalAlterConfigs, 1, {
    resources: [
      { resourceType: 2, resourceName: "probed", configs: [{ name, configOperation: 0, value }] },
    ],
    validateOnly: false,
  });
  return nameOf(responses[0]?.errorCode);
}

export async function firstTopicCode(client: WireClient, name: string): Promise<string> {
  const request = { topics: [{ name, topicId: zeroUuid }], allowAutoTopicCreation: true };
  const { topics } = await client.ask(ApiKey.Metadata, 12, request);
  return nameOf(topics[0]?.errorCode);
}

export async function describePage(
  client: WireClient,
  limit: number,
  from: number,
): Promise<unknown> {
  const { topics } = await client.ask(ApiKey.DescribeTopicPartitions, 0, {
    topics: [{ name: "probed" }],
    responsePartitionLimit: limit,
    cursor: { topicName: "probed", partitionIndex: from },
  });
  return [nameOf(topics[0]?.errorCode), topics[0]?.partitions.length];
}
