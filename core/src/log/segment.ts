import { assert } from "../assert.ts";
import type { DiskFile } from "../ports/disk.ts";
import type { BatchSummary } from "./batch-format.ts";
import { summarizeBatch, viewOf } from "./batch-format.ts";
import { BatchScanner } from "./batch-scanner.ts";
import { fileName, withoutEnding } from "./file-names.ts";
import { findBatch, findBatchFrom } from "./find-batch.ts";
import { segmentSpanMax } from "./limits.ts";
import { type LogConfig, rollAfterMs } from "./log-config.ts";
import type { LogFiles } from "./log-files.ts";
import { damaged, ignoringDisk, missing } from "./log-files.ts";
import { type IndexPoint, timeEntryBytes } from "./index-entry.ts";
import { SegmentAge } from "./segment-age.ts";
import { removeIndexFiles, SegmentIndex } from "./segment-index.ts";
import { findInBatch, isSoundBatch, mayCut } from "./segment-rules.ts";
import type { Due, FoundRecord, SegmentRecovery, TimestampQuery } from "./segment-rules.ts";
import { type MutableTail, noteBatch, type SegmentTail, tailAt } from "./segment-tail.ts";

interface Scan {
  readonly scanner: BatchScanner;
  readonly step: "batch" | "end" | "damaged";
}

interface Start extends Scan {
  readonly point: IndexPoint | "none";
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
  readonly #age = new SegmentAge();
  /** Damage below it is stepped over. */
  #coveredTo = 0;
  /** The batch behind damage that was stepped over: nothing is here between `#coveredTo` and it. */
  #goesOnAt = 0;
  /** Whether damage was stepped over, below what the object store has. */
  hasDamage = false;

  constructor(files: LogFiles, baseOffset: number) {
    this.baseOffset = baseOffset;
    this.path = `${files.directory}/${fileName(baseOffset, "log")}`;
    this.#files = files;
  }

  /** An empty segment, with its file. */
  static create(files: LogFiles, baseOffset: number): Segment {
    const segment = new Segment(files, baseOffset);
    segment.#file = files.disk.open(segment.path, { create: "ifAbsent" });
    segment.file().resize(0);
    segment.#beginIndex();
    segment.#tail = tailAt("none", baseOffset);
    return segment;
  }

  get sizeBytes(): number {
    return this.#tail?.damagedAt === -1 ? this.#tail.sizeBytes : this.file().size();
  }

  /** Whether the file, its own or its index's, is this segment's. */
  isAt(path: string): boolean {
    return withoutEnding(path) === withoutEnding(this.path);
  }

  tail(config: LogConfig): SegmentTail {
    this.#tail ??= this.#findTail(config);
    return this.#tail;
  }

  /** Of its batches, ms; where none has a timestamp, when the file was last written to. */
  largestTimestamp(config: LogConfig): number {
    const { maxTimestamp } = this.tail(config);
    return maxTimestamp >= 0 ? maxTimestamp : this.file().modifiedMs();
  }

  /**
   * Whether the batch has to go to a new segment: by bytes, by span of offsets, by the indexes'
   * size, or by time.
   */
  isFullFor(batch: BatchSummary, config: LogConfig, when: Due): boolean {
    const sizeBytes = this.tail(config).sizeBytes + when.waitingBytes;
    if (sizeBytes === 0) return false;
    if (sizeBytes + batch.bytes > Math.min(config.segmentBytes, segmentSpanMax)) return true;
    if (batch.lastOffset - this.baseOffset > segmentSpanMax) return true;
    const indexEntriesMax = Math.max(1, Math.floor(config.segmentIndexBytes / timeEntryBytes));
    if (this.#loadIndex(config).length >= indexEntriesMax) return true;
    const first = (): number | "empty" => this.#firstTimestamp();
    return this.#age.ageMs(batch, when.nowMs, first) > rollAfterMs(config);
  }

  /** Writes the batches at the end. After a DiskError the segment is what it was before. */
  append(parts: readonly Uint8Array[], batches: readonly BatchSummary[], config: LogConfig): void {
    this.tail(config);
    const tail = this.#tail;
    assert(tail !== undefined && tail.damagedAt === -1, "append past damaged bytes");
    const index = this.#loadIndex(config);
    index.flushIfDue();
    const file = this.file();
    if (this.#remnant) this.#cutRemnant(file, tail.sizeBytes);
    this.#remnant = true;
    try {
      file.write(tail.sizeBytes, parts);
    } catch (error) {
      // At once, since a later recovery would take refused batches for appended ones.
      ignoringDisk(() => this.#cutRemnant(file, tail.sizeBytes));
      throw error;
    }
    this.#remnant = false;
    for (const batch of batches) noteBatch(tail, batch, index, config);
  }

  /** The position of the first batch that ends at or after `offset`; undefined: all end before. */
  locate(offset: number, config: LogConfig): number | undefined {
    for (const scanner of this.#walk(this.#floorOf(offset), config)) {
      if (scanner.lastOffset >= offset) return scanner.position;
    }
    return undefined;
  }

  /** Fills `into` from `position` on; a file that ends before is damaged. */
  read(position: number, into: Uint8Array): void {
    if (this.file().read(position, into) !== into.length) throw damaged(this.path, position);
  }

  /** The first record at or after `startOffset` with at least this timestamp. */
  findByTimestamp(query: TimestampQuery, config: LogConfig): FoundRecord | undefined {
    for (const scanner of this.#walk((index) => index.floorByTimestamp(query.timestamp), config)) {
      const readBatch = (): Uint8Array => this.#readAt(scanner.position, scanner.bytes);
      const found = findInBatch(this.#files, scanner, query, readBatch);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Calls `visit` with each batch that ends at or after `offset`, in order. */
  eachBatch(offset: number, config: LogConfig, visit: (batch: BatchSummary) => void): void {
    for (const scanner of this.#walk(this.#floorOf(offset), config)) {
      if (scanner.lastOffset < offset) continue;
      visit(summarizeBatch(this.#files.format, scanner.view, scanner.at));
    }
  }

  /**
   * Nobody reads what lies below `offset` here any more. What lies above is found again, if the
   * batch that begins there is whole, or in a gap that compaction left, what follows.
   */
  giveUpTo(offset: number, config: LogConfig): void {
    this.#coveredTo = offset;
    this.hasDamage = true;
    this.#rebuildIndex(config);
  }

  /**
   * Reads every batch from `rules.from` on, and cuts the file where one is not whole, has other bytes
   * than its CRC says, or does not follow the one before; or cuts it there at once. Returns the bytes
   * that were cut. A DiskError: nothing else has them.
   */
  recover(rules: SegmentRecovery, config: LogConfig): number {
    const { index, start } = this.#trustedStart(rules.from);
    // The point that the scan begins at stays; those after it are made again as batches pass.
    index.cutTo(start.scanner.position + 1);
    const tail = tailAt(start.point, this.baseOffset);
    this.#coveredTo = rules.coveredTo;
    const file = this.file();
    const isSound = (scanner: BatchScanner): boolean =>
      isSoundBatch(this.#files, { file, scanner }, tail, rules);
    for (let scan: Scan | undefined = start; scan !== undefined; scan = this.#resume(tail)) {
      this.#note(scan, { tail, index, config }, isSound);
    }
    if (!mayCut(tail, file.size(), rules)) throw damaged(this.path, tail.sizeBytes);
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
    await this.file().sync();
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
    removeIndexFiles(this.#files, this.baseOffset);
  }

  file(): DiskFile {
    this.#file ??= this.#files.disk.open(this.path, { create: "never" });
    if (this.#file === undefined) throw missing(this.path);
    return this.#file;
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
    const { baseOffset } = this;
    const loaded = this.#index ?? SegmentIndex.load({ ...this.#files, baseOffset });
    if (loaded !== "damaged") {
      this.#index = loaded;
      const start = this.#tryStart(loaded.floorByOffset(from), "batches");
      if (start !== undefined) return { index: loaded, start };
    }
    const start: Start = { point: "none", ...this.#scanFrom(0, "batches") };
    return { index: this.#beginIndex(), start };
  }

  /** Puts an empty index in the place of the one there was. */
  #beginIndex(): SegmentIndex {
    this.#index?.close();
    removeIndexFiles(this.#files, this.baseOffset);
    this.#index = SegmentIndex.empty({ ...this.#files, baseOffset: this.baseOffset });
    return this.#index;
  }

  /** Makes the index again from the batches. What is known of the segment's end stays as it is. */
  #rebuildIndex(config: LogConfig): SegmentIndex {
    const index = this.#beginIndex();
    const tail = tailAt("none", this.baseOffset);
    for (
      let scan: Scan | undefined = this.#scanFrom(0);
      scan !== undefined;
      scan = this.#resume(tail, findBatchFrom)
    ) {
      this.#note(scan, { tail, index, config }, ({ baseOffset }) => baseOffset >= tail.nextOffset);
    }
    return index;
  }

  /**
   * Where a scan that ended before the file did, in damage that the object store covers, goes on. The
   * last batch may have led it astray. What is found gets an index point: nobody comes from before.
   */
  #resume(tail: MutableTail, find = findBatch): Scan | undefined {
    const baseOffset = this.#coveredTo;
    const end = this.sizeBytes;
    const { lastBatchAt, lastBatchDue, sizeBytes } = tail;
    if (lastBatchDue >= baseOffset || sizeBytes >= end) return undefined;
    const found = find(this.#files, this.file(), { from: lastBatchAt, end, baseOffset });
    const isNew = found?.position !== lastBatchAt && found?.position !== sizeBytes;
    if (found === undefined || !isNew) return undefined;
    this.hasDamage = true;
    this.#goesOnAt = found.baseOffset;
    tail.sizeBytes = found.position;
    tail.nextOffset = baseOffset;
    tail.bytesSinceIndexPoint = Number.POSITIVE_INFINITY;
    return this.#scanFrom(found.position);
  }

  #scanFrom(position: number, read: "headers" | "batches" = "headers"): Scan {
    const range = { from: position, end: this.sizeBytes, read };
    const scanner = new BatchScanner(this.file(), this.#files.format, range);
    return { scanner, step: scanner.next() };
  }

  /**
   * Counts in the batches up to the first one that is not accepted: one that lost its place would be
   * found for offsets that lie elsewhere. Says what the scan came to.
   */
  #note(
    { scanner, step: first }: Scan,
    into: { readonly tail: MutableTail; readonly index: SegmentIndex; readonly config: LogConfig },
    accepts: (scanner: BatchScanner) => boolean,
  ): Scan["step"] {
    const { config, index, tail } = into;
    let step = first;
    for (; step === "batch" && accepts(scanner); step = scanner.next()) {
      noteBatch(tail, summarizeBatch(this.#files.format, scanner.view, scanner.at), index, config);
    }
    return step;
  }

  /** A scan from the index point that `find` chooses, or from the segment's start without one. */
  #startAt(
    find: (index: SegmentIndex) => IndexPoint | "none" | "damaged",
    config: LogConfig,
  ): Start {
    const first = this.#tryStart(find(this.#loadIndex(config)));
    const found = first ?? this.#tryStart(find(this.#rebuildIndex(config)));
    if (found === undefined) throw damaged(this.path, 0);
    return found;
  }

  /** Undefined when the batch is not there that the point names. */
  #tryStart(
    point: IndexPoint | "none" | "damaged",
    read: "headers" | "batches" = "headers",
  ): Start | undefined {
    if (point === "damaged") return undefined;
    if (point !== "none" && point.position >= this.sizeBytes) return undefined;
    const { scanner, step } = this.#scanFrom(point === "none" ? 0 : point.position, read);
    if (point === "none") return { point, scanner, step };
    if (step !== "batch" || scanner.baseOffset !== point.baseOffset) return undefined;
    return { point, scanner, step };
  }

  /** The batches from the index point on that `find` chooses; the scanner is each one in turn. */
  *#walk(
    find: (index: SegmentIndex) => IndexPoint | "none" | "damaged",
    config: LogConfig,
  ): Generator<BatchScanner> {
    const { scanner, step: first } = this.#startAt(find, config);
    let step = first;
    for (let end = 0; step === "batch" && scanner.baseOffset >= end; step = scanner.next()) {
      end = scanner.lastOffset + 1;
      yield scanner;
    }
    if (step !== "end") throw damaged(this.path, scanner.position);
  }

  #findTail(config: LogConfig): MutableTail {
    const start = this.#startAt((index) => index.last(), config);
    const { scanner } = start;
    const index = this.#loadIndex(config);
    const tail = tailAt(start.point, this.baseOffset);
    const isInPlace = ({ baseOffset }: BatchScanner): boolean => baseOffset >= tail.nextOffset;
    const found = this.#note(start, { tail, index, config }, isInPlace);
    // Batches of before the segment's first offset: the file is another one than its name says.
    const isEarlier = tail.sizeBytes === 0 ? found === "batch" : tail.nextOffset <= this.baseOffset;
    if (isEarlier) throw damaged(this.path, 0);
    if (found !== "end") tail.damagedAt = scanner.position;
    return tail;
  }

  #firstTimestamp(): number | "empty" {
    if (this.sizeBytes === 0) return "empty";
    const { format } = this.#files;
    return format.readMaxTimestamp(viewOf(this.#readAt(0, format.BATCH_HEADER_BYTES)), 0);
  }

  #readAt(position: number, bytes: number): Uint8Array {
    const into = new Uint8Array(bytes);
    this.read(position, into);
    return into;
  }

  #cutFile(sizeBytes: number): number {
    const file = this.file();
    const cut = file.size() - sizeBytes;
    if (cut > 0) file.resize(sizeBytes);
    if (sizeBytes === 0) this.#age.forgetFirst();
    return Math.max(0, cut);
  }

  #cutRemnant(file: DiskFile, sizeBytes: number): void {
    file.resize(sizeBytes);
    this.#remnant = false;
  }

  #floorOf(offset: number): (index: SegmentIndex) => IndexPoint | "none" | "damaged" {
    const from = offset < this.#coveredTo ? offset : Math.max(offset, this.#goesOnAt);
    return (index) => index.floorByOffset(from);
  }
}
