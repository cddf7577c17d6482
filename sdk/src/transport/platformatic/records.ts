/** Fetch and ListOffsets over @platformatic/kafka. */
import { fetchV17, listOffsetsV8, type RecordsBatch } from "@platformatic/kafka";
import type {
  FetchedRecord,
  FetchRequest,
  FetchResult,
  HeaderEntry,
  ListedOffset,
  OffsetSpec,
  Transport,
} from "../transport.ts";
import type { Connections } from "./connections.ts";
import { brokerError, refuse } from "./failures.ts";

type FetchResponse = ReturnType<typeof fetchV17.parseResponse>;

const controlBit = 0x20;
const transactionalBit = 0x10;
const isolationLevels = { read_uncommitted: 0, read_committed: 1 } as const;

/**
 * Asks without a fetch session: a consumer asks for what its buffer has room for, which changes with
 * every request.
 */
export async function fetch(
  connections: Connections,
  node: number,
  request: FetchRequest,
): Promise<readonly FetchResult[]> {
  const names = new Map(request.partitions.map(({ topic, topicId }) => [topicId, topic]));
  const asked = [...names.keys()].map((topicId) => ({
    topicId,
    partitions: request.partitions
      .filter((partition) => partition.topicId === topicId)
      .map(({ partition, offset, leaderEpoch }) => ({
        partition,
        currentLeaderEpoch: leaderEpoch,
        fetchOffset: BigInt(offset),
        lastFetchedEpoch: -1,
        partitionMaxBytes: request.partitionMaxBytes,
      })),
  }));
  const connection = await connections.toNode(node);
  const answer = await connections.call(
    connection,
    fetchV17.api,
    ...([request.maxWaitMs, 1, request.maxBytes] as const),
    ...([isolationLevels[request.isolation], 0, -1] as const),
    asked,
    [],
    request.rack,
  );
  refuse(answer.errorCode);
  return answer.responses.flatMap(({ topicId, partitions }) =>
    partitions.flatMap((partition) => {
      const topic = names.get(topicId);
      return topic === undefined ? [] : [toFetchResult(topic, partition, request)];
    }),
  );
}

type PartitionAnswer = FetchResponse["responses"][number]["partitions"][number];

function toFetchResult(topic: string, answer: PartitionAnswer, request: FetchRequest): FetchResult {
  const partition = answer.partitionIndex;
  const from = request.partitions.find(
    (asked) => asked.topic === topic && asked.partition === partition,
  )?.offset;
  const aborted = request.isolation === "read_committed" ? answer.abortedTransactions : null;
  const error = brokerError(answer.errorCode);
  const read = readRecords(answer.records ?? [], { from: from ?? 0, aborted: aborted ?? [] });
  return {
    topic,
    partition,
    ...read,
    highWatermark: Number(answer.highWatermark),
    logStartOffset: Number(answer.logStartOffset),
    ...(answer.preferredReadReplica < 0 ? {} : { nearerNode: answer.preferredReadReplica }),
    ...(error === undefined ? {} : { error }),
  };
}

interface Reading {
  readonly from: number;
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[];
}

/**
 * What the batches hold from an offset on, without control records and without what was aborted
 * (KIP-98): a producer's records from the first offset of an aborted transaction to its marker.
 * @platformatic/kafka 2.12.1 knows one aborted transaction of a producer in a response; here it may
 * be any number.
 */
function readRecords(
  batches: readonly RecordsBatch[],
  { from, aborted }: Reading,
): Pick<FetchResult, "records" | "nextOffset"> {
  const upcoming = [...aborted].sort((a, b) => Number(a.firstOffset - b.firstOffset));
  const inAborted = new Set<bigint>();
  const records: FetchedRecord[] = [];
  let nextOffset = from;
  for (const batch of batches) {
    const lastOffset = Number(batch.firstOffset) + batch.lastOffsetDelta;
    nextOffset = Math.max(nextOffset, lastOffset + 1);
    while (upcoming[0] !== undefined && Number(upcoming[0].firstOffset) <= lastOffset) {
      inAborted.add(upcoming.shift()?.producerId ?? -1n);
    }
    if ((batch.attributes & controlBit) !== 0) {
      inAborted.delete(batch.producerId);
      continue;
    }
    const isAborted =
      (batch.attributes & transactionalBit) !== 0 && inAborted.has(batch.producerId);
    if (!isAborted) addRecords(batch, from, records);
  }
  return { records, nextOffset };
}

const noHeaders: readonly HeaderEntry[] = [];

function addRecords(batch: RecordsBatch, from: number, records: FetchedRecord[]): void {
  const firstOffset = Number(batch.firstOffset);
  const firstMs = Number(batch.firstTimestamp);
  const appendMs = (batch.attributes & 0x08) === 0 ? undefined : Number(batch.maxTimestamp);
  for (const { offsetDelta, timestampDelta, key, value, headers } of batch.records) {
    const offset = firstOffset + offsetDelta;
    if (offset < from) continue;
    records.push({
      offset,
      timestampMs: appendMs ?? firstMs + Number(timestampDelta),
      key,
      value,
      headers:
        headers.length === 0
          ? noHeaders
          : headers.map(([name, bytes]) => [name?.toString() ?? "", bytes]),
    });
  }
}

function timestampOf(at: OffsetSpec): bigint {
  if (at === "latest") return -1n;
  return at === "earliest" ? -2n : BigInt(Math.floor(at.timestampMs));
}

export async function listOffsets(
  connections: Connections,
  node: number,
  request: Parameters<Transport["listOffsets"]>[1],
): Promise<readonly ListedOffset[]> {
  const timestamp = timestampOf(request.at);
  const names = [...new Set(request.partitions.map(({ topic }) => topic))];
  const asked = names.map((name) => ({
    name,
    partitions: request.partitions
      .filter(({ topic }) => topic === name)
      .map(({ partition, leaderEpoch }) => ({
        partitionIndex: partition,
        currentLeaderEpoch: leaderEpoch,
        timestamp,
      })),
  }));
  const connection = await connections.toNode(node);
  const isolation = isolationLevels[request.isolation];
  const { topics } = await connections.call(connection, listOffsetsV8.api, -1, isolation, asked);
  return topics.flatMap(({ name, partitions }) =>
    partitions.map((answer): ListedOffset => {
      const error = brokerError(answer.errorCode);
      return {
        topic: name,
        partition: answer.partitionIndex,
        offset: Number(answer.offset),
        ...(error === undefined ? {} : { error }),
      };
    }),
  );
}
