/** What a fixture is filled with, by a first and a second life of a broker. */
import { crc32c, loadCodecs } from "@millrace/adapter-node";
import {
  ApiKey,
  type BatchFields,
  buildBatch,
  type CompressionType,
  type NewRecord,
} from "@millrace/wire";
import type { WireClient } from "../fixtures/wire-client.ts";

/** 2100-01-01: no record, and no producer that wrote one, grows old before. Milliseconds. */
export const firstTimestamp = 4_102_444_800_000;
/** In the second life's records. */
export const middleTimestamp: number = firstTimestamp + 1_000_000 + 12_345;
const lifeMs = 1_000_000;
const batchMs = 7_000;
const recordMs = 100;
const recordsPerBatch = 6;
const { codecs } = loadCodecs();
const compressions: readonly CompressionType[] = ["none", "gzip", "snappy", "lz4", "zstd"];
const keepForever = {
  "retention.ms": "-1",
  "message.timestamp.after.max.ms": "9223372036854775807",
};

export interface TopicToMake {
  readonly name: string;
  readonly partitionCount: number;
  readonly configs: Readonly<Record<string, string>>;
  /** How many of the first partitions get records; the others stay untouched. */
  readonly written: number;
}

/** `orders` rolls its segments by the records' time, and indexes every batch. */
export const topicsToMake: readonly TopicToMake[] = [
  {
    name: "orders",
    partitionCount: 3,
    configs: { ...keepForever, "segment.ms": "20000", "index.interval.bytes": "0" },
    written: 2,
  },
  {
    name: "payments",
    partitionCount: 2,
    configs: { ...keepForever, "millrace.durability": "journal" },
    written: 2,
  },
  {
    name: "profiles",
    partitionCount: 2,
    configs: { ...keepForever, "cleanup.policy": "compact" },
    written: 2,
  },
  { name: "switched", partitionCount: 1, configs: keepForever, written: 1 },
  { name: "switched-back", partitionCount: 1, configs: keepForever, written: 1 },
  { name: "untouched", partitionCount: 5, configs: {}, written: 0 },
];

export const discardedTopic: TopicToMake = {
  name: "discarded",
  partitionCount: 2,
  configs: keepForever,
  written: 2,
};

export async function createTopic(client: WireClient, topic: TopicToMake): Promise<void> {
  const { configs, name, partitionCount: numPartitions } = topic;
  const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }));
  const wanted = { name, numPartitions, replicationFactor: 1, assignments: [], configs: entries };
  const response = await client.ask(ApiKey.CreateTopics, 7, { topics: [wanted], timeoutMs: 5_000 });
  if (response.topics[0]?.errorCode !== 0) throw new Error(JSON.stringify(response));
}

export interface ConfigChange {
  /** Kafka's number: 2 a topic, 4 a broker. */
  readonly resourceType: number;
  readonly resourceName: string;
  readonly name: string;
  readonly value: string;
}

export async function setConfig(client: WireClient, change: ConfigChange): Promise<void> {
  const { name, resourceName, resourceType, value } = change;
  const configs = [{ name, value, configOperation: 0 }];
  const resources = [{ resourceType, resourceName, configs }];
  const request = { resources, validateOnly: false };
  const response = await client.ask(ApiKey.IncrementalAlterConfigs, 1, request);
  if (response.responses[0]?.errorCode !== 0) throw new Error(JSON.stringify(response));
}

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

export interface Produced {
  readonly errorCode: number;
  readonly baseOffset: number;
}

/** Appends one batch with acks=all. */
export async function produce(
  client: WireClient,
  at: Place,
  records: Uint8Array,
): Promise<Produced> {
  const topicData = [{ name: at.topic, partitionData: [{ index: at.partition, records }] }];
  const request = { transactionalId: null, acks: -1, timeoutMs: 10_000, topicData };
  const response = await client.ask(ApiKey.Produce, 12, request);
  const result = response.responses[0]?.partitionResponses[0];
  if (result === undefined) throw new Error(`no answer: ${JSON.stringify(response)}`);
  return { errorCode: result.errorCode, baseOffset: result.baseOffset };
}

/** One batch of every codec into each partition that gets any. */
export async function fillTopic(
  client: WireClient,
  topic: TopicToMake,
  life: number,
): Promise<void> {
  for (let partition = 0; partition < topic.written; partition += 1) {
    for (const [index, compression] of compressions.entries()) {
      const from = firstTimestamp + (life - 1) * lifeMs + index * batchMs;
      const records = recordsOf(`${topic.name}/${partition}/${life}/${compression}`, from);
      const at = { topic: topic.name, partition };
      const keyed = topic.configs["cleanup.policy"] === "compact" ? records.map(withKey) : records;
      const batch = buildBatch(keyed, { crc32c, ...codecField(compression) });
      const result = await produce(client, at, batch);
      if (result.errorCode !== 0) throw new Error(`${topic.name}: ${JSON.stringify(result)}`);
    }
  }
}

function codecField(compression: CompressionType): Pick<BatchFields, "codec"> {
  if (compression === "none") return {};
  const codec = codecs[compression];
  if (codec === undefined) throw new Error(`no codec for ${compression}`);
  return { codec };
}

/** Records with and without a key, a value and headers; a header may have no value. */
function recordsOf(label: string, from: number): readonly NewRecord[] {
  return Array.from({ length: recordsPerBatch }, (_, index) => ({
    key: index % 3 === 0 ? null : bytes(`key-${index % 4}`),
    value: index % 5 === 4 ? null : bytes(`${label}/${index} `.repeat(index + 3)),
    headers:
      index % 2 === 0
        ? []
        : [
            { key: "trace", value: bytes(label) },
            { key: "trace", value: null },
            { key: "naïve", value: bytes("") },
          ],
    timestamp: from + index * recordMs,
  }));
}

function withKey(record: NewRecord, index: number): NewRecord {
  return { ...record, key: record.key ?? bytes(`key-${index % 4}`) };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A producer with its sequences in one partition. */
export interface IdempotentProducer extends Place {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly nextSequence: number;
  /** The last five batches, oldest first: a broker knows these again. */
  readonly remembered: readonly RememberedBatch[];
}

export interface RememberedBatch {
  readonly baseSequence: number;
  readonly baseOffset: number;
}

/** What `IdempotentProducer.remembered` holds at most, in Kafka as here. */
const rememberedMax = 5;
export const sequencesPerBatch = 2;

export async function newProducer(client: WireClient, at: Place): Promise<IdempotentProducer> {
  const request = { transactionalId: null, transactionTimeoutMs: 60_000 };
  const response = await client.ask(ApiKey.InitProducerId, 4, request);
  if (response.errorCode !== 0) throw new Error(JSON.stringify(response));
  const { producerEpoch, producerId } = response;
  return { ...at, producerEpoch, producerId, nextSequence: 0, remembered: [] };
}

/** Sends the batch that begins with this sequence; the same bytes every time. */
export function produceSequence(
  client: WireClient,
  producer: IdempotentProducer,
  baseSequence: number,
): Promise<Produced> {
  const { producerEpoch, producerId } = producer;
  const fields: BatchFields = { crc32c, producerEpoch, producerId, baseSequence };
  const records = Array.from({ length: sequencesPerBatch }, (_, index) => ({
    key: bytes("sequence"),
    value: bytes(String(baseSequence + index)),
    timestamp: firstTimestamp + lifeMs / 2 + baseSequence,
  }));
  return produce(client, producer, buildBatch(records, fields));
}

/** Appends the next batches of a producer. */
export async function produceNext(
  client: WireClient,
  producer: IdempotentProducer,
  batchCount: number,
): Promise<IdempotentProducer> {
  let { nextSequence, remembered } = producer;
  for (let batch = 0; batch < batchCount; batch += 1) {
    const { baseOffset, errorCode } = await produceSequence(client, producer, nextSequence);
    if (errorCode !== 0) throw new Error(`sequence ${nextSequence}: error ${errorCode}`);
    remembered = [...remembered, { baseSequence: nextSequence, baseOffset }].slice(-rememberedMax);
    nextSequence += sequencesPerBatch;
  }
  return { ...producer, nextSequence, remembered };
}
