import { assert } from "../assert.ts";
import type { BatchSummary } from "./batch-format.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogFiles } from "./log-files.ts";
import { Segment } from "./segment.ts";

/** A log's segments by base offset, oldest first. The last one takes the appends. */
export class SegmentList {
  readonly #files: LogFiles;
  readonly #segments: Segment[];

  constructor(files: LogFiles, baseOffsets: readonly number[]) {
    this.#files = files;
    this.#segments = baseOffsets.map((baseOffset) => new Segment(files, baseOffset));
  }

  get all(): readonly Segment[] {
    return this.#segments;
  }

  get active(): Segment | undefined {
    return this.#segments.at(-1);
  }

  /** The index in `all` of the last segment that begins at or before `offset`; -1: none does. */
  indexOf(offset: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#segments[middle]?.baseOffset ?? offset) <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Whether a segment begins at `offset`. */
  has(offset: number): boolean {
    return this.#segments[this.indexOf(offset)]?.baseOffset === offset;
  }

  /** Bytes of the batches from the one that holds `offset` on. */
  bytesFrom(offset: number, config: LogConfig): number {
    let bytes = 0;
    for (const segment of this.#segments.toReversed()) {
      if (segment.baseOffset <= offset) {
        const position = segment.locate(offset, config);
        return position === undefined ? bytes : bytes + segment.sizeBytes - position;
      }
      bytes += segment.sizeBytes;
    }
    return bytes;
  }

  add(segment: Segment): void {
    assert((this.active?.baseOffset ?? -1) < segment.baseOffset, "segments begin in order");
    this.#segments.push(segment);
  }

  /** Deletes the segments from the one at `index` on, last first; returns their bytes. */
  removeFrom(index: number): number {
    let bytes = 0;
    for (const segment of this.#segments.splice(index).toReversed()) {
      bytes += segment.sizeBytes;
      segment.remove();
    }
    return bytes;
  }

  /** Deletes the segments that another one follows which begins at or before `offset`. */
  removeBefore(offset: number): readonly Segment[] {
    const removed = this.#segments.splice(0, Math.max(0, this.indexOf(offset)));
    for (const segment of removed) segment.remove();
    return removed;
  }

  /** Puts `segment` in the place of the `count` ones from `index` on, which it returns. */
  replace(index: number, count: number, segment: Segment): readonly Segment[] {
    return this.#segments.splice(index, count, segment);
  }

  /** Removes the batches that end at or after `offset`; returns the segment that is then active. */
  truncateTo(
    offset: number,
    config: LogConfig,
  ): { readonly active: Segment; readonly cut: number } {
    const keep = this.indexOf(offset);
    let cut = 0;
    // A segment that begins at `offset` stays, empty: its name keeps the end of the log.
    cut += this.removeFrom(keep + 1);
    let active = this.active;
    if (active === undefined) {
      active = Segment.create(this.#files, offset);
      this.#segments.push(active);
    }
    cut += active.truncateTo(offset, config);
    return { active, cut };
  }

  /** Calls `visit` with each batch that ends at or after `offset`, in order. */
  eachBatch(offset: number, config: LogConfig, visit: (batch: BatchSummary) => void): void {
    for (const segment of this.#segments.slice(Math.max(0, this.indexOf(offset)))) {
      segment.eachBatch(offset, config, visit);
    }
  }
}
