/**
 * A partition that this consumer reads: where it reads on, what it has fetched, what is in hand, and
 * up to where everything is processed. Seeking forgets what was fetched, and what is in hand no
 * longer counts for commits.
 */
import { Fifo } from "../fifo.ts";
import type { TopicPartition } from "../transport/described.ts";
import type { FetchedRecord, FetchResult } from "../transport/transport.ts";
import type { Place } from "./options.ts";

/** A record that was handed out, until it is processed. */
export interface InHand {
  readonly from: AssignedPartition;
  readonly record: FetchedRecord;
  readonly seeks: number;
  /** True when it is processed, and waits for those before it. */
  done: boolean;
}

export class AssignedPartition implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** Where to fetch next; undefined while that is being found out. */
  fetchFrom: number | undefined;
  /** Where to go on; undefined: where the group is. */
  wanted: Place | undefined;
  /** Counts; a fetch of the time before a seek is dropped by it. */
  seeks = 0;
  paused = false;
  /** Nothing is handed out any more. */
  revoked = false;
  /** Not asked for before this (monotonic ms), after an error. */
  notBeforeMs = 0;
  /** Had no news: not asked for before this (monotonic ms) while others have messages to take. */
  restsUntilMs = 0;
  failures = 0;
  /** Fetched from this broker instead of its leader, until then (monotonic ms). */
  nearer: { readonly node: number; readonly untilMs: number } | undefined;
  /** What the group has. */
  committed: number | undefined;
  highWatermark: number | undefined;
  #records: FetchedRecord[] = [];
  #next = 0;
  #bufferedBytes = 0;
  readonly #outstanding = new Fifo<InHand>();
  #inHandCount = 0;
  #idle: (() => void)[] = [];

  constructor(at: TopicPartition, wanted: Place | undefined) {
    this.topic = at.topic;
    this.partition = at.partition;
    this.wanted = wanted;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  get inHandCount(): number {
    return this.#inHandCount;
  }

  get hasNext(): boolean {
    return !this.revoked && !this.paused && this.#next < this.#records.length;
  }

  /** Of an answer to a fetch that was asked after `seeks` seeks. */
  add({ records, nextOffset, highWatermark }: FetchResult, seeks: number): void {
    if (seeks !== this.seeks || this.revoked) return;
    this.highWatermark = highWatermark;
    this.fetchFrom = nextOffset;
    if (this.#next > 0) {
      this.#records = this.#records.slice(this.#next);
      this.#next = 0;
    }
    for (const record of records) {
      this.#records.push(record);
      this.#bufferedBytes += bytesOf(record);
    }
  }

  take(): InHand | undefined {
    const record = this.hasNext ? this.#records[this.#next] : undefined;
    if (record === undefined) return undefined;
    this.#next += 1;
    this.#bufferedBytes -= bytesOf(record);
    const inHand: InHand = { from: this, record, seeks: this.seeks, done: false };
    this.#outstanding.push(inHand);
    this.#inHandCount += 1;
    return inHand;
  }

  /** Gives a record back that was not processed: then nothing behind it is committed either. */
  giveUp(): void {
    this.#putDown();
  }

  processed(inHand: InHand): void {
    inHand.done = true;
    while (this.#outstanding.first?.done === true) this.#outstanding.shift();
    this.#putDown();
  }

  /** The group has the offset: what lies before it counts as processed, also if it is in hand. */
  committedTo(offset: number): void {
    this.committed = offset;
    while ((this.#outstanding.first?.record.offset ?? offset) < offset) this.#outstanding.shift();
  }

  /** Everything before it is processed; undefined while the position is not known. */
  get committable(): number | undefined {
    const first = this.#outstanding.first?.record ?? this.#records[this.#next];
    return first?.offset ?? this.fetchFrom;
  }

  /** The offset of the message that comes next, if that is known. */
  get position(): number | undefined {
    return this.#records[this.#next]?.offset ?? this.fetchFrom;
  }

  /** What was fetched and not handed out goes, to be fetched again when it is wanted. */
  forgetFetched(): void {
    const next = this.#records[this.#next];
    if (next === undefined) return;
    // A fetch that is under way goes on behind it.
    this.seeks += 1;
    this.#dropFetched();
    this.fetchFrom = next.offset;
  }

  seek(position: Place): void {
    this.seeks += 1;
    this.wanted = position;
    this.fetchFrom = undefined;
    this.#dropFetched();
    this.#outstanding.drain();
  }

  #dropFetched(): void {
    this.#records = [];
    this.#next = 0;
    this.#bufferedBytes = 0;
  }

  /** Resolves when nothing is in hand. */
  async idle(): Promise<void> {
    if (this.#inHandCount > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #putDown(): void {
    this.#inHandCount -= 1;
    if (this.#inHandCount === 0) for (const idle of this.#idle.splice(0)) idle();
  }
}

function bytesOf({ key, value }: FetchedRecord): number {
  return 64 + (key?.length ?? 0) + (value?.length ?? 0);
}
