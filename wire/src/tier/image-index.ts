import { readInt64, writeInt64 } from "../record/int64.ts";
import {
  IMAGE_BATCHES_BYTES_MAX,
  IMAGE_OFFSET_SPAN_MAX,
  INDEX_ENTRY_BYTES,
  INDEX_INTERVAL_BYTES,
  INDEX_MAX_TIMESTAMP_BEFORE_AT,
  INDEX_POSITION_AT,
  INDEX_RELATIVE_OFFSET_AT,
} from "./layout.ts";

/** A batch of an image, or where one begins. */
export interface ImageIndexEntry {
  /** Of the batch, absolute. */
  readonly baseOffset: number;
  /** Of the batch, in bytes from the image's start. */
  readonly position: number;
  /** Of all batches before it in the image; -1: none has one. */
  readonly maxTimestampBefore: number;
}

/** What an index needs to know of a batch; a batch's header has it all. */
export interface ImageBatch {
  readonly bytes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly maxTimestamp: number;
  readonly recordCount: number;
}

/**
 * Takes an image's batches in their order and picks those that get an index entry: the first, and
 * every one that would end more than 32 KiB after the last entry's position. So between two entries
 * lie at most 32 KiB, or one batch. Sums up, too, what the footer says of the batches.
 */
export class ImageIndexBuilder {
  readonly #baseOffset: number;
  readonly #entries: ImageIndexEntry[] = [];
  #batchesBytes = 0;
  #nextOffset: number;
  #maxTimestamp = -1;
  #maxTimestampOffset = -1;
  #recordCount = 0;

  /** `baseOffset`: the image's, at or below the first batch's. */
  constructor(baseOffset: number) {
    this.#baseOffset = baseOffset;
    this.#nextOffset = baseOffset;
  }

  /** Whether an image can hold this batch too; if not, it ends before it. */
  hasRoomFor({ bytes, lastOffset }: Pick<ImageBatch, "bytes" | "lastOffset">): boolean {
    const fits = this.#batchesBytes + bytes <= IMAGE_BATCHES_BYTES_MAX;
    return fits && lastOffset - this.#baseOffset <= IMAGE_OFFSET_SPAN_MAX;
  }

  /** Throws RangeError for a batch that does not follow the one before, or has no room. */
  add(batch: ImageBatch): void {
    const { bytes, baseOffset, lastOffset, maxTimestamp, recordCount } = batch;
    if (baseOffset < this.#nextOffset || lastOffset < baseOffset || bytes <= 0) {
      throw new RangeError(`a batch at ${baseOffset} does not follow ${this.#nextOffset}`);
    }
    if (!this.hasRoomFor(batch)) throw new RangeError("the image can't hold another batch");
    const position = this.#batchesBytes;
    const last = this.#entries.at(-1);
    if (last === undefined || position + bytes - last.position > INDEX_INTERVAL_BYTES) {
      this.#entries.push({ baseOffset, position, maxTimestampBefore: this.#maxTimestamp });
    }
    // No search by time would find a record in one that compaction emptied.
    if (maxTimestamp > this.#maxTimestamp && recordCount > 0) {
      this.#maxTimestamp = maxTimestamp;
      this.#maxTimestampOffset = baseOffset;
    }
    this.#batchesBytes += bytes;
    this.#nextOffset = lastOffset + 1;
    this.#recordCount += recordCount;
  }

  get entries(): readonly ImageIndexEntry[] {
    return this.#entries;
  }

  get batchesBytes(): number {
    return this.#batchesBytes;
  }

  /** After the last batch. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** -1: no batch has one. */
  get maxTimestamp(): number {
    return this.#maxTimestamp;
  }

  /** The base offset of the first batch that has the largest timestamp; -1: none. */
  get maxTimestampOffset(): number {
    return this.#maxTimestampOffset;
  }

  get recordCount(): number {
    return this.#recordCount;
  }
}

/** Lays out an image's index; the entries are a builder's. */
export function writeImageIndex(
  view: DataView,
  at: number,
  index: { readonly baseOffset: number; readonly entries: readonly ImageIndexEntry[] },
): void {
  index.entries.forEach(({ baseOffset, position, maxTimestampBefore }, i) => {
    const entryAt = at + i * INDEX_ENTRY_BYTES;
    view.setUint32(entryAt + INDEX_RELATIVE_OFFSET_AT, baseOffset - index.baseOffset);
    view.setUint32(entryAt + INDEX_POSITION_AT, position);
    writeInt64(view, entryAt + INDEX_MAX_TIMESTAMP_BEFORE_AT, maxTimestampBefore);
  });
}

/**
 * The index of one image, searched where it lies: 16 bytes an entry. Says where in the image a
 * reader begins to look, batch by batch; the batch that it wants begins before the next entry.
 */
export class ImageIndex {
  readonly #view: DataView;
  readonly #baseOffset: number;
  readonly #batchesBytes: number;

  private constructor(
    bytes: Uint8Array,
    image: { readonly baseOffset: number; readonly batchesBytes: number },
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#baseOffset = image.baseOffset;
    this.#batchesBytes = image.batchesBytes;
  }

  /**
   * Reads an index whose CRC holds and keeps `bytes`. Undefined for what no writer writes: entries
   * that do not ascend, or lie outside the batches; a first one that is not at position 0.
   */
  static of(
    bytes: Uint8Array,
    image: { readonly baseOffset: number; readonly batchesBytes: number },
  ): ImageIndex | undefined {
    const index = new ImageIndex(bytes, image);
    if (bytes.length % INDEX_ENTRY_BYTES !== 0) return undefined;
    if (index.length === 0) return image.batchesBytes === 0 ? index : undefined;
    if (index.#positionAt(0) !== 0) return undefined;
    for (let i = 1; i < index.length; i++) {
      if (index.#positionAt(i) <= index.#positionAt(i - 1)) return undefined;
      if (index.#relativeOffsetAt(i) <= index.#relativeOffsetAt(i - 1)) return undefined;
      if (index.#maxTimestampBeforeAt(i) < index.#maxTimestampBeforeAt(i - 1)) return undefined;
    }
    return index.#positionAt(index.length - 1) < image.batchesBytes ? index : undefined;
  }

  get length(): number {
    return this.#view.byteLength / INDEX_ENTRY_BYTES;
  }

  /** What the index keeps in memory. */
  get sizeBytes(): number {
    return this.#view.byteLength;
  }

  entryAt(i: number): ImageIndexEntry | undefined {
    if (i < 0 || i >= this.length) return undefined;
    return {
      baseOffset: this.#baseOffset + this.#relativeOffsetAt(i),
      position: this.#positionAt(i),
      maxTimestampBefore: this.#maxTimestampBeforeAt(i),
    };
  }

  /**
   * The position of the last entry whose batch begins at or before `offset`; 0 where there is none.
   * The first batch that ends at or after `offset` begins there, or later.
   */
  floorByOffset(offset: number): number {
    const relative = offset - this.#baseOffset;
    return this.#floor((i) => this.#relativeOffsetAt(i) <= relative);
  }

  /**
   * The position of the last entry before whose batch every timestamp is below `timestamp`; 0 where
   * there is none. The first batch whose largest timestamp is at least `timestamp` begins there, or
   * later, if the image has one.
   */
  floorByTimestamp(timestamp: number): number {
    return this.#floor((i) => this.#maxTimestampBeforeAt(i) < timestamp);
  }

  /** The first entry's position after `position`; the end of the batches after the last. */
  nextAfter(position: number): number {
    const found = this.#lastWhere((i) => this.#positionAt(i) <= position) + 1;
    return found < this.length ? this.#positionAt(found) : this.#batchesBytes;
  }

  #floor(test: (i: number) => boolean): number {
    const found = this.#lastWhere(test);
    return found < 0 ? 0 : this.#positionAt(found);
  }

  /** The last i that passes `test`, which holds for a first part of the entries only; -1: none. */
  #lastWhere(test: (i: number) => boolean): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (test(middle)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #relativeOffsetAt(i: number): number {
    return this.#view.getUint32(i * INDEX_ENTRY_BYTES + INDEX_RELATIVE_OFFSET_AT);
  }

  #positionAt(i: number): number {
    return this.#view.getUint32(i * INDEX_ENTRY_BYTES + INDEX_POSITION_AT);
  }

  #maxTimestampBeforeAt(i: number): number {
    return readInt64(this.#view, i * INDEX_ENTRY_BYTES + INDEX_MAX_TIMESTAMP_BEFORE_AT);
  }
}
