/**
 * The long poll: reads partitions in order within one budget of bytes, and again whenever one of
 * them advanced, until there is enough to answer, something to report, or no time left.
 */
import type { TopicId } from "@millrace/core";
import { ErrorCode, type FetchResponsePartitionDataInput } from "@millrace/wire";
import type { Broker } from "../broker.ts";
import {
  findTopic,
  hasPartition,
  leaderEpochError,
  openingErrorCode,
  type TopicNaming,
  unknownTopicCode,
} from "../handlers/find-partition.ts";
import type { ConnectionContext } from "../handlers/handler.ts";
import type { Isolation, PartitionOwner } from "../partition/owner.ts";
import type { FetchPosition, SessionPartition } from "./session.ts";

export interface FetchWish {
  readonly naming: TopicNaming;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly maxWaitMs: number;
  readonly isolation: Isolation;
  readonly connection: ConnectionContext;
}

export interface PartitionRead {
  readonly entry: SessionPartition;
  readonly answer: FetchResponsePartitionDataInput;
  readonly bytes: number;
}

export interface FetchRound {
  readonly reads: readonly PartitionRead[];
  readonly bytes: number;
  readonly failed: boolean;
}

export async function readWhenEnough(
  broker: Broker,
  entries: readonly SessionPartition[],
  wish: FetchWish,
): Promise<FetchRound> {
  const deadlineMs = broker.clock.monotonicMs() + Math.max(wish.maxWaitMs, 0);
  const unopened = await openAll(broker, entries);
  for (;;) {
    const owners: PartitionOwner[] = [];
    const round = readAll(broker, entries, { wish, owners, unopened });
    if (round.failed || round.bytes >= wish.minBytes) return round;
    const leftMs = deadlineMs - broker.clock.monotonicMs();
    if (leftMs <= 0) return round;
    const woken = await advance(broker, owners, { leftMs, connection: wish.connection });
    if (woken === "closed") return round;
  }
}

/** Loads what is not loaded; returns the error codes of partitions that can't be. */
async function openAll(
  broker: Broker,
  entries: readonly SessionPartition[],
): Promise<ReadonlyMap<SessionPartition, number>> {
  const unopened = new Map<SessionPartition, number>();
  const opening: Promise<unknown>[] = [];
  for (const entry of entries) {
    const { asked } = entry;
    const topic = findTopic(broker, { name: asked.topic, topicId: asked.topicId });
    if (topic === undefined || !hasPartition(topic, asked.partition)) continue;
    if (broker.partitions.find(topic.id, asked.partition) !== undefined) continue;
    const opened = broker.partitions.open(topic.id, asked.partition);
    opening.push(
      opened.catch((error: unknown) => unopened.set(entry, openingErrorCode(broker, error))),
    );
  }
  if (opening.length > 0) await Promise.all(opening);
  return unopened;
}

/** One pass over the partitions; `owners` receives those whose advance may change the outcome. */
function readAll(
  broker: Broker,
  entries: readonly SessionPartition[],
  pass: {
    readonly wish: FetchWish;
    readonly owners: PartitionOwner[];
    readonly unopened: ReadonlyMap<SessionPartition, number>;
  },
): FetchRound {
  const reads: PartitionRead[] = [];
  let bytes = 0;
  let failed = false;
  for (const entry of entries) {
    const found = pass.unopened.get(entry) ?? findOwner(broker, entry.asked, pass.wish.naming);
    const answer =
      typeof found === "number"
        ? { ...failure(entry.asked, found), abortedTransactions: [] }
        : readOne(found, entry.asked, {
            isolation: pass.wish.isolation,
            maxBytes: Math.min(entry.asked.maxBytes, pass.wish.maxBytes - bytes),
            atLeastOneBatch: bytes === 0,
          });
    if (typeof found !== "number") pass.owners.push(found);
    const size = recordBytes(answer);
    bytes += size;
    failed ||= answer.errorCode !== ErrorCode.NONE;
    reads.push({ entry, answer, bytes: size });
  }
  return { reads, bytes, failed };
}

function findOwner(
  broker: Broker,
  asked: FetchPosition,
  naming: TopicNaming,
): PartitionOwner | number {
  const topic = findTopic(broker, { name: asked.topic, topicId: asked.topicId });
  if (topic === undefined) return unknownTopicCode(naming);
  if (!hasPartition(topic, asked.partition)) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  const id: TopicId = topic.id;
  return broker.partitions.find(id, asked.partition) ?? ErrorCode.NOT_LEADER_OR_FOLLOWER;
}

interface ReadBudget {
  readonly isolation: Isolation;
  readonly maxBytes: number;
  readonly atLeastOneBatch: boolean;
}

function readOne(
  owner: PartitionOwner,
  asked: FetchPosition,
  budget: ReadBudget,
): FetchResponsePartitionDataInput {
  // Here, and here alone, every negative epoch means that the client knows none.
  const known = Math.max(asked.currentLeaderEpoch, -1);
  const epochError = leaderEpochError(known, owner.leaderEpoch);
  if (epochError !== ErrorCode.NONE) return failure(asked, epochError);
  const ends = {
    partitionIndex: asked.partition,
    errorCode: ErrorCode.NONE,
    highWatermark: owner.highWatermark,
    lastStableOffset: owner.lastStableOffset,
    logStartOffset: owner.logStartOffset,
  };
  const prefix = comparePrefix(owner, asked);
  if (prefix === "unknownEpoch") return failure(asked, ErrorCode.OFFSET_OUT_OF_RANGE);
  if (prefix !== "same") {
    return { ...ends, abortedTransactions: null, records: [], divergingEpoch: prefix };
  }
  const read = owner.read({
    from: asked.fetchOffset,
    maxBytes: Math.max(budget.maxBytes, 0),
    isolation: budget.isolation,
    atLeastOneBatch: budget.atLeastOneBatch,
  });
  if (read.kind === "outOfRange") return failure(asked, ErrorCode.OFFSET_OUT_OF_RANGE);
  if (read.kind === "failed") return failure(asked, ErrorCode.KAFKA_STORAGE_ERROR);
  const abortedTransactions = budget.isolation === "committed" ? read.abortedTransactions : null;
  return { ...ends, abortedTransactions, records: read.records };
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

function recordBytes(answer: FetchResponsePartitionDataInput): number {
  const { records } = answer;
  if (records === null) return 0;
  if (records instanceof Uint8Array) return records.byteLength;
  return records.reduce((sum, part) => sum + part.byteLength, 0);
}

function advance(
  broker: Broker,
  owners: readonly PartitionOwner[],
  until: { readonly leftMs: number; readonly connection: ConnectionContext },
): Promise<"advanced" | "timeout" | "closed"> {
  return new Promise((resolve) => {
    const undo: (() => void)[] = [];
    const finish = (outcome: "advanced" | "timeout" | "closed"): void => {
      for (const take of undo) take();
      undo.length = 0;
      resolve(outcome);
    };
    const timer = broker.clock.after(until.leftMs, () => finish("timeout"));
    undo.push(() => timer.cancel());
    undo.push(until.connection.onClose(() => finish("closed")));
    for (const owner of owners) undo.push(owner.onAdvance(() => finish("advanced")));
  });
}
