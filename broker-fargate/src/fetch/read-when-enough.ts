/**
 * The long poll: reads partitions in order within one budget of bytes. If they hold less than the
 * client wants, it counts what is appended, without reading, and reads again when that is enough,
 * when there is something to report, or when no time is left: at once where the client sends
 * nothing more, since it may be gone, and what it allowed to wait may be 24 days.
 */
import type { Slot } from "@millrace/core";
import { ErrorCode, type FetchResponsePartitionDataInput } from "@millrace/wire";
import type { Broker } from "../broker.ts";
import {
  confirmed,
  findOwner,
  findTopic,
  hasPartition,
  leaderEpochError,
  openingErrorCode,
  type TopicNaming,
  unknownTopicCode,
  withPartition,
} from "../handlers/find-partition.ts";
import type { ConnectionContext, ReplyMemory } from "../handlers/handler.ts";
import { lookForTopic } from "../handlers/missing-topics.ts";
import type { Isolation, PartitionOwner } from "../partition/owner.ts";
import { fetchedPartitionTurnBytes } from "../limits.ts";
import type { TurnBudget } from "../turn-budget.ts";
import type { FetchPosition, SessionPartition } from "./session.ts";

export interface FetchWish {
  readonly naming: TopicNaming;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  readonly isolation: Isolation;
  readonly connection: ConnectionContext;
  /** Of all fetches, in bytes. */
  readonly turns: TurnBudget;
  readonly memory: ReplyMemory;
}

export interface PartitionRead {
  readonly entry: SessionPartition;
  /** Undefined where nothing could be read. */
  readonly slot: Slot | undefined;
  readonly answer: FetchResponsePartitionDataInput;
  readonly bytes: number;
  /** What counts for `minBytes`, as in Kafka: bytes that are there, cut to what is asked for. */
  readonly availableBytes: number;
}

export interface FetchRound {
  readonly reads: readonly PartitionRead[];
  readonly availableBytes: number;
  /** There is an error, or a log to be cut: what is not to be waited with. */
  readonly isUrgent: boolean;
}

export async function readWhenEnough(
  broker: Broker,
  entries: readonly SessionPartition[],
  wish: FetchWish,
): Promise<FetchRound> {
  const deadlineMs = broker.clock.monotonicMs() + Math.max(wish.maxWaitMs, 0);
  const unopened = await openAll(broker, entries, wish.turns);
  for (;;) {
    const watched: Watched[] = [];
    const round = await readAll(broker, entries, { wish, watched, unopened });
    const missingBytes = wish.minBytes - round.availableBytes;
    if (round.isUrgent) return confirmedRound(broker, round);
    if (missingBytes <= 0) return round;
    const leftMs = wish.connection.isEnding() ? 0 : deadlineMs - broker.clock.monotonicMs();
    if (leftMs <= 0) return round;
    // Whoever waits holds no memory; what was read is in the page cache when it is read again.
    giveBack(broker, round);
    wish.memory.drop();
    const woken = await advance(broker, watched, { wish, missingBytes, leftMs });
    if (woken === "closed") return { reads: [], availableBytes: 0, isUrgent: false };
  }
}

/** What makes a client give its position up is confirmed first, where this broker may be wrong. */
async function confirmedRound(broker: Broker, round: FetchRound): Promise<FetchRound> {
  if (broker.view.hasEvidence) return round;
  const confirm = async (read: PartitionRead): Promise<PartitionRead> => {
    const { asked } = read.entry;
    const topic = findTopic(broker, { name: asked.topic, topicId: asked.topicId });
    if (topic === undefined) return read;
    const at = { topicId: topic.id, partition: asked.partition };
    const errorCode = await confirmed(broker, at, read.answer.errorCode);
    return { ...read, answer: { ...read.answer, errorCode } };
  };
  return { ...round, reads: await Promise.all(round.reads.map(confirm)) };
}

/** What is about to be sent, by slot. */
export function countTraffic({ traffic }: Broker, round: FetchRound): void {
  for (const { bytes, slot } of round.reads) if (slot !== undefined) traffic.count(slot, bytes);
}

/** The memory of a round's records is used again: nobody may read them any more. */
export function giveBack(broker: Broker, round: FetchRound): void {
  for (const { answer } of round.reads) {
    const { records } = answer;
    if (records === null || records instanceof Uint8Array) continue;
    for (const run of records) broker.buffers.giveBack(run);
  }
}

/** Loads what is not loaded; returns the error codes of partitions that can't be. */
async function openAll(
  broker: Broker,
  entries: readonly SessionPartition[],
  turns: TurnBudget,
): Promise<ReadonlyMap<SessionPartition, number>> {
  const unopened = new Map<SessionPartition, number>();
  const opening: Promise<unknown>[] = [];
  for (const entry of entries) {
    while (!turns.takes(fetchedPartitionTurnBytes)) await turns.nextTurn();
    const { asked } = entry;
    const topic = findTopic(broker, { name: asked.topic, topicId: asked.topicId });
    if (topic === undefined) {
      opening.push(openMissing(broker, entry, unopened));
      continue;
    }
    if (!hasPartition(topic, asked.partition)) continue;
    const at = { topicId: topic.id, partition: asked.partition };
    if (findOwner(broker, at) !== undefined) continue;
    const opened = broker.partitions.open(topic.id, asked.partition);
    opening.push(
      opened.catch((error: unknown) => unopened.set(entry, openingErrorCode(broker, error))),
    );
  }
  if (opening.length > 0) await Promise.all(opening);
  return unopened;
}

/** Of a topic that memory does not have. What is not there after a look is told when it is read. */
async function openMissing(
  broker: Broker,
  entry: SessionPartition,
  unopened: Map<SessionPartition, number>,
): Promise<void> {
  const { topic: name, topicId, partition } = entry.asked;
  const found = await lookForTopic(broker, { name, topicId });
  if (found === "unconfirmed") unopened.set(entry, ErrorCode.NOT_LEADER_OR_FOLLOWER);
  if (typeof found === "string" || !hasPartition(found, partition)) return;
  const at = { topicId: found.id, partition };
  await withPartition(
    broker,
    at,
    () => undefined,
    (errorCode) => {
      unopened.set(entry, errorCode);
      return undefined;
    },
  );
}

/** A partition that was read to its end, or as far as was asked for. */
interface Watched {
  readonly owner: PartitionOwner;
  /** Set where records are being fetched from the object store. */
  readonly arriving: Promise<void> | undefined;
  readonly availableBytes: number;
  readonly maxBytes: number;
  /** The owner's when it was read. */
  readonly appendedBytes: number;
  /** The same. One that failed is still read, and nothing more comes: to look again is no use. */
  readonly wasOver: boolean;
}

/**
 * One pass over the partitions; `watched` receives those whose advance may change the outcome. A
 * disk is read synchronously, which is cheapest for what the page cache has, so a pass that reads
 * much lets others have a turn now and then.
 */
async function readAll(
  broker: Broker,
  entries: readonly SessionPartition[],
  pass: {
    readonly wish: FetchWish;
    readonly watched: Watched[];
    readonly unopened: ReadonlyMap<SessionPartition, number>;
  },
): Promise<FetchRound> {
  const { turns, memory } = pass.wish;
  const reads: PartitionRead[] = [];
  let bytes = 0;
  let availableBytes = 0;
  let isUrgent = false;
  let isCut = false;
  for (const entry of entries) {
    let next: "read" | "cut" | Promise<void> = isCut ? "cut" : nextStep(pass.wish, bytes);
    while (next instanceof Promise) {
      await next;
      next = nextStep(pass.wish, bytes);
    }
    isCut = next === "cut";
    const found = pass.unopened.get(entry) ?? ownerOf(broker, entry.asked, pass.wish.naming);
    const read = readFound(found, entry.asked, {
      isolation: pass.wish.isolation,
      maxBytes: isCut ? 0 : Math.min(entry.asked.maxBytes, pass.wish.maxBytes - bytes),
      atLeastOneBatch: bytes === 0 && !isCut,
    });
    if (typeof found !== "number") {
      const { maxBytes } = entry.asked;
      const { appendedBytes, isOver: wasOver } = found;
      const { availableBytes } = read;
      const { arriving } = read;
      const seen = { availableBytes, maxBytes, appendedBytes, wasOver };
      pass.watched.push({ owner: found, arriving, ...seen });
    }
    bytes += read.bytes;
    turns.add(read.bytes);
    memory.grow(read.bytes);
    availableBytes += read.availableBytes;
    const { errorCode, divergingEpoch } = read.answer;
    isUrgent ||= errorCode !== ErrorCode.NONE || divergingEpoch !== undefined;
    const slot = typeof found === "number" ? undefined : found.slot;
    reads.push({ entry, slot, ...read });
  }
  return { reads, availableBytes, isUrgent };
}

/**
 * Whether the next partition may be read in this turn, now, before anything else happens. Where all
 * replies together hold too much, whoever has something answers with it, and who has nothing waits.
 */
function nextStep({ turns, memory }: FetchWish, bytes: number): "read" | "cut" | Promise<void> {
  if (!memory.isWanted) return "cut";
  if (!memory.hasRoom()) return bytes > 0 ? "cut" : memory.room();
  return turns.takes(fetchedPartitionTurnBytes) ? "read" : turns.nextTurn();
}

function ownerOf(
  broker: Broker,
  asked: FetchPosition,
  naming: TopicNaming,
): PartitionOwner | number {
  const topic = findTopic(broker, { name: asked.topic, topicId: asked.topicId });
  if (topic === undefined) return unknownTopicCode(naming);
  if (!hasPartition(topic, asked.partition)) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  const at = { topicId: topic.id, partition: asked.partition };
  const found = findOwner(broker, at);
  return found === undefined || found === "elsewhere" ? ErrorCode.NOT_LEADER_OR_FOLLOWER : found;
}

interface ReadBudget {
  readonly isolation: Isolation;
  readonly maxBytes: number;
  readonly atLeastOneBatch: boolean;
}

interface OneRead extends Omit<PartitionRead, "entry" | "slot"> {
  /** Set where there are records that are being fetched from the object store. */
  readonly arriving?: Promise<void>;
}

function readFound(
  found: PartitionOwner | number,
  asked: FetchPosition,
  budget: ReadBudget,
): OneRead {
  if (typeof found !== "number") return readOne(found, asked, budget);
  return empty({ ...failure(asked, found), abortedTransactions: [] });
}

function empty(answer: FetchResponsePartitionDataInput): OneRead {
  return { answer, bytes: 0, availableBytes: 0 };
}

function readOne(owner: PartitionOwner, asked: FetchPosition, budget: ReadBudget): OneRead {
  // Here, and here alone, every negative epoch means that the client knows none.
  const known = Math.max(asked.currentLeaderEpoch, -1);
  const epochError = leaderEpochError(known, owner.leaderEpoch);
  if (epochError !== ErrorCode.NONE) return empty(failure(asked, epochError));
  const ends = {
    partitionIndex: asked.partition,
    errorCode: ErrorCode.NONE,
    highWatermark: owner.highWatermark,
    lastStableOffset: owner.lastStableOffset,
    logStartOffset: owner.logStartOffset,
  };
  const prefix = comparePrefix(owner, asked);
  if (prefix === "unknownEpoch") return empty(failure(asked, ErrorCode.OFFSET_OUT_OF_RANGE));
  if (prefix !== "same") {
    return empty({ ...ends, abortedTransactions: null, records: [], divergingEpoch: prefix });
  }
  const read = owner.read({
    from: asked.fetchOffset,
    maxBytes: Math.max(budget.maxBytes, 0),
    isolation: budget.isolation,
    atLeastOneBatch: budget.atLeastOneBatch,
  });
  if (read.kind === "outOfRange") return empty(failure(asked, ErrorCode.OFFSET_OUT_OF_RANGE));
  if (read.kind === "failed") return empty(failure(asked, ErrorCode.KAFKA_STORAGE_ERROR));
  if (read.kind === "pending") {
    const abortedTransactions = budget.isolation === "committed" ? [] : null;
    return { ...empty({ ...ends, abortedTransactions, records: [] }), arriving: read.ready };
  }
  const abortedTransactions = budget.isolation === "committed" ? read.abortedTransactions : null;
  const { records, isMore } = read;
  const bytes = records.reduce((sum, run) => sum + run.byteLength, 0);
  // A batch that no longer fits is there nevertheless: to wait for more would be to wait in vain.
  const availableBytes = isMore ? Math.max(bytes, asked.maxBytes) : bytes;
  return { answer: { ...ends, abortedTransactions, records }, bytes, availableBytes };
}

/**
 * KIP-595's check, before the offset's own: a reader whose last epoch ended earlier here has a log
 * that is not a prefix of ours, and is told where to cut it.
 */
function comparePrefix(
  owner: PartitionOwner,
  asked: FetchPosition,
): "same" | "unknownEpoch" | { readonly epoch: number; readonly endOffset: number } {
  if (asked.lastFetchedEpoch < 0) return "same";
  const end = owner.endOffsetFor(asked.lastFetchedEpoch);
  if (end.endOffset < 0 || end.epoch < 0) return "unknownEpoch";
  const same = end.epoch >= asked.lastFetchedEpoch && end.endOffset >= asked.fetchOffset;
  return same ? "same" : end;
}

function failure(asked: FetchPosition, errorCode: number): FetchResponsePartitionDataInput {
  return {
    partitionIndex: asked.partition,
    errorCode,
    highWatermark: -1,
    abortedTransactions: null,
    records: [],
  };
}

/** Waits until `missingBytes` more are readable, or anything else may have changed the outcome. */
function advance(
  broker: Broker,
  watched: readonly Watched[],
  until: { readonly wish: FetchWish; readonly missingBytes: number; readonly leftMs: number },
): Promise<"advanced" | "timeout" | "closed"> {
  const { isolation, connection } = until.wish;
  return new Promise((resolve) => {
    let { missingBytes } = until;
    const undo: (() => void)[] = [];
    const finish = (outcome: "advanced" | "timeout" | "closed"): void => {
      for (const take of undo) take();
      undo.length = 0;
      resolve(outcome);
    };
    const timer = broker.clock.after(until.leftMs, () => finish("timeout"));
    undo.push(() => timer.cancel());
    undo.push(connection.onClose(() => finish("closed")));
    undo.push(connection.onEnd(() => finish("advanced")));
    const isLedNow = ({ owner }: Watched): boolean => broker.view.leads(owner.slot);
    undo.push(
      broker.view.onViewChange(() => {
        if (!watched.every(isLedNow)) finish("advanced");
      }),
    );
    for (const { arriving } of watched) void arriving?.then(() => finish("advanced"));
    const changes = watched.map(({ owner, availableBytes, maxBytes, appendedBytes, wasOver }) => {
      const isOverNow = (): boolean => owner.isOver && !wasOver;
      const readBefore = appendedBytes - availableBytes;
      let counted = availableBytes;
      const changed = (): void => {
        const there = Math.min(maxBytes, owner.appendedBytes - readBefore);
        const nowAvailable = Math.max(counted, there);
        missingBytes -= nowAvailable - counted;
        counted = nowAvailable;
        // What a transaction's end lets be read was appended before, and is not counted here.
        if (missingBytes <= 0 || isolation === "committed" || isOverNow()) finish("advanced");
      };
      undo.push(owner.onAdvance(changed));
      return { changed, isChanged: isOverNow() || owner.appendedBytes !== appendedBytes };
    });
    // The pass took several turns: what came after a partition was read would be waited for twice.
    for (const { changed, isChanged } of changes) if (isChanged) changed();
    if (!watched.every(isLedNow)) finish("advanced");
  });
}
