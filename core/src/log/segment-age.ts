import type { BatchSummary } from "./batch-format.ts";

/**
 * How old a segment is, ms. As Kafka has it, time is that of the records: the largest timestamp of
 * the batch that comes against that of the segment's first batch; where that has none, the time
 * since the segment was first asked.
 */
export class SegmentAge {
  #firstTimestamp: number | undefined;
  #seenMs: number | undefined;

  /** `first`: the first batch's largest timestamp, read if need be; -1: it has none. */
  ageMs(batch: BatchSummary, nowMs: number, first: () => number | "empty"): number {
    this.#seenMs ??= nowMs;
    if (this.#firstTimestamp === undefined) {
      const found = first();
      // The waiting batches are the first: they are as old as this one.
      if (found === "empty") return 0;
      this.#firstTimestamp = found;
    }
    if (this.#firstTimestamp < 0) return nowMs - this.#seenMs;
    return batch.maxTimestamp - this.#firstTimestamp;
  }

  /** The first batch was cut. */
  forgetFirst(): void {
    this.#firstTimestamp = undefined;
  }
}
