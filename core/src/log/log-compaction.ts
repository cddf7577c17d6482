import { assert } from "../assert.ts";
import { DiskError } from "../ports/disk.ts";
import { viewOf } from "./batch-format.ts";
import { forgetCleanedAbove, readCleanedOffset, writeCleanedOffset } from "./cleaned-offset.ts";
import { CleanedSegment } from "./cleaned-segment.ts";
import { readCompactedGaps, writeCompactedGaps } from "./compacted-gaps.ts";
import { fileName } from "./file-names.ts";
import { timeEntryBytes } from "./index-entry.ts";
import type { LogConfig } from "./log-config.ts";
import { damaged, type LogFiles } from "./log-files.ts";
import type { LogReader } from "./log-reader.ts";
import type { ReplacedRange } from "./replacement.ts";
import { Segment } from "./segment.ts";
import type { SegmentList } from "./segment-list.ts";
import type { SyncTargets } from "./sync-targets.ts";

/** Looked up when asked for. May throw a DiskError. */
export interface CompactedSegment {
  readonly baseOffset: number;
  /** Where the next segment begins; infinite for the one that takes the appends. */
  readonly endOffset: number;
  readonly sizeBytes: number;
  /** At most so many: what its larger index may have. */
  readonly indexBytes: number;
  /** ms; where no batch has one, when it was last written to. */
  readonly largestTimestamp: number;
  /** Of the first batch, ms; -1: none. */
  readonly firstTimestamp: number;
}

interface CompactedLog {
  readonly files: LogFiles;
  readonly segments: SegmentList;
  readonly reader: LogReader;
  readonly syncs: SyncTargets;
  readonly config: () => LogConfig;
}

/**
 * A log as compaction sees it: closed segments to read from end to end, and cleaned ones to put in
 * their place (replacement.ts says how, and why no death harms).
 *
 * Appends, reads and the deletion of old segments go on meanwhile. The log's start and end, its
 * epochs and its producers are not touched. After `close` every call that is under way, or comes,
 * leaves the files alone.
 */
export class LogCompaction {
  readonly #log: CompactedLog;
  #cleanedTo: number | undefined | "unread" = "unread";
  #isClosed = false;
  #isReplacing = false;
  #failure: DiskError | undefined;

  constructor(log: CompactedLog) {
    this.#log = log;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Oldest first. */
  segments(): readonly CompactedSegment[] {
    const { all } = this.#log.segments;
    const config = this.#log.config();
    return all.map((segment, i) => this.#look(segment, all[i + 1]?.baseOffset, config));
  }

  /** Up to where the log was cleaned before; undefined: nobody knows. */
  get cleanedTo(): number | undefined {
    if (this.#cleanedTo === "unread") this.#cleanedTo = readCleanedOffset(this.#log.files);
    return this.#cleanedTo;
  }

  /** The segments below `offset` are clean, and have taken their places. */
  noteCleanedTo(offset: number): void {
    if (this.#isClosed) return;
    writeCleanedOffset(this.#log.files, offset);
    this.#cleanedTo = offset;
  }

  /** The log was cut, and ends there: what comes is not what was cleaned. */
  cut(endOffset: number): void {
    if (!forgetCleanedAbove(endOffset, this.#log.files)) return;
    this.#cleanedTo = undefined;
    this.#log.syncs.directoryChanged();
  }

  /**
   * Whole batches from a position of a segment on: as many as there is room for in `into`, where they
   * are then; a single larger one comes in an ArrayBuffer of its own. Undefined at the segment's end,
   * or when it is gone.
   */
  read(at: {
    readonly baseOffset: number;
    readonly position: number;
    readonly into: Uint8Array<ArrayBuffer>;
  }): Uint8Array<ArrayBuffer> | undefined {
    const { segments } = this.#log;
    const segment = segments.all[segments.indexOf(at.baseOffset)];
    if (this.#isClosed || segment?.baseOffset !== at.baseOffset) return undefined;
    const left = segment.sizeBytes - at.position;
    if (left <= 0) return undefined;
    const bytes = at.into.subarray(0, left);
    segment.read(at.position, bytes);
    const { end, firstBytes, nextOffset } = this.#wholeBatches(bytes, segment.path);
    const isBatch = firstBytes >= this.#log.files.format.BATCH_HEADER_BYTES && firstBytes <= left;
    if (!isBatch) throw damaged(segment.path, at.position);
    this.#assertFollowed(segment, at.position + (end > 0 ? end : firstBytes), nextOffset);
    if (end > 0) return bytes.subarray(0, end);
    const batch = new Uint8Array(firstBytes);
    segment.read(at.position, batch);
    return batch;
  }

  /** Begins a segment that is to take the place of those in the range. Throws a DiskError. */
  begin(range: ReplacedRange): CleanedSegment {
    assert(!this.#isClosed, "a closed log is not compacted");
    return new CleanedSegment(this.#log.files, range, this.#log.config());
  }

  /**
   * Puts the cleaned segment in its place. `gone`: what it was made from is no more (deleted, closed,
   * the topic removed), and it neither. Rejects with a DiskError; a failure that may have left a
   * replacement half done is what every later call rejects with, until the log is opened anew.
   */
  async replace(cleaned: CleanedSegment): Promise<"replaced" | "gone"> {
    assert(!this.#isReplacing, "one replacement at a time");
    if (this.#failure !== undefined) throw this.#failure;
    this.#isReplacing = true;
    try {
      await cleaned.sync();
      cleaned.close();
      await this.#noteGap(cleaned);
      if (this.#placeOf(cleaned.range) === undefined) {
        cleaned.discard();
        return "gone";
      }
      return await this.#swap(cleaned);
    } finally {
      this.#isReplacing = false;
    }
  }

  /** Before the segment counts: no start may find it without knowing of the gap that it ends in. */
  async #noteGap({ nextOffset: from, range }: CleanedSegment): Promise<void> {
    if (from === range.endOffset || this.#placeOf(range) === undefined) return;
    const { files, segments } = this.#log;
    // A death may still leave the old segments, with the gaps that these end in.
    const gaps = readCompactedGaps(files).filter(({ to }) => segments.has(to));
    const gap = { from, to: range.endOffset };
    await writeCompactedGaps(files, [...gaps, gap], () => this.#isClosed);
  }

  async #swap(cleaned: CleanedSegment): Promise<"replaced" | "gone"> {
    const { files } = this.#log;
    const { disk, directory } = files;
    try {
      const swap = cleaned.becomeSwap();
      await disk.syncDirectory(directory);
      const place = this.#placeOf(cleaned.range);
      if (place === undefined) {
        // Deleted meanwhile. A closed log's files are not ours: its next open finishes the rest.
        if (!this.#isClosed) disk.remove(swap);
        cleaned.discard();
        return "gone";
      }
      const segment = new Segment(files, cleaned.range.baseOffset);
      segment.path = swap;
      this.#exchange(place, segment);
      cleaned.placeIndex();
      await disk.syncDirectory(directory);
      const isThere = this.#log.segments.all.includes(segment);
      if (this.#isClosed || !isThere) return "gone";
      segment.close();
      const path = `${directory}/${fileName(segment.baseOffset, "log")}`;
      disk.rename(swap, path);
      segment.path = path;
      await disk.syncDirectory(directory);
      return "replaced";
    } catch (error) {
      if (error instanceof DiskError) this.#failure = error;
      throw error;
    }
  }

  /** The old segments leave the log and the disk; readers find what they want in the new one. */
  #exchange(place: Place, segment: Segment): void {
    const { reader, segments, syncs } = this.#log;
    const old = segments.replace(place.index, place.count, segment);
    reader.forget();
    for (const each of old) {
      syncs.removed(each);
      each.remove();
    }
  }

  /** The segments of the range, if they are still those, all of them, and none of them is active. */
  #placeOf({ baseOffset, endOffset }: ReplacedRange): Place | undefined {
    const { segments } = this.#log;
    const index = segments.indexOf(baseOffset);
    const end = segments.indexOf(endOffset);
    const isWhole =
      segments.all[index]?.baseOffset === baseOffset && segments.all[end]?.baseOffset === endOffset;
    return isWhole && !this.#isClosed ? { index, count: end - index } : undefined;
  }

  #look(segment: Segment, nextBase: number | undefined, config: LogConfig): CompactedSegment {
    const { format } = this.#log.files;
    const { baseOffset } = segment;
    return {
      baseOffset,
      endOffset: nextBase ?? Number.POSITIVE_INFINITY,
      get sizeBytes() {
        return segment.sizeBytes;
      },
      get indexBytes() {
        return Math.ceil(segment.sizeBytes / (config.indexIntervalBytes + 1)) * timeEntryBytes;
      },
      get largestTimestamp() {
        return segment.largestTimestamp(config);
      },
      get firstTimestamp() {
        if (segment.sizeBytes < format.BATCH_HEADER_BYTES) return -1;
        const header = new Uint8Array(format.BATCH_HEADER_BYTES);
        segment.read(0, header);
        return format.readMaxTimestamp(viewOf(header), 0);
      },
    };
  }

  /**
   * Throws a DiskError where what follows at `position` begins before the offset at which the batch
   * before it ends: nobody else would see that an offset is wrong.
   */
  #assertFollowed(segment: Segment, position: number, nextOffset: number): void {
    const { files, segments } = this.#log;
    const { format } = files;
    const following = segments.all[segments.indexOf(segment.baseOffset) + 1];
    let base = following?.baseOffset ?? Number.POSITIVE_INFINITY;
    if (segment.sizeBytes - position >= format.BATCH_HEADER_BYTES) {
      const header = new Uint8Array(format.BATCH_HEADER_BYTES);
      segment.read(position, header);
      base = Math.min(base, format.readBaseOffset(viewOf(header), 0));
    }
    if (base < nextOffset) throw damaged(segment.path, position);
  }

  /** Where the last whole batch in `bytes` ends, and what the first one has. */
  #wholeBatches(
    bytes: Uint8Array,
    path: string,
  ): { readonly end: number; readonly firstBytes: number; readonly nextOffset: number } {
    const { format } = this.#log.files;
    const view = viewOf(bytes);
    let end = 0;
    let firstBytes = 0;
    let nextOffset = 0;
    while (bytes.length - end >= format.BATCH_HEADER_BYTES) {
      const batchBytes = format.readBatchBytes(view, end);
      // No CRC covers an offset. One that is wrong would be written anew, and be right from then on.
      if (format.readBaseOffset(view, end) < nextOffset) throw damaged(path, end);
      if (end === 0) firstBytes = batchBytes;
      const isWhole = batchBytes >= format.BATCH_HEADER_BYTES && end + batchBytes <= bytes.length;
      if (isWhole || end === 0) nextOffset = format.readLastOffset(view, end) + 1;
      if (!isWhole) break;
      end += batchBytes;
    }
    return { end, firstBytes, nextOffset };
  }
}

interface Place {
  readonly index: number;
  readonly count: number;
}
