import {
  ApiKey,
  crc32c,
  computeBatchCrc,
  ErrorCode,
  type FetchRequestInput,
  type FetchResponse,
  kafkaError,
  readBatchHeader,
  readCrc,
  readPartitionLeaderEpoch,
  readRecords,
  splitBatches,
  zeroUuid,
} from "@millrace/wire";
import { type ClientProcess, codecs, nameOf, type PartitionRef } from "./client.ts";
import { leaderErrors, type LeaderHint } from "./client-routes.ts";
import type { Poll, PolledRecord } from "./history.ts";
import { listOffset } from "./list-offset.ts";
import type { KafkaConnection } from "./kafka-connection.ts";
import { isKnown } from "./producer.ts";
import { readPlanned } from "./values.ts";

type Uuid = typeof zeroUuid;

/** A partition and where to go on reading it. */
export interface Position {
  readonly ref: PartitionRef;
  next: number;
  /** See Poll. */
  stretch: number;
  /** How often the position was out of range; each time a new stretch begins. */
  resets?: number;
  /** Answers without an error, one after another, that brought nothing. */
  emptyAnswers?: number;
  /** Gathers what comes, if it is there. */
  readonly seen?: PolledRecord[];
  /** What was at the position is not there any more: the next poll begins at the log's start. */
  isOutOfRange?: boolean;
}

/** More resets than a position ever has. */
const resetsMax = 100_000;

export interface FetchRules {
  readonly version: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
}

/**
 * One fetch of these partitions, from each of their leaders. Positions move past what came, polls go
 * into the history. Rejects with ConnectionLost. Returns how many records came.
 */
export async function fetchOnce(
  client: ClientProcess,
  positions: readonly Position[],
  rules: FetchRules,
): Promise<number> {
  for (const position of positions) {
    if (position.isOutOfRange === true) await reset(client, position);
  }
  const leaders = await client.byLeader(positions);
  // All of them: the next fetch must not begin while one of these still moves its positions.
  const fetched = await Promise.allSettled(
    leaders.map(({ asked, connection }) => fetchFrom(client, { connection, rules }, asked)),
  );
  const lost = fetched.find((one) => one.status === "rejected");
  if (lost !== undefined) throw lost.reason;
  return fetched.reduce((sum, one) => sum + (one.status === "fulfilled" ? one.value : 0), 0);
}

async function fetchFrom(
  client: ClientProcess,
  how: { readonly connection: KafkaConnection; readonly rules: FetchRules },
  positions: readonly Position[],
): Promise<number> {
  const { history } = client.scene;
  const answeredBy = how.connection.address;
  const polls = positions.map(({ ref, next, stretch, resets = 0 }) =>
    history.begin<Poll>({
      ...{ kind: "poll", consumer: client.name, partition: nameOf(ref), from: next },
      stretch: stretch * resetsMax + resets,
      ...{ highWatermark: -1, records: [] },
      ...(answeredBy === undefined ? {} : { answeredBy }),
    }),
  );
  const answer = await requestFetch(client, how, positions);
  if (answer.errorCode !== ErrorCode.NONE) {
    client.host.note(`${client.name}: a fetch failed: ${kafkaError(answer.errorCode).name}`);
    return 0;
  }
  let count = 0;
  for (const topic of answer.responses) {
    for (const part of topic.partitions) {
      const index = positions.findIndex(
        ({ ref }) =>
          ref.partition === part.partitionIndex &&
          (ref.topicId === topic.topicId || ref.topic === topic.topic),
      );
      const [position, poll] = [positions[index], polls[index]];
      if (position === undefined || poll === undefined) {
        client.host.note(`${client.name}: a fetch answers for what was not asked`);
        continue;
      }
      if (part.errorCode === ErrorCode.NONE) {
        poll.highWatermark = part.highWatermark;
        const polled = readBatches(client, position, part.records ?? new Uint8Array(0));
        poll.records = polled.records;
        const isEmpty = position.next === polled.next;
        position.emptyAnswers = isEmpty ? (position.emptyAnswers ?? 0) + 1 : 0;
        position.next = polled.next;
        position.seen?.push(...polled.records);
        count += polled.records.length;
        history.end(poll, "ok");
      } else {
        history.end(poll, "fail");
        const hint = { ...part.currentLeader, endpoints: answer.nodeEndpoints };
        refused(client, position, { errorCode: part.errorCode, hint });
      }
    }
  }
  return count;
}

async function requestFetch(
  client: ClientProcess,
  { connection, rules }: { readonly connection: KafkaConnection; readonly rules: FetchRules },
  positions: readonly Position[],
): Promise<FetchResponse> {
  try {
    return await connection.request(ApiKey.Fetch, rules.version, fetchRequest(positions, rules));
  } catch (error) {
    for (const { ref } of positions) client.lostLeader(ref);
    throw error;
  }
}

/** One fetch of one partition, of which the history hears nothing. */
export async function fetchCode(
  connection: KafkaConnection,
  ref: PartitionRef,
  from: number,
): Promise<{ readonly errorCode: number; readonly bytes: number }> {
  const rules = { version: 12, maxBytes: 20_000, maxWaitMs: 2_000 };
  const wish = fetchRequest([{ ref, next: from, stretch: 0 }], rules);
  const answer = await connection.request(ApiKey.Fetch, rules.version, wish);
  const part = answer.responses[0]?.partitions[0];
  const errorCode = part?.errorCode ?? answer.errorCode;
  return { errorCode, bytes: part?.records?.length ?? 0 };
}

/** As `auto.offset.reset=earliest` has it. */
async function reset(client: ClientProcess, position: Position): Promise<void> {
  const { ref } = position;
  const [found] = await client.byLeader([position]);
  const start = found && (await listOffset(found.connection, ref, -2n));
  if (start === undefined) return client.lostLeader(ref);
  const where = `${nameOf(position.ref)} from ${position.next} to ${start.offset}`;
  client.scene.world.trace.add(`${client.name} resets ${where}`);
  position.next = start.offset;
  position.resets = (position.resets ?? 0) + 1;
  position.isOutOfRange = false;
}

/** Whether the broker may have nothing at the offset: it was deleted, or lost with its folder. */
function mayBeOutOfRange(client: ClientProcess, { next, ref }: Position): boolean {
  const { history } = client.scene;
  const partition = nameOf(ref);
  const isLost = history.losses.some((loss) => loss.partition === partition && loss.from <= next);
  return isLost || next < history.startOf(partition);
}

function refused(
  client: ClientProcess,
  position: Position,
  { errorCode, hint }: { readonly errorCode: number; readonly hint: LeaderHint },
): void {
  if (leaderErrors.has(errorCode)) client.lostLeader(position.ref, hint);
  const { name, retriable } = kafkaError(errorCode);
  client.scene.world.trace.add(`${client.name} fetch ${nameOf(position.ref)} ${name}`);
  if (retriable || !isKnown(client.scene, position.ref)) return;
  if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE && mayBeOutOfRange(client, position)) {
    position.isOutOfRange = true;
    return;
  }
  const where = `${nameOf(position.ref)} from ${position.next}`;
  client.host.note(`${client.name}: fetching ${where} was refused with ${name}`);
}

function fetchRequest(positions: readonly Position[], rules: FetchRules): FetchRequestInput {
  const byTopic = Map.groupBy(positions, ({ ref }) => ref.topicId);
  return {
    maxWaitMs: rules.maxWaitMs,
    minBytes: 1,
    maxBytes: rules.maxBytes,
    topics: [...byTopic].map(([topicId, ofTopic]) => ({
      topic: rules.version < 13 ? (ofTopic[0]?.ref.topic ?? "") : "",
      topicId: rules.version < 13 ? zeroUuid : (topicId as Uuid),
      partitions: ofTopic.map(({ ref, next }) => ({
        partition: ref.partition,
        fetchOffset: next,
        partitionMaxBytes: rules.maxBytes,
      })),
    })),
  };
}

/** What a client takes from the bytes: whole batches, and in them what is at or past its position. */
function readBatches(
  client: ClientProcess,
  position: Position,
  bytes: Uint8Array,
): { readonly records: readonly PolledRecord[]; readonly next: number } {
  const split = splitBatches(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const where = `${client.name}: ${nameOf(position.ref)} from ${position.next}`;
  if (split.rest === "bad-length") client.host.note(`${where}: a batch without a length`);
  const records: PolledRecord[] = [];
  let { next } = position;
  for (const at of split.starts) {
    const header = readBatchHeader(bytes, at);
    if (readCrc(view, at) !== computeBatchCrc(bytes, view, at, crc32c)) {
      client.host.note(`${where}: the batch at ${header.baseOffset} is damaged`);
      continue;
    }
    const leaderEpoch = readPartitionLeaderEpoch(view, at);
    const read = readRecords(bytes, at, { codecs, decompressedBytesMax: 1 << 20 });
    if (read.kind === "fault") {
      client.host.note(`${where}: a batch does not open: ${read.fault}`);
      continue;
    }
    // Of a compacted batch the last records may be gone, or all of them.
    next = Math.max(next, header.baseOffset + header.lastOffsetDelta + 1);
    for (const record of read.records) {
      const { offset } = record;
      const planned = readPlanned(record);
      if (planned === undefined) client.host.note(`${where}: the record at ${offset} is damaged`);
      else if (offset >= position.next) records.push({ offset, ...planned, leaderEpoch });
    }
  }
  const summary = `${records.length} to ${next}`;
  if (records.length > 0) client.scene.world.trace.add(`${where} got ${summary}`);
  return { records, next };
}
