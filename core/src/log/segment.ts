import { assert } from "../assert.ts";
import type { DiskFile } from "../ports/disk.ts";
import { DiskError } from "../ports/disk.ts";
import { batchCrcHolds } from "./batch-crc.ts";
import type { BatchSummary } from "./batch-format.ts";
import { summarizeBatch, viewOf } from "./batch-format.ts";
import { BatchScanner } from "./batch-scanner.ts";
import { fileName } from "./file-names.ts";
import { segmentSpanMax } from "./limits.ts";
import { type LogConfig, rollAfterMs } from "./log-config.ts";
import type { LogFiles } from "./log-files.ts";
import { damaged } from "./log-files.ts";
import { type IndexPoint, timeEntryBytes } from "./index-entry.ts";
import { SegmentIndex } from "./segment-index.ts";
import type { MutableTail, SegmentTail } from "./segment-tail.ts";
import { noteBatch, tailAt } from "./segment-tail.ts";

interface Start {
  readonly point: IndexPoint | "none";
  readonly scanner: BatchScanner;
  readonly step: "batch" | "end" | "damaged";
}

export interface Due {
  /** Wall time. */
  readonly nowMs: number;
  /** Of batches that will be written to the segment before this one. */
  readonly waitingBytes: number;
}

export interface SegmentRecovery {
  /** Batches that end before this offset were synced: their CRC is not computed again. */
  readonly from: number;
  /** What happens to the others. */
  readonly beyond: "verify" | "cut";
  /** A leader epoch above it cannot have been written. The CRC does not cover the field. */
  readonly leaderEpochMax: number;
}

/**
 * A file of batches, one after another, named by the offset at which it begins, with its indexes.
 *
 * Nothing is read before it is needed: a log of a thousand segments opens as fast as one of one.
 * What a segment amounts to (`tail`) is found by a scan from its last index point to its end, so
 * that a short or missing index costs time and never truth. An index that turns out to lie is made
 * again. Bytes of the log itself that are not batches, found when they are read, are a DiskError.
 */
export class Segment {
  readonly baseOffset: number;
  path: string;
  readonly #files: LogFiles;
  #file: DiskFile | undefined;
  #index: SegmentIndex | undefined;
  #tail: MutableTail | undefined;
  /** A failed write may have left bytes past the end, which must go before the next one. */
  #remnant = false;
  #removed = false;
  #firstTimestamp: number | undefined;
  #seenMs: number | undefined;

  constructor(files: LogFiles, baseOffset: number) {
    this.baseOffset = baseOffset;
    this.path = `${files.directory}/${fileName(baseOffset, "log")}`;
    this.#files = files;
  }

  /** An empty segment, with its file. */
  static create(files: LogFiles, baseOffset: number): Segment {
    const segment = new Segment(files, baseOffset);
    segment.#file = files.disk.open(segment.path, { create: "ifAbsent" });
    segment.#open().resize(0);
    segment.#beginIndex();
    segment.#tail = tailAt("none", baseOffset);
    return segment;
  }

  get sizeBytes(): number {
    return this.#tail?.damagedAt === -1 ? this.#tail.sizeBytes : this.#open().size();
  }

  /** Found once, then kept up to date by appends. */
  tail(config: LogConfig): SegmentTail {
    this.#tail ??= this.#findTail(config);
    return this.#tail;
  }

  /** Of its batches, ms; where none has a timestamp, when the file was last written to. */
  largestTimestamp(config: LogConfig): number {
    const { maxTimestamp } = this.tail(config);
    return maxTimestamp >= 0 ? maxTimestamp : this.#open().modifiedMs();
  }

  /**
   * Whether the batch has to go to a new segment: by bytes, by span of offsets, by the indexes'
   * size, or by time. As Kafka has it, time is that of the records: the batch's largest timestamp
   * against that of the segment's first batch.
   */
  isFullFor(batch: BatchSummary, config: LogConfig, when: Due): boolean {
    const sizeBytes = this.tail(config).sizeBytes + when.waitingBytes;
    if (sizeBytes === 0) return false;
    if (sizeBytes + batch.bytes > Math.min(config.segmentBytes, segmentSpanMax)) return true;
    if (batch.lastOffset - this.baseOffset > segmentSpanMax) return true;
    const indexEntriesMax = Math.max(1, Math.floor(config.segmentIndexBytes / timeEntryBytes));
    if (this.#loadIndex(config).length >= indexEntriesMax) return true;
    return this.#ageMs(batch, when.nowMs) > rollAfterMs(config);
  }

  /** Writes the batches at the end. After a DiskError the segment is what it was before. */
  append(parts: readonly Uint8Array[], batches: readonly BatchSummary[], config: LogConfig): void {
    this.tail(config);
    const tail = this.#tail;
    assert(tail !== undefined && tail.damagedAt === -1, "append past damaged bytes");
    const index = this.#loadIndex(config);
    index.flushIfDue();
    const file = this.#open();
    if (this.#remnant) this.#cutRemnant(file, tail.sizeBytes);
    this.#remnant = true;
    try {
      file.write(tail.sizeBytes, parts);
    } catch (error) {
      this.#tryCutRemnant(file, tail.sizeBytes);
      throw error;
    }
    this.#remnant = false;
    for (const batch of batches) noteBatch(tail, batch, index, config);
  }

  /** The position of the first batch that ends at or after `offset`; undefined: all end before. */
  locate(offset: number, config: LogConfig): number | undefined {
    const { scanner, step } = this.#startAt((index) => index.floorByOffset(offset), config);
    for (let found = step; this.#isBatch(found, scanner); found = scanner.next()) {
      if (scanner.lastOffset >= offset) return scanner.position;
    }
    return undefined;
  }

  /** Fills `into` from `position` on; a file that ends before is damaged. */
  read(position: number, into: Uint8Array): void {
    if (this.#open().read(position, into) !== into.length) throw damaged(this.path, position);
  }

  /** The first record at or after `startOffset` with at least this timestamp. */
  findByTimestamp(
    query: { readonly timestamp: number; readonly startOffset: number },
    config: LogConfig,
  ): FoundRecord | undefined {
    const { format } = this.#files;
    const { scanner, step } = this.#startAt((index) => {
      return index.floorByTimestamp(query.timestamp);
    }, config);
    for (let found = step; this.#isBatch(found, scanner); found = scanner.next()) {
      if (format.readMaxTimestamp(scanner.view, scanner.at) < query.timestamp) continue;
      if (scanner.lastOffset < query.startOffset) continue;
      const leaderEpoch = format.readPartitionLeaderEpoch(scanner.view, scanner.at);
      const maxTimestamp = format.readMaxTimestamp(scanner.view, scanner.at);
      const { baseOffset } = scanner;
      const record = this.#files.findTimestamp(this.#readBatch(scanner), query);
      // Of a batch that cannot be opened its header is all that is known.
      if (record === "unreadable") {
        const offset = Math.max(baseOffset, query.startOffset);
        return { offset, timestamp: maxTimestamp, leaderEpoch };
      }
      if (record !== undefined) return { ...record, leaderEpoch };
    }
    return undefined;
  }

  /** Calls `visit` with each batch that ends at or after `offset`, in order. */
  eachBatch(offset: number, config: LogConfig, visit: (batch: BatchSummary) => void): void {
    const { scanner, step } = this.#startAt((index) => index.floorByOffset(offset), config);
    for (let found = step; this.#isBatch(found, scanner); found = scanner.next()) {
      if (scanner.lastOffset < offset) continue;
      visit(summarizeBatch(this.#files.format, scanner.view, scanner.at));
    }
  }

  /**
   * Reads every batch from `rules.from` on, and cuts the file where one is not whole, has other
   * bytes than its CRC says, or does not follow the one before; or cuts it there at once. Returns
   * the bytes that were cut.
   */
  recover(rules: SegmentRecovery, config: LogConfig): number {
    const { index, start } = this.#trustedStart(rules.from);
    const { scanner } = start;
    // The point that the scan begins at stays; those after it are made again as batches pass.
    index.cutTo(scanner.position + 1);
    const tail = tailAt(start.point, this.baseOffset);
    let step = start.step;
    while (step === "batch" && this.#isSound(scanner, tail, rules)) {
      noteBatch(tail, summarizeBatch(this.#files.format, scanner.view, scanner.at), index, config);
      step = scanner.next();
    }
    this.#tail = tail;
    return this.#cutFile(tail.sizeBytes);
  }

  /** Removes the batches that end at or after `offset`. Returns the bytes that were cut. */
  truncateTo(offset: number, config: LogConfig): number {
    const position = this.locate(offset, config);
    if (position === undefined) return 0;
    this.#loadIndex(config).cutTo(position);
    this.#tail = undefined;
    return this.#cutFile(position);
  }

  /** Writes what only memory holds of the indexes, so that the next open scans little. */
  flushIndex(config: LogConfig): void {
    this.#loadIndex(config).flush();
  }

  /** Nothing is left to sync of a segment that was removed meanwhile. */
  async sync(): Promise<void> {
    if (this.#removed) return;
    await this.#open().sync();
    if (this.#index?.needsSync) await this.#index.sync();
  }

  close(): void {
    this.#index?.close();
    this.#file?.close();
    this.#index = undefined;
    this.#file = undefined;
  }

  /** Deletes its files. */
  remove(): void {
    this.close();
    this.#removed = true;
    this.#files.disk.remove(this.path);
    this.#removeIndexFiles();
  }

  #open(): DiskFile {
    this.#file ??= this.#files.disk.open(this.path, { create: "never" });
    if (this.#file !== undefined) return this.#file;
    const cause = new Error("a segment's file is missing");
    throw new DiskError("io", { path: this.path, applied: "no", cause });
  }

  #loadIndex(config: LogConfig): SegmentIndex {
    if (this.#index !== undefined) return this.#index;
    const loaded = SegmentIndex.load({ ...this.#files, baseOffset: this.baseOffset });
    this.#index = loaded === "damaged" ? this.#rebuildIndex(config) : loaded;
    return this.#index;
  }

  /**
   * Where a recovery begins. An index that is no use is not made again, as elsewhere, from bytes that
   * nobody has verified: the scan begins at the segment's start, and makes it on its way.
   */
  #trustedStart(from: number): { readonly index: SegmentIndex; readonly start: Start } {
    const loaded =
      this.#index ?? SegmentIndex.load({ ...this.#files, baseOffset: this.baseOffset });
    if (loaded !== "damaged") {
      this.#index = loaded;
      const start = this.#tryStart(loaded.floorByOffset(from), "batches");
      if (start !== undefined) return { index: loaded, start };
    }
    const index = this.#beginIndex();
    const scanner = this.#scanner(0, "batches");
    return { index, start: { point: "none", scanner, step: scanner.next() } };
  }

  /** Puts an empty index in the place of the one there was. */
  #beginIndex(): SegmentIndex {
    this.#index?.close();
    this.#removeIndexFiles();
    this.#index = SegmentIndex.empty({ ...this.#files, baseOffset: this.baseOffset });
    return this.#index;
  }

  /** Makes the index again from the batches. What is known of the segment's end stays as it is. */
  #rebuildIndex(config: LogConfig): SegmentIndex {
    const index = this.#beginIndex();
    const tail = tailAt("none", this.baseOffset);
    const scanner = this.#scanner(0);
    // A batch that lost its place would be found for offsets that lie elsewhere.
    while (scanner.next() === "batch" && scanner.baseOffset >= tail.nextOffset) {
      noteBatch(tail, summarizeBatch(this.#files.format, scanner.view, scanner.at), index, config);
    }
    return index;
  }

  /** A scan from the index point that `find` chooses, or from the segment's start without one. */
  #startAt(
    find: (index: SegmentIndex) => IndexPoint | "none" | "damaged",
    config: LogConfig,
  ): Start {
    const first = this.#tryStart(find(this.#loadIndex(config)));
    if (first !== undefined) return first;
    const second = this.#tryStart(find(this.#rebuildIndex(config)));
    if (second === undefined) throw damaged(this.path, 0);
    return second;
  }

  /** Undefined when the batch is not there that the point names. */
  #tryStart(
    point: IndexPoint | "none" | "damaged",
    read: "headers" | "batches" = "headers",
  ): Start | undefined {
    if (point === "damaged") return undefined;
    if (point !== "none" && point.position >= this.sizeBytes) return undefined;
    const scanner = this.#scanner(point === "none" ? 0 : point.position, read);
    const step = scanner.next();
    if (point === "none") return { point, scanner, step };
    if (step !== "batch" || scanner.baseOffset !== point.baseOffset) return undefined;
    return { point, scanner, step };
  }

  #scanner(from: number, read: "headers" | "batches" = "headers"): BatchScanner {
    const range = { from, end: this.sizeBytes, read };
    return new BatchScanner(this.#open(), this.#files.format, range);
  }

  #isBatch(step: "batch" | "end" | "damaged", scanner: BatchScanner): boolean {
    if (step === "damaged") throw damaged(this.path, scanner.position);
    return step === "batch";
  }

  #findTail(config: LogConfig): MutableTail {
    const { point, scanner, step } = this.#startAt((index) => index.last(), config);
    const index = this.#loadIndex(config);
    const tail = tailAt(point, this.baseOffset);
    let found = step;
    for (; found === "batch" && scanner.baseOffset >= tail.nextOffset; found = scanner.next()) {
      noteBatch(tail, summarizeBatch(this.#files.format, scanner.view, scanner.at), index, config);
    }
    // Batches of before the segment's first offset: the file is another one than its name says.
    const isEarlier = tail.sizeBytes === 0 ? found === "batch" : tail.nextOffset <= this.baseOffset;
    if (isEarlier) throw damaged(this.path, 0);
    if (found !== "end") tail.damagedAt = scanner.position;
    return tail;
  }

  #isSound(scanner: BatchScanner, tail: SegmentTail, rules: SegmentRecovery): boolean {
    const leaderEpoch = this.#files.format.readPartitionLeaderEpoch(scanner.view, scanner.at);
    if (leaderEpoch < tail.lastLeaderEpoch || leaderEpoch > rules.leaderEpochMax) return false;
    // Compaction leaves gaps between offsets, but only in what was synced long before.
    if (scanner.lastOffset < rules.from) return scanner.baseOffset >= tail.nextOffset;
    if (rules.beyond === "cut" || scanner.baseOffset < tail.nextOffset) return false;
    if (scanner.baseOffset > tail.nextOffset && scanner.baseOffset > rules.from) return false;
    return batchCrcHolds(this.#files, this.#open(), scanner);
  }

  #readBatch(scanner: BatchScanner): Uint8Array {
    const batch = new Uint8Array(scanner.bytes);
    this.read(scanner.position, batch);
    return batch;
  }

  #ageMs(batch: BatchSummary, nowMs: number): number {
    this.#seenMs ??= nowMs;
    // Of an empty segment the waiting batches are the first: they are as old as this one.
    if (this.sizeBytes === 0) return 0;
    this.#firstTimestamp ??= this.#readFirstTimestamp();
    if (this.#firstTimestamp < 0) return nowMs - this.#seenMs;
    return batch.maxTimestamp - this.#firstTimestamp;
  }

  #readFirstTimestamp(): number {
    const header = new Uint8Array(this.#files.format.BATCH_HEADER_BYTES);
    this.read(0, header);
    return this.#files.format.readMaxTimestamp(viewOf(header), 0);
  }

  #cutFile(sizeBytes: number): number {
    const file = this.#open();
    const cut = file.size() - sizeBytes;
    if (cut > 0) file.resize(sizeBytes);
    if (sizeBytes === 0) this.#firstTimestamp = undefined;
    return Math.max(0, cut);
  }

  #cutRemnant(file: DiskFile, sizeBytes: number): void {
    file.resize(sizeBytes);
    this.#remnant = false;
  }

  /** At once, since a later recovery would take refused batches for appended ones. */
  #tryCutRemnant(file: DiskFile, sizeBytes: number): void {
    try {
      this.#cutRemnant(file, sizeBytes);
    } catch (error) {
      // The write's own error is the one to report; the next append tries the cut again.
      if (!(error instanceof DiskError)) throw error;
    }
  }

  #removeIndexFiles(): void {
    const { disk, directory } = this.#files;
    disk.remove(`${directory}/${fileName(this.baseOffset, "index")}`);
    disk.remove(`${directory}/${fileName(this.baseOffset, "timeindex")}`);
  }
}

export interface FoundRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly leaderEpoch: number;
}
