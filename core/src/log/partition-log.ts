import { assert } from "../assert.ts";
import type { ProducerState } from "../producer/producer-state.ts";
import type { BatchFormat, BatchSummary, Checksum, TimestampSearch } from "./batch-format.ts";
import type { Disk } from "../ports/disk.ts";
import type { LeaderEpochs } from "./leader-epochs.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogFiles } from "./log-files.ts";
import type { LogRead, ReadBuffers, ReadRange } from "./log-reader.ts";
import { LogReader } from "./log-reader.ts";
import { openLog } from "./open-log.ts";
import type { ProducerSnapshots } from "./producer-snapshots.ts";
import type { FoundRecord } from "./segment.ts";
import { Segment } from "./segment.ts";
import type { SegmentList } from "./segment-list.ts";
import { sliceParts, totalBytes } from "./parts.ts";
import { SyncTargets } from "./sync-targets.ts";

/** What the files are trusted for when a log is opened. Offsets are the log's. */
export type LogRecovery =
  /** All of it: nothing was written since the last sync. */
  | { readonly kind: "clean" }
  /**
   * What lies below `offset`, which is a recovery point. The rest is read and checked by length,
   * CRC and order, and cut at the first batch that fails.
   */
  | {
      readonly kind: "verifyFrom";
      readonly offset: number;
      /** No batch has a higher leader epoch; the CRC does not cover the field. */
      readonly leaderEpochMax?: number;
    }
  /** What lies below `offset`; the rest is cut unread. */
  | { readonly kind: "truncateTo"; readonly offset: number };

export interface LogOptions {
  readonly disk: Disk;
  /** The partition's folder, relative to the disk's root. */
  readonly directory: string;
  readonly config: LogConfig;
  readonly format: BatchFormat;
  readonly crc32c: Checksum;
  readonly findTimestamp: TimestampSearch;
  readonly recovery: LogRecovery;
  /** As the owner has stored it, before anything was deleted. Also the end of a log without files. */
  readonly startOffset: number;
  /** Where reads put what they return; fresh memory by default. */
  readonly buffers?: ReadBuffers;
}

/** What opening had to do. */
export interface RecoveryReport {
  /** Log bytes that were cut from segments, deleted segments included. */
  readonly cutBytes: number;
  /** Set when the log ends below what was to be trusted: synced data is gone. */
  readonly lostBelow: number | undefined;
}

export interface SegmentFacts {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly sizeBytes: number;
  /** ms; -1: no batch has a timestamp. */
  readonly maxTimestamp: number;
}

/**
 * One partition's log: segments of batches in offset order, over the Disk port.
 *
 * It keeps what it is given and never decides: offsets, epochs and sequences are decided before
 * (append-decision.ts) and lie in the batches. One owner calls it; nothing here waits but `sync`.
 * Promised: a batch is in the log whole or not at all, also after any crash that `recovery` is
 * chosen rightly for; reads give whole batches. Every method may throw a DiskError; `append` then
 * leaves the log at a batch boundary, which `endOffset` tells. After a `sync` that failed for good
 * the log takes no more appends, because the kernel may have dropped what it could not write.
 */
export class PartitionLog {
  /** May be replaced at any time; holds from the next append on. */
  config: LogConfig;
  readonly recovered: RecoveryReport;
  readonly #files: LogFiles;
  readonly #segments: SegmentList;
  readonly #epochs: LeaderEpochs;
  readonly #snapshots: ProducerSnapshots;
  readonly #reader: LogReader;
  readonly #syncs: SyncTargets;
  #producers: ProducerState;
  #logStartOffset: number;
  #endOffset: number;
  #appendedBytes = 0;

  private constructor(options: LogOptions) {
    const { disk, directory, format, crc32c, findTimestamp } = options;
    this.config = options.config;
    this.#files = { disk, directory, format, crc32c, findTimestamp };
    const opened = openLog(this.#files, options);
    this.recovered = opened.report;
    this.#segments = opened.segments;
    this.#epochs = opened.epochs;
    this.#snapshots = opened.snapshots;
    this.#producers = opened.producers;
    this.#logStartOffset = opened.logStartOffset;
    this.#endOffset = opened.endOffset;
    this.#syncs = new SyncTargets(this.#files, opened);
    this.#reader = new LogReader(this.#segments, format, options.buffers);
  }

  /** Opens or, in memory, begins the log. Makes no file. */
  static open(options: LogOptions): PartitionLog {
    return new PartitionLog(options);
  }

  /** The first offset that may be read. */
  get logStartOffset(): number {
    return this.#logStartOffset;
  }

  /** The offset that the next record gets (Kafka's LEO). */
  get endOffset(): number {
    return this.#endOffset;
  }

  /** Bytes of all appends since the log was opened: it only grows. */
  get appendedBytes(): number {
    return this.#appendedBytes;
  }

  /** Everything below it is durable. */
  get recoveryPoint(): number {
    return this.#syncs.recoveryPoint;
  }

  /** Whether a loss of power could take something that the log has. */
  get isDirty(): boolean {
    return this.#syncs.isDirty || this.#syncs.recoveryPoint < this.#endOffset;
  }

  /** Of the segments; looks at each file once. */
  get sizeBytes(): number {
    let bytes = 0;
    for (const segment of this.#segments.all) bytes += segment.sizeBytes;
    return bytes;
  }

  /** The idempotent producers of the batches in the log. */
  get producers(): ProducerState {
    return this.#producers;
  }

  get latestEpoch(): number {
    return this.#epochs.latestEpoch;
  }

  /** See LeaderEpochs.endOffsetFor; -1 and -1 for an epoch newer than any known. */
  endOffsetFor(epoch: number): { readonly epoch: number; readonly endOffset: number } {
    return this.#epochs.endOffsetFor(epoch, this.#endOffset);
  }

  /** Says under which epoch appends come from now on, so that its end offset can be asked for. */
  beginEpoch(epoch: number): void {
    this.#epochs.note(epoch, this.#endOffset);
  }

  /**
   * Appends batches whose offsets and epochs are in place; the first one begins at `endOffset`.
   *
   * `parts` are the bytes of `batches`, one after another, cut in any way. One write, unless a new
   * segment begins on the way. `nowMs` is wall time.
   */
  append(parts: readonly Uint8Array[], batches: readonly BatchSummary[], nowMs: number): void {
    this.#syncs.assertUsable();
    assert(batches[0]?.baseOffset === this.#endOffset, "an append begins at the log's end");
    let from = 0;
    let fromBytes = 0;
    let bytes = 0;
    for (const [i, batch] of batches.entries()) {
      if (this.#mustRoll(batch, bytes - fromBytes, nowMs)) {
        if (i > from) {
          this.#write(sliceParts(parts, fromBytes, bytes), batches.slice(from, i));
          from = i;
          fromBytes = bytes;
        }
        this.#roll(batch.baseOffset);
      }
      bytes += batch.bytes;
    }
    assert(bytes === totalBytes(parts), "the batches are the bytes");
    if (from === 0) this.#write(parts, batches);
    else this.#write(sliceParts(parts, fromBytes, bytes), batches.slice(from));
  }

  /** Whole batches from the one that holds `from` on. See ReadRange. */
  read(range: ReadRange): LogRead {
    if (range.from < this.#logStartOffset || range.from > this.#endOffset) {
      return { kind: "outOfRange" };
    }
    const upTo = Math.min(range.upTo, this.#endOffset);
    return this.#reader.read({ ...range, upTo }, this.config);
  }

  /** The first record below `upTo` with at least this timestamp (ListOffsets by time). */
  findByTimestamp(query: {
    readonly timestamp: number;
    readonly upTo: number;
  }): FoundRecord | undefined {
    const { timestamp, upTo } = query;
    for (const segment of this.#segments.all) {
      const tail = segment.tail(this.config);
      if (tail.maxTimestamp < timestamp || tail.nextOffset <= this.#logStartOffset) continue;
      const wanted = { timestamp, startOffset: this.#logStartOffset };
      const found = segment.findByTimestamp(wanted, this.config);
      if (found !== undefined) return found.offset < upTo ? found : undefined;
    }
    return undefined;
  }

  /** The first record with the log's largest timestamp, if below `upTo` (KIP-734). */
  maxTimestamp(upTo: number): FoundRecord | undefined {
    let best: Segment | undefined;
    let largest = -1;
    for (const segment of this.#segments.all) {
      const { maxTimestamp } = segment.tail(this.config);
      if (maxTimestamp <= largest) continue;
      best = segment;
      largest = maxTimestamp;
    }
    const wanted = { timestamp: largest, startOffset: this.#logStartOffset };
    const found = best?.findByTimestamp(wanted, this.config);
    return found !== undefined && found.offset < upTo ? found : undefined;
  }

  /** Each segment, oldest first; the last takes the appends. For retention. */
  *segments(): IterableIterator<SegmentFacts> {
    for (const segment of this.#segments.all) {
      const { nextOffset, maxTimestamp } = segment.tail(this.config);
      const { baseOffset, sizeBytes } = segment;
      yield { baseOffset, nextOffset, sizeBytes, maxTimestamp };
    }
  }

  /**
   * Makes everything durable that was appended before the call, and moves `recoveryPoint` there.
   * Calls may overlap. Rejects with a DiskError. One that is `full` leaves all as it was, to be
   * tried again; any other one is what every later call rejects with too.
   */
  async sync(): Promise<void> {
    await this.#syncs.sync(() => this.#endOffset, this.#epochs);
  }

  /**
   * Writes down what makes the next open cheap: the indexes' ends and a producer snapshot. For idle
   * partitions, before a `sync`.
   */
  settle(): void {
    const active = this.#segments.active;
    if (active === undefined) return;
    active.flushIndex(this.config);
    if (this.#snapshots.newestOffset === this.#endOffset) return;
    this.#snapshots.save(this.#endOffset, this.#producers);
    this.#syncs.directoryChanged();
  }

  /**
   * Removes every batch that ends at or after `offset`. Before the next sync is complete a loss of
   * power may bring them back.
   */
  truncateTo(offset: number): void {
    if (offset >= this.#endOffset) return;
    this.#reader.forget();
    const { active } = this.#segments.truncateTo(offset, this.config);
    this.#endOffset = active.tail(this.config).nextOffset;
    this.#logStartOffset = Math.min(this.#logStartOffset, this.#endOffset);
    this.#epochs.cutEnd(this.#endOffset);
    this.#syncs.truncated(this.#segments.all, this.#endOffset);
    this.#snapshots.cutEnd(this.#endOffset);
    const { offset: from, producers } = this.#snapshots.newestUpTo(this.#endOffset);
    this.#producers = producers;
    this.#segments.eachBatch(from, this.config, (batch) => producers.apply(batch));
  }

  /**
   * Makes `offset` the first that may be read, and deletes segments that end at or before it. Where
   * that is the log's end, an empty segment stays, whose name keeps the end.
   *
   * The owner has stored `offset` durably before: a recovery that is given an older `startOffset`
   * takes the deleted segments for lost ones, and with them all that follows.
   */
  advanceStartOffset(offset: number): void {
    assert(offset <= this.#endOffset, "the start passes the end");
    if (offset <= this.#logStartOffset) return;
    const active = this.#segments.active;
    if (offset === this.#endOffset && active !== undefined && active.sizeBytes > 0) {
      this.#roll(offset);
    }
    this.#logStartOffset = offset;
    this.#epochs.cutStart(offset);
    for (const segment of this.#segments.removeBefore(offset)) this.#syncs.removed(segment);
    this.#reader.forget();
  }

  /** Settles and lets go of the files. What was not synced may still be lost with power. */
  close(): void {
    try {
      this.settle();
    } finally {
      for (const segment of this.#segments.all) segment.close();
    }
  }

  /** Closes and deletes everything, in the background. Nothing else may be called any more. */
  async remove(): Promise<void> {
    for (const segment of this.#segments.all) segment.close();
    await this.#files.disk.removeFolder(this.#files.directory);
  }

  #mustRoll(batch: BatchSummary, waitingBytes: number, nowMs: number): boolean {
    const active = this.#segments.active;
    if (active === undefined) return true;
    return active.isFullFor(batch, this.config, { waitingBytes, nowMs });
  }

  #write(parts: readonly Uint8Array[], batches: readonly BatchSummary[]): void {
    const active = this.#segments.active;
    assert(active !== undefined, "a segment to append to");
    this.#syncs.wrote(active);
    active.append(parts, batches, this.config);
    for (const batch of batches) {
      this.#epochs.note(batch.leaderEpoch, batch.baseOffset);
      this.#producers.apply(batch);
      this.#endOffset = batch.lastOffset + 1;
      this.#appendedBytes += batch.bytes;
    }
  }

  /** Begins a segment at the log's end. */
  #roll(baseOffset: number): void {
    const active = this.#segments.active;
    if (active === undefined) this.#files.disk.makeDirectory(this.#files.directory);
    if (active !== undefined) {
      active.flushIndex(this.config);
      this.#snapshots.save(baseOffset, this.#producers);
    }
    this.#segments.add(Segment.create(this.#files, baseOffset));
    this.#syncs.directoryChanged();
  }
}
