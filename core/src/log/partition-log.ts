import { assert } from "../assert.ts";
import type { ProducerState } from "../producer/producer-state.ts";
import type { BatchSummary } from "./batch-format.ts";
import type { LeaderEpochs, LeaderEpochStart } from "./leader-epochs.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogFiles } from "./log-files.ts";
import type { LogOptions, RecoveryReport } from "./log-options.ts";
import { LogCompaction } from "./log-compaction.ts";
import { type LogRead, LogReader, type ReadPlace, type ReadRange } from "./log-reader.ts";
import { findByTimestamp, findMaxTimestamp } from "./log-search.ts";
import { batchesHere, openLog } from "./open-log.ts";
import type { ProducerSnapshots } from "./producer-snapshots.ts";
import type { FoundRecord } from "./segment-rules.ts";
import { Segment } from "./segment.ts";
import { type SegmentFacts, segmentFacts } from "./segment-facts.ts";
import type { SegmentList } from "./segment-list.ts";
import { sliceParts, totalBytes } from "./parts.ts";
import { SyncTargets } from "./sync-targets.ts";

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
  readonly compaction: LogCompaction;
  readonly #files: LogFiles;
  readonly #segments: SegmentList;
  readonly #epochs: LeaderEpochs;
  readonly #snapshots: ProducerSnapshots;
  readonly #reader: LogReader;
  readonly #syncs: SyncTargets;
  #producers: ProducerState;
  #missesProducers: boolean;
  #logStartOffset: number;
  #endOffset: number;
  #appendedBytes = 0;
  #givenUpTo = 0;

  private constructor(options: LogOptions) {
    const { disk, directory, format, crc32c, findTimestamp } = options;
    this.config = options.config;
    this.#files = { disk, directory, format, crc32c, findTimestamp };
    const opened = openLog(this.#files, options);
    const { segments } = opened;
    this.#segments = segments;
    this.recovered = opened.report;
    this.#epochs = opened.epochs;
    this.#snapshots = opened.snapshots;
    this.#producers = opened.producers;
    this.#missesProducers = opened.missesProducers;
    this.#logStartOffset = opened.logStartOffset;
    this.#endOffset = opened.endOffset;
    this.#syncs = new SyncTargets(this.#files, opened);
    this.#reader = new LogReader(this.#segments, this.#files, options.buffers);
    const parts = { files: this.#files, segments, reader: this.#reader, syncs: this.#syncs };
    this.compaction = new LogCompaction({ ...parts, config: () => this.config });
    // A death may have come between the storing of the start and what follows from it.
    this.#epochs.cutStart(this.#logStartOffset);
  }

  /** Opens or, in memory, begins the log. Makes no file. */
  static open(options: LogOptions): PartitionLog {
    return new PartitionLog(options);
  }

  /** The first offset that may be read. */
  get logStartOffset(): number {
    return this.#logStartOffset;
  }

  /** The first offset that is read here. What lies between the start and it is in the store only. */
  get localStartOffset(): number {
    const first = this.#segments.all[0]?.baseOffset ?? this.#endOffset;
    return Math.max(this.#logStartOffset, this.#givenUpTo, first);
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
    return this.#segments.all.reduce((bytes, segment) => bytes + segment.sizeBytes, 0);
  }

  /** The idempotent producers of the batches in the log. */
  get producers(): ProducerState {
    return this.#producers;
  }

  /** Of those whose last batch is not here any more, because no snapshot was of use, it knows nothing. */
  get missesProducers(): boolean {
    return this.#missesProducers;
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
    if (range.from < this.localStartOffset) return { kind: "notLocal" };
    const upTo = Math.min(range.upTo, this.#endOffset);
    return this.#reader.read({ ...range, upTo }, this.#endOffset, this.config);
  }

  /** Where `read` would read; undefined: nothing, or not here. */
  placeOf(range: ReadRange): ReadPlace | undefined {
    if (range.from < this.localStartOffset) return undefined;
    const upTo = Math.min(range.upTo, this.#endOffset);
    return this.#reader.placeOf({ ...range, upTo }, this.config);
  }

  /** Bytes of the batches from the one that holds `offset` on, as far as they are here. */
  bytesFrom(offset: number): number {
    return this.#segments.bytesFrom(offset, this.config);
  }

  /** The first record below `upTo` with at least this timestamp (ListOffsets by time). */
  findByTimestamp(query: {
    readonly timestamp: number;
    readonly upTo: number;
  }): FoundRecord | undefined {
    const searched = { segments: this.#segments.all, config: this.config, upTo: query.upTo };
    return findByTimestamp(searched, { ...query, startOffset: this.localStartOffset });
  }

  /** The first record with the log's largest timestamp, if below `upTo` (KIP-734). */
  maxTimestamp(upTo: number): FoundRecord | undefined {
    const searched = { segments: this.#segments.all, config: this.config, upTo };
    return findMaxTimestamp(searched, this.localStartOffset);
  }

  /** Each segment, oldest first; the last takes the appends. For retention. */
  *segments(): IterableIterator<SegmentFacts> {
    for (const segment of this.#segments.all) yield segmentFacts(segment, this.config);
  }

  /**
   * Makes everything durable that was appended before the call, and moves `recoveryPoint` there.
   * Calls may overlap. Rejects with a DiskError. One that is `full` leaves all as it was, to be
   * tried again; any other one is what every later call rejects with too.
   */
  async sync(): Promise<void> {
    const snapshots = this.#snapshots.sync();
    await Promise.all([this.#syncs.sync(() => this.#endOffset, this.#epochs), snapshots]);
  }

  /**
   * Before the first `sync`: makes durable what was found at the opening, and writes down nothing, so
   * that the next open trusts what it would have trusted. Rejects as `sync` does.
   */
  syncRecords(): Promise<void> {
    return this.#syncs.syncRecords();
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
    this.compaction.cut(this.#endOffset);
    this.#snapshots.cutEnd(this.#endOffset);
    const known = this.#snapshots.newestFor(batchesHere(this.#segments, this.#endOffset));
    this.#producers = known.producers;
    this.#missesProducers = !known.isComplete;
    this.#segments.eachBatch(known.offset, this.config, (batch) => known.producers.apply(batch));
  }

  /**
   * Makes `offset` the first that may be read, and deletes segments that end at or before it. Where
   * that is the log's end, an empty segment stays, whose name keeps the end. An offset below the
   * start leaves it, and deletes what an earlier call had to leave.
   *
   * The owner has stored `offset` durably before: a recovery that is given an older `startOffset`
   * takes the deleted segments for lost ones, and with them all that follows.
   */
  advanceStartOffset(offset: number): void {
    assert(offset <= this.#endOffset, "the start passes the end");
    if (offset > this.#logStartOffset) {
      this.#logStartOffset = offset;
      this.#epochs.cutStart(offset);
      this.#reader.forget();
    }
    this.#deleteBefore(this.#logStartOffset);
  }

  /** Deletes segments that end at or before `offset`, which the object store has, and no more. */
  removeLocalBefore(offset: number): void {
    assert(offset <= this.#endOffset, "what is to be appended is not removed");
    if (offset <= this.localStartOffset) return;
    this.#reader.forget();
    this.#deleteBefore(offset);
  }

  /**
   * The segment whose file is at `path` is damaged, and the object store has what lies below
   * `coveredTo`: up to there, or that segment's end, nothing is read here any more, and what can be is
   * deleted. Undefined: nothing of the segment is covered.
   */
  giveUpDamaged(path: string, coveredTo: number): number | undefined {
    const { all } = this.#segments;
    const at = all.findIndex((segment) => segment.isAt(path));
    const end = Math.min(coveredTo, all[at + 1]?.baseOffset ?? this.#endOffset);
    const segment = all[at];
    if (segment === undefined || end <= segment.baseOffset) return undefined;
    this.#givenUpTo = Math.max(this.#givenUpTo, end);
    this.#reader.forget();
    this.#deleteBefore(end);
    if (all.includes(segment)) segment.giveUpTo(end, this.config);
    return this.localStartOffset;
  }

  /** The files end before what the object store has: they go, and the log goes on where that ends. */
  async restartAt(
    offset: number,
    known: { readonly producers: ProducerState; readonly epochs: readonly LeaderEpochStart[] },
  ): Promise<void> {
    assert(offset >= this.#endOffset, "a log that reaches further goes on as it is");
    this.#reader.forget();
    for (const segment of this.#segments.all) this.#syncs.removed(segment);
    this.#segments.removeFrom(0);
    const { disk, directory } = this.#files;
    // Before the new one is there: else a loss of power may leave both, and a gap between them.
    disk.makeDirectory(directory);
    await disk.syncDirectory(directory);
    this.#endOffset = offset;
    this.#producers = known.producers;
    this.#missesProducers = false;
    this.#epochs.replace(known.epochs);
    this.#roll(offset);
    this.#syncs.restarted(offset);
    // So that the next sync stores the epochs, which no batch here tells.
    if (this.#segments.active !== undefined) this.#syncs.wrote(this.#segments.active);
    this.#snapshots.save(offset, known.producers);
  }

  /** Takes over what the object store knows of the producers below `offset`: the rest is here. */
  learnProducers(offset: number, producers: ProducerState): void {
    assert(offset >= this.localStartOffset, "no batch is missing in between");
    this.#producers = producers;
    this.#missesProducers = false;
    this.#segments.eachBatch(offset, this.config, (batch) => {
      if (batch.baseOffset >= offset) producers.apply(batch);
    });
  }

  /** Takes over what the object store knows of epochs before the first one that is known here. */
  learnEpochs(older: readonly LeaderEpochStart[]): void {
    this.#epochs.prepend(older);
  }

  /** Settles and lets go of the files. What was not synced may still be lost with power. */
  close(): void {
    this.compaction.close();
    try {
      this.settle();
    } finally {
      for (const segment of this.#segments.all) segment.close();
    }
  }

  /** Closes and deletes everything, in the background. Nothing else may be called any more. */
  async remove(): Promise<void> {
    this.compaction.close();
    for (const segment of this.#segments.all) segment.close();
    await this.#files.disk.removeFolder(this.#files.directory);
  }

  #mustRoll(batch: BatchSummary, waitingBytes: number, nowMs: number): boolean {
    const when = { waitingBytes, nowMs };
    return this.#segments.active?.isFullFor(batch, this.config, when) ?? true;
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

  /** With an empty segment in the place of the active one where all of the log goes. */
  #deleteBefore(offset: number): void {
    // First of all, since on a full disk it makes the room that the new segment needs.
    this.#removeBefore(offset);
    const active = this.#segments.active;
    if (offset < this.#endOffset || active === undefined || active.sizeBytes === 0) return;
    this.#roll(this.#endOffset);
    this.#removeBefore(this.#endOffset);
  }

  #removeBefore(offset: number): void {
    for (const segment of this.#segments.removeBefore(offset)) this.#syncs.removed(segment);
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
