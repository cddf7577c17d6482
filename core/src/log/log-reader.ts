import type { DiskFile } from "../ports/disk.ts";
import { viewOf } from "./batch-format.ts";
import { readCursorsMax } from "./limits.ts";
import type { LogConfig } from "./log-config.ts";
import { damaged, type LogFiles } from "./log-files.ts";
import type { Segment } from "./segment.ts";
import type { SegmentList } from "./segment-list.ts";
import { isSound } from "./sound-batches.ts";

export interface ReadRange {
  /** The batch that holds it comes first, whole. */
  readonly from: number;
  /** The most bytes of all batches. */
  readonly maxBytes: number;
  /** Exclusive: no batch that ends at or after it is read. */
  readonly upTo: number;
  /** Whether a first batch larger than `maxBytes` is read nevertheless. */
  readonly atLeastOneBatch: boolean;
  /**
   * Batches that end below it are checked, at the cost of that: their CRC, and that what follows in
   * the segment does so in its offsets, too, which no CRC covers. None by default.
   */
  readonly checkedBelow?: number;
  /** Used if it is still what lies there. */
  readonly ahead?: ReadAhead;
}

/** Where a read would read, for who reads that beside the event loop before it. */
export interface ReadPlace {
  readonly file: DiskFile;
  readonly position: number;
  readonly bytes: number;
  /** Of the reader: positions are what they were as long as this is. */
  readonly generation: number;
}

/** What was read at a place, for a read of the same range. */
export interface ReadAhead {
  readonly place: ReadPlace;
  /** As many as the place has. Where no records came of them, they are still whose who read them. */
  readonly bytes: Uint8Array;
  /** The first of them, so many, are whole batches whose CRC holds. */
  readonly soundBytes: number;
}

export type LogRead =
  | {
      readonly kind: "ok";
      /** Whole batches, each run in a buffer of its own; none at the end of what may be read. */
      readonly records: readonly Uint8Array[];
      /** Of the first batch (maybe below `from`); `from` when there is none. */
      readonly firstOffset: number;
      /** Where the next read goes on. */
      readonly nextOffset: number;
      /** What was read ahead, where the records are its first bytes. */
      readonly ahead?: ReadAhead;
    }
  | { readonly kind: "outOfRange" }
  /** Of the log, and not on this disk. */
  | { readonly kind: "notLocal" };

interface Place {
  readonly segment: Segment;
  readonly position: number;
}

interface PlaceToEnd extends Place {
  /** All batches of the segment end before it. */
  readonly endOffset: number;
}

/** Where the bytes that are read get their memory. */
export interface ReadBuffers {
  /** A view of exactly `bytes`, with any content. */
  take(bytes: number): Uint8Array;
  /** The same, in memory that other threads see, too: it is neither moved nor copied to get there. */
  takeShared(bytes: number): Uint8Array;
  /** The reader, or whoever got the records, needs what it took no more. */
  giveBack(view: Uint8Array): void;
}

/** Leaves everything to the garbage collector. */
const freshBuffers: ReadBuffers = {
  take: (bytes) => new Uint8Array(bytes),
  takeShared: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
  giveBack: () => undefined,
};

/**
 * Reads of whole batches, each from one segment into one buffer with one read of the disk. Who
 * knows that the records are needed no more gives them back to the buffers.
 *
 * Where each of the recent reads ended is remembered, so that a consumer that goes on from there is
 * not looked up in an index, and no header is read twice.
 */
export class LogReader {
  readonly #segments: SegmentList;
  readonly #files: Pick<LogFiles, "format" | "crc32c">;
  readonly #buffers: ReadBuffers;
  /** By offset, the least recently used first. */
  readonly #cursors = new Map<number, Place>();
  #generation = 0;

  constructor(
    segments: SegmentList,
    files: Pick<LogFiles, "format" | "crc32c">,
    buffers: ReadBuffers = freshBuffers,
  ) {
    this.#segments = segments;
    this.#files = files;
    this.#buffers = buffers;
  }

  /** Where `read` would begin; undefined: there is nothing to read. */
  placeOf(range: ReadRange, config: LogConfig): ReadPlace | undefined {
    const found = range.from < range.upTo ? this.#find(range.from, config) : undefined;
    if (found === undefined) return undefined;
    const { position, segment } = found;
    const generation = this.#generation;
    this.#remember(range.from, found);
    return { file: segment.file(), position, bytes: this.#wantedAt(found, range), generation };
  }

  /** `upTo` is at most the log's end, which is `endOffset`; `from` at least its start. */
  read(range: ReadRange, endOffset: number, config: LogConfig): LogRead {
    if (range.from >= range.upTo) return nothing(range.from);
    const found = this.#find(range.from, config);
    if (found === undefined) return nothing(range.from);
    const { segment, position } = found;
    const { all } = this.#segments;
    const following = all[this.#segments.indexOf(segment.baseOffset) + 1];
    const place = { segment, position, endOffset: following?.baseOffset ?? endOffset };
    const ahead = this.#stillThere(found, range);
    let bytes = ahead?.bytes ?? this.#readAt(found, this.#wantedAt(found, range));
    let run = this.#wholeBatches(bytes, place, range, ahead?.soundBytes);
    if (run.bytes === 0 && run.firstBytes > 0 && range.atLeastOneBatch) {
      if (ahead === undefined) this.#buffers.giveBack(bytes);
      bytes = this.#readAt(found, run.firstBytes);
      run = this.#wholeBatches(bytes, place, { ...range, maxBytes: run.firstBytes });
    }
    if (run.bytes === 0) {
      if (bytes !== ahead?.bytes) this.#buffers.giveBack(bytes);
      return nothing(range.from);
    }
    if (run.nextOffset <= (range.checkedBelow ?? 0)) run = this.#beforeGap(run, place);
    this.#remember(run.nextOffset, { segment, position: position + run.bytes });
    const { firstOffset, nextOffset } = run;
    const read = { kind: "ok", firstOffset, nextOffset } as const;
    const records = [bytes.subarray(0, run.bytes)];
    return bytes === ahead?.bytes ? { ...read, records, ahead } : { ...read, records };
  }

  /** Positions may have changed. */
  forget(): void {
    this.#cursors.clear();
    this.#generation += 1;
  }

  #wantedAt({ position, segment }: Place, { maxBytes }: ReadRange): number {
    const available = segment.sizeBytes - position;
    const header = this.#files.format.BATCH_HEADER_BYTES;
    if (available < header) throw damaged(segment.path, position);
    return Math.min(available, Math.max(maxBytes, header));
  }

  #readAt({ position, segment }: Place, length: number): Uint8Array {
    const bytes = this.#buffers.take(length);
    segment.read(position, bytes);
    return bytes;
  }

  #stillThere({ position, segment }: Place, { ahead }: ReadRange): ReadAhead | undefined {
    if (ahead === undefined) return undefined;
    const { file, generation, position: was } = ahead.place;
    const isSame = generation === this.#generation && was === position && file === segment.file();
    return isSame ? ahead : undefined;
  }

  #find(from: number, config: LogConfig): Place | undefined {
    const cursor = this.#cursors.get(from);
    if (cursor !== undefined && cursor.position < cursor.segment.sizeBytes) return cursor;
    const { all } = this.#segments;
    for (let i = Math.max(0, this.#segments.indexOf(from)); i < all.length; i++) {
      const segment = all[i];
      const position = segment?.locate(from, config);
      if (segment !== undefined && position !== undefined) return { segment, position };
    }
    return undefined;
  }

  /**
   * The first batches in `bytes` that are whole, within the bytes asked for, and below `upTo`. Of the
   * first `soundBytes` it is known that their CRCs hold.
   */
  #wholeBatches(
    bytes: Uint8Array,
    place: PlaceToEnd,
    range: ReadRange,
    soundBytes: number = 0,
  ): BatchRun {
    const { format } = this.#files;
    const view = viewOf(bytes);
    const end = Math.min(bytes.length, range.maxBytes);
    const lastStart = bytes.length - format.BATCH_HEADER_BYTES;
    const available = place.segment.sizeBytes - place.position;
    const { from } = range;
    const run = { ...{ bytes: 0, firstBytes: 0, lastBytes: 0 }, ...startingAt(from) };
    for (let at = 0; at <= lastStart; at = run.bytes) {
      const batchBytes = format.readBatchBytes(view, at);
      const lastOffset = format.readLastOffset(view, at);
      const isWhole = batchBytes >= format.BATCH_HEADER_BYTES && batchBytes <= available - at;
      // One that ends before what came before it would lead a reader back; one that ends after what
      // follows its segment would lead it past records, or to wait for ever.
      const isInPlace = lastOffset >= run.nextOffset && lastOffset < place.endOffset;
      if (!isWhole || !isInPlace) {
        // What lies before it is whole, and is given first.
        if (at > 0) break;
        throw damaged(place.segment.path, place.position);
      }
      if (lastOffset >= range.upTo) break;
      if (at === 0) run.firstBytes = batchBytes;
      if (at + batchBytes > end) break;
      const isKnown = at + batchBytes <= soundBytes || lastOffset >= (range.checkedBelow ?? 0);
      if (!isKnown && !isSound(this.#files, { bytes, view }, at, at + batchBytes)) {
        if (at > 0) break;
        throw damaged(place.segment.path, place.position);
      }
      if (at === 0) run.firstOffset = format.readBaseOffset(view, 0);
      run.lastStart = run.nextOffset;
      run.lastBytes = batchBytes;
      run.nextOffset = lastOffset + 1;
      run.bytes = at + batchBytes;
    }
    return run;
  }

  /**
   * The run without its last batch where what follows that one says that it begins before its end:
   * one of the two has a wrong offset. Throws where there is no other batch.
   */
  #beforeGap(run: BatchRun, { position, segment }: PlaceToEnd): BatchRun {
    const { format } = this.#files;
    const end = position + run.bytes;
    if (segment.sizeBytes - end < format.BATCH_HEADER_BYTES) return run;
    const header = new Uint8Array(format.BATCH_HEADER_BYTES);
    segment.read(end, header);
    if (format.readBaseOffset(viewOf(header), 0) >= run.nextOffset) return run;
    if (run.bytes === run.lastBytes) throw damaged(segment.path, position);
    return { ...run, bytes: run.bytes - run.lastBytes, nextOffset: run.lastStart };
  }

  #remember(offset: number, place: Place): void {
    this.#cursors.delete(offset);
    this.#cursors.set(offset, place);
    if (this.#cursors.size <= readCursorsMax) return;
    for (const oldest of this.#cursors.keys()) {
      this.#cursors.delete(oldest);
      return;
    }
  }
}

interface BatchRun {
  readonly bytes: number;
  /** Of the first batch, if it may be read at all; 0 if not. */
  readonly firstBytes: number;
  /** Of the last batch, and the offset at which it was to begin. */
  readonly lastBytes: number;
  readonly lastStart: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
}

function startingAt(offset: number): Record<"firstOffset" | "lastStart" | "nextOffset", number> {
  return { firstOffset: offset, lastStart: offset, nextOffset: offset };
}

function nothing(from: number): LogRead {
  return { kind: "ok", records: [], firstOffset: from, nextOffset: from };
}
