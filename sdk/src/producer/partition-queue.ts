/**
 * The records of one partition on their way to it: a batch that still grows, batches that are full,
 * and those that a broker has and has not answered.
 *
 * Without idempotence one batch is in flight at a time, which keeps the order over retries. With it
 * (KIP-98) a few are: full ones, so that a batch still grows while anything is in flight. The broker
 * appends a batch only behind the one numbered before it, so when one fails, those behind it fail as
 * well, and all go again in their order, one at a time: a broker knows the last few batches of a
 * producer again, and never more than that are undecided. A broker that has nothing of a producer
 * may take any number for its first one, so the first batch of a producer id goes alone.
 *
 * Sequence numbers: a batch gets its first when it is first sent, and keeps it over retries. A
 * refusal for good means that the broker did not append it, so its numbers are given again. Where
 * that can't be, because others were numbered after it or its own outcome is unknown for good, the
 * queue goes on with a new producer id as soon as nothing is in flight.
 */
import type { MillraceError } from "../errors.ts";
import { batchesInFlightMax } from "../limits.ts";
import type { TopicPartition } from "../transport/described.ts";
import type { ProducerIdentity } from "../transport/transport.ts";
import type { PlacedRecord } from "./placed-record.ts";

export interface Batch {
  readonly records: PlacedRecord[];
  bytes: number;
  readonly openedMs: number;
  /** Where it stands among the batches of the queue, and up to where: its halves stand in there. */
  readonly place: number;
  readonly placeEnd: number;
  attempts: number;
  firstSequence: number | undefined;
  /** True if an attempt has ended so that the broker may have appended it. */
  isUncertain: boolean;
  lastError: MillraceError | undefined;
}

/** How an attempt failed that is to be made again. */
export interface Failure {
  readonly error: MillraceError;
  /** Whether the broker may have appended the batch all the same. */
  readonly applied: "no" | "maybe";
  readonly notBeforeMs: number;
}

export interface Renewed {
  readonly lost: ProducerIdentity | undefined;
  readonly undecided: readonly Batch[];
}

export class PartitionQueue implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly #batchBytes: number;
  #open: Batch | undefined;
  #sealed: Batch[] = [];
  /** In their order. */
  readonly #inFlight: Batch[] = [];
  #notBeforeMs = 0;
  #nextPlace = 0;
  #identity: ProducerIdentity | undefined;
  /** Whether the broker has acknowledged a batch of this identity. */
  #isProven = false;
  /** Whether the identity is to be given up. */
  #isRenewing = false;
  #nextSequence = 0;

  constructor(at: TopicPartition, batchBytes: number) {
    this.topic = at.topic;
    this.partition = at.partition;
    this.#batchBytes = batchBytes;
  }

  get isEmpty(): boolean {
    return this.#open === undefined && this.#sealed.length === 0 && this.#inFlight.length === 0;
  }

  get hasSealed(): boolean {
    return this.#sealed.length > 0;
  }

  get identity(): ProducerIdentity | undefined {
    return this.#identity;
  }

  /** Behind the place of every batch that is there. */
  get end(): number {
    return this.#nextPlace;
  }

  /** True if every batch that stood before this place has its answer. */
  isPast(end: number): boolean {
    const open = this.#open === undefined ? [] : [this.#open];
    return [...this.#inFlight, ...this.#sealed, ...open].every(({ place }) => place >= end);
  }

  /** True if the record can join the batch that grows. */
  hasRoomFor(bytes: number): boolean {
    return this.#open !== undefined && this.#open.bytes + bytes <= this.#batchBytes;
  }

  /** True if the record opened a batch: somebody has to look at it when it is due. */
  add(record: PlacedRecord, nowMs: number): boolean {
    if (!this.hasRoomFor(record.bytes)) this.seal();
    const opened = this.#open === undefined;
    const batch = (this.#open ??= newBatch(nowMs, this.#nextPlace++));
    batch.records.push(record);
    batch.bytes += record.bytes;
    if (batch.bytes >= this.#batchBytes) this.seal();
    return opened;
  }

  /** The batch that grows is full. */
  seal(): void {
    if (this.#open !== undefined) this.#sealed.push(this.#open);
    this.#open = undefined;
  }

  /** The batch to send now; `openedByMs` says until when a growing one must have been opened. */
  ready(nowMs: number, openedByMs: number): Batch | undefined {
    if (nowMs < this.#notBeforeMs || this.#isRenewing) return undefined;
    if (this.#sealed.length === 0 && this.#open !== undefined) {
      if (this.#inFlight.length > 0 || this.#open.openedMs > openedByMs) return undefined;
      this.seal();
    }
    const next = this.#sealed[0];
    return next === undefined || !this.#mayGo(next) ? undefined : next;
  }

  /** What was numbered before goes alone; so does the first batch of an identity. */
  #mayGo(next: Batch): boolean {
    const before = this.#inFlight.at(-1);
    if (before === undefined) return true;
    if (!this.#isProven || this.#inFlight.length >= batchesInFlightMax) return false;
    return next.firstSequence === undefined && before.attempts === 1;
  }

  /** The batch that `ready` gave goes out. */
  send(): Batch | undefined {
    const batch = this.#sealed.shift();
    if (batch === undefined) return undefined;
    this.#inFlight.push(batch);
    batch.attempts += 1;
    if (this.#identity !== undefined && batch.firstSequence === undefined) {
      batch.firstSequence = this.#nextSequence;
      this.#nextSequence = afterSequence(this.#nextSequence, batch.records.length);
    }
    return batch;
  }

  /** The broker has it. */
  acknowledge(batch: Batch): void {
    this.#isProven = this.#identity !== undefined;
    this.#land(batch);
  }

  /** The batch is to be sent again, after a while. */
  again(batch: Batch, { error, applied, notBeforeMs }: Failure): void {
    batch.lastError = error;
    if (applied === "maybe") batch.isUncertain = true;
    this.#land(batch);
    this.#putBack([batch]);
    this.#notBeforeMs = Math.max(this.#notBeforeMs, notBeforeMs);
  }

  /** The batch was refused for good. */
  refuse(batch: Batch): void {
    this.#land(batch);
    if (batch.firstSequence === undefined) return;
    if (batch.isUncertain || this.#hasNumbered()) this.loseIdentity();
    else this.#nextSequence = batch.firstSequence;
  }

  /** The batch was too large for the broker: its halves go instead, with its numbers. */
  split(batch: Batch): void {
    this.#land(batch);
    const half = Math.ceil(batch.records.length / 2);
    const middle = (batch.place + batch.placeEnd) / 2;
    const whole = { ...batch, attempts: 0 };
    const halves: readonly Batch[] = [
      { ...whole, ...partOf(batch, 0, half), placeEnd: middle },
      { ...whole, ...partOf(batch, half), place: middle },
    ];
    this.#putBack(halves);
  }

  /** True if no batch that was sent before this one is still undecided. */
  isOldest(batch: Batch): boolean {
    return [...this.#inFlight, ...this.#sealed].every(({ place }) => place >= batch.place);
  }

  /** Nothing that is numbered counts any more, once nothing is in flight. */
  loseIdentity(): void {
    this.#isRenewing = true;
  }

  /**
   * Gives up an identity that was lost, if nothing is in flight. Takes out the batches that the
   * broker may have under it: under another they could be written twice.
   */
  renew(): Renewed | undefined {
    if (!this.#isRenewing || this.#inFlight.length > 0) return undefined;
    const lost = this.#identity;
    this.#isRenewing = false;
    this.#isProven = false;
    this.#identity = undefined;
    this.#nextSequence = 0;
    const undecided = this.#sealed.filter(({ isUncertain }) => isUncertain);
    this.#sealed = this.#sealed.filter(({ isUncertain }) => !isUncertain);
    for (const batch of this.#sealed) batch.firstSequence = undefined;
    return { lost, undecided };
  }

  /** Goes on under this identity. */
  adopt(identity: ProducerIdentity): void {
    this.#identity = identity;
  }

  /** Takes out the batches whose time is up. True among them: one that a broker may have. */
  expire(nowMs: number): readonly Batch[] {
    if (this.#open !== undefined && deadlineOf(this.#open) <= nowMs) this.seal();
    // The oldest lies first: where its time is not up, nobody's is.
    if (this.#sealed[0] === undefined || deadlineOf(this.#sealed[0]) > nowMs) return [];
    const expired = this.#sealed.filter((batch) => deadlineOf(batch) <= nowMs);
    this.#sealed = this.#sealed.filter((batch) => deadlineOf(batch) > nowMs);
    return this.#takenOut(expired);
  }

  /** Takes out everything that is not in flight. */
  clear(): readonly Batch[] {
    this.seal();
    return this.#takenOut(this.#sealed.splice(0));
  }

  /** Numbers that nobody will ever use leave a gap. */
  #takenOut(batches: readonly Batch[]): readonly Batch[] {
    if (batches.some(({ firstSequence }) => firstSequence !== undefined)) this.loseIdentity();
    return batches;
  }

  #hasNumbered(): boolean {
    return (
      this.#inFlight.length > 0 ||
      this.#sealed.some(({ firstSequence }) => firstSequence !== undefined)
    );
  }

  #land(batch: Batch): void {
    const at = this.#inFlight.indexOf(batch);
    if (at >= 0) this.#inFlight.splice(at, 1);
  }

  #putBack(batches: readonly Batch[]): void {
    const place = batches[0]?.place ?? 0;
    const before = this.#sealed.findIndex((other) => other.place > place);
    this.#sealed.splice(before < 0 ? this.#sealed.length : before, 0, ...batches);
  }
}

function newBatch(openedMs: number, place: number): Batch {
  return {
    ...{ records: [], bytes: 0, openedMs, place, placeEnd: place + 1, attempts: 0 },
    ...{ firstSequence: undefined, isUncertain: false, lastError: undefined },
  };
}

function partOf(
  { records: all, firstSequence: first }: Batch,
  from: number,
  to?: number,
): Pick<Batch, "records" | "bytes" | "firstSequence"> {
  const records = all.slice(from, to);
  const bytes = records.reduce((sum, record) => sum + record.bytes, 0);
  return {
    records,
    bytes,
    firstSequence: first === undefined ? first : afterSequence(first, from),
  };
}

function deadlineOf(batch: Batch): number {
  return batch.records[0]?.deadlineMs ?? Number.POSITIVE_INFINITY;
}

/** Sequence numbers are 31 bits, and begin again at 0. */
function afterSequence(sequence: number, count: number): number {
  return (sequence + count) % 0x80000000;
}
