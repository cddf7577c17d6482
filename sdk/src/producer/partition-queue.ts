/**
 * The records of one partition on their way to it: a batch that still grows, batches that are full,
 * and at most one that a broker has and has not answered. One at a time keeps the order over
 * retries, and makes the sequence numbers of an idempotent producer right by construction.
 *
 * Sequence numbers: a batch gets its first when it is first sent, and keeps it over retries. A
 * refusal for good means that the broker did not append it, so its numbers are given again. Where
 * the outcome is unknown for good, the numbers can't be trusted any more: the queue goes on with a
 * new producer id.
 */
import type { MillraceError } from "../errors.ts";
import type { TopicPartition } from "../transport/described.ts";
import type { ProducerIdentity } from "../transport/transport.ts";
import type { PlacedRecord } from "./placed-record.ts";

export interface Batch {
  readonly records: PlacedRecord[];
  bytes: number;
  readonly openedMs: number;
  attempts: number;
  firstSequence: number | undefined;
  lastError: MillraceError | undefined;
}

export class PartitionQueue implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly #batchBytes: number;
  #open: Batch | undefined;
  #sealed: Batch[] = [];
  #inFlight: Batch | undefined;
  #notBeforeMs = 0;
  identity: ProducerIdentity | undefined;
  #nextSequence = 0;

  constructor(at: TopicPartition, batchBytes: number) {
    this.topic = at.topic;
    this.partition = at.partition;
    this.#batchBytes = batchBytes;
  }

  get isEmpty(): boolean {
    return this.#open === undefined && this.#sealed.length === 0 && this.#inFlight === undefined;
  }

  /** True while a batch grows: then the next record without a key may join it. */
  get hasOpenBatch(): boolean {
    return this.#open !== undefined;
  }

  /** True if the record opened a batch: somebody has to look at it when it is due. */
  add(record: PlacedRecord, nowMs: number): boolean {
    if (this.#open !== undefined && this.#open.bytes + record.bytes > this.#batchBytes)
      this.#seal();
    const opened = this.#open === undefined;
    const batch = (this.#open ??= newBatch(nowMs));
    batch.records.push(record);
    batch.bytes += record.bytes;
    if (batch.bytes >= this.#batchBytes) this.#seal();
    return opened;
  }

  /** The batch to send now; `openedByMs` says until when a growing one must have been opened. */
  ready(nowMs: number, openedByMs: number): Batch | undefined {
    if (this.#inFlight !== undefined || nowMs < this.#notBeforeMs) return undefined;
    if (this.#sealed.length === 0 && this.#open !== undefined) {
      if (this.#open.openedMs > openedByMs) return undefined;
      this.#seal();
    }
    return this.#sealed[0];
  }

  /** The batch that `ready` gave goes out. */
  send(): Batch | undefined {
    const batch = this.#sealed.shift();
    if (batch === undefined) return undefined;
    this.#inFlight = batch;
    batch.attempts += 1;
    if (this.identity !== undefined && batch.firstSequence === undefined) {
      batch.firstSequence = this.#nextSequence;
      this.#nextSequence = afterSequence(this.#nextSequence, batch.records.length);
    }
    return batch;
  }

  /** The batch in flight has its answer, and is done with. */
  done(): void {
    this.#inFlight = undefined;
  }

  /** The batch in flight is to be sent again, after a while. */
  again(error: MillraceError, notBeforeMs: number): void {
    const batch = this.#inFlight;
    if (batch === undefined) return;
    batch.lastError = error;
    this.#inFlight = undefined;
    this.#sealed.unshift(batch);
    this.#notBeforeMs = notBeforeMs;
  }

  /** The batch in flight was not appended: its numbers are the next batch's. */
  takeBackSequence(): void {
    const first = this.#inFlight?.firstSequence;
    if (first === undefined) return;
    this.#nextSequence = first;
    if (this.#inFlight !== undefined) this.#inFlight.firstSequence = undefined;
  }

  /** Nothing that was numbered counts any more. */
  loseIdentity(): void {
    this.identity = undefined;
    this.#nextSequence = 0;
    for (const batch of [this.#inFlight, ...this.#sealed]) {
      if (batch !== undefined) batch.firstSequence = undefined;
    }
  }

  /** The batch in flight was too large for the broker: its halves go instead. */
  split(): void {
    const batch = this.#inFlight;
    if (batch === undefined) return;
    this.takeBackSequence();
    this.#inFlight = undefined;
    const half = Math.ceil(batch.records.length / 2);
    const parts = [batch.records.slice(0, half), batch.records.slice(half)];
    this.#sealed.unshift(...parts.map((records) => batchOf(records, batch.openedMs)));
  }

  /** Takes out the batches whose time is up. True among them: one that a broker may have. */
  expire(nowMs: number): readonly Batch[] {
    this.#sealOld(nowMs);
    // The oldest lies first: where its time is not up, nobody's is.
    if (this.#sealed[0] === undefined || deadlineOf(this.#sealed[0]) > nowMs) return [];
    const expired = this.#sealed.filter((batch) => deadlineOf(batch) <= nowMs);
    this.#sealed = this.#sealed.filter((batch) => deadlineOf(batch) > nowMs);
    return expired;
  }

  /** Takes out everything that is not in flight. */
  clear(): readonly Batch[] {
    this.#seal();
    return this.#sealed.splice(0);
  }

  #sealOld(nowMs: number): void {
    if (this.#open !== undefined && deadlineOf(this.#open) <= nowMs) this.#seal();
  }

  #seal(): void {
    if (this.#open !== undefined) this.#sealed.push(this.#open);
    this.#open = undefined;
  }
}

function newBatch(openedMs: number): Batch {
  return {
    ...{ records: [], bytes: 0, openedMs, attempts: 0 },
    ...{ firstSequence: undefined, lastError: undefined },
  };
}

function batchOf(records: PlacedRecord[], openedMs: number): Batch {
  const bytes = records.reduce((sum, record) => sum + record.bytes, 0);
  return { ...newBatch(openedMs), records, bytes };
}

function deadlineOf(batch: Batch): number {
  return batch.records[0]?.deadlineMs ?? Number.POSITIVE_INFINITY;
}

/** Sequence numbers are 31 bits, and begin again at 0. */
function afterSequence(sequence: number, count: number): number {
  return (sequence + count) % 0x80000000;
}
