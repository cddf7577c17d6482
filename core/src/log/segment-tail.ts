import type { BatchSummary } from "./batch-format.ts";
import type { LogConfig } from "./log-config.ts";
import type { IndexPoint } from "./index-entry.ts";
import type { SegmentIndex } from "./segment-index.ts";

/** What a segment amounts to, from its start to its last whole batch. Timestamps in ms; -1: none. */
export interface SegmentTail {
  readonly sizeBytes: number;
  readonly nextOffset: number;
  readonly maxTimestamp: number;
  /** The base offset of the first batch that has it; -1: none. */
  readonly maxTimestampBatchOffset: number;
  /** -1: no batch. */
  readonly lastLeaderEpoch: number;
  /** Where something lies that is not a whole batch; -1: nowhere. */
  readonly damagedAt: number;
}

/** The same, while batches are being counted in. */
export type MutableTail = { -readonly [Name in keyof SegmentTail]: SegmentTail[Name] } & {
  bytesSinceIndexPoint: number;
  /** The last batch that was counted in: where it begins, and the offset that it was to have. */
  lastBatchAt: number;
  lastBatchDue: number;
};

/** What lies before the point's batch. */
export function tailAt(point: IndexPoint | "none", segmentOffset: number): MutableTail {
  const found = point === "none" ? undefined : point;
  return {
    sizeBytes: found?.position ?? 0,
    nextOffset: found?.baseOffset ?? segmentOffset,
    maxTimestamp: found?.maxTimestampBefore ?? -1,
    maxTimestampBatchOffset: found?.maxTimestampBatchOffset ?? -1,
    lastLeaderEpoch: -1,
    damagedAt: -1,
    bytesSinceIndexPoint: 0,
    lastBatchAt: found?.position ?? 0,
    lastBatchDue: found?.baseOffset ?? segmentOffset,
  };
}

/** Counts one more batch at the tail's end, with an index point if one is due. */
export function noteBatch(
  tail: MutableTail,
  batch: BatchSummary,
  index: SegmentIndex,
  config: LogConfig,
): void {
  if (tail.bytesSinceIndexPoint > config.indexIntervalBytes) {
    index.add({
      baseOffset: batch.baseOffset,
      position: tail.sizeBytes,
      maxTimestampBefore: tail.maxTimestamp,
      maxTimestampBatchOffset: tail.maxTimestampBatchOffset,
    });
    tail.bytesSinceIndexPoint = 0;
  }
  // No search by time would find a record in an empty one.
  if (batch.maxTimestamp > tail.maxTimestamp && !batch.isEmpty) {
    tail.maxTimestamp = batch.maxTimestamp;
    tail.maxTimestampBatchOffset = batch.baseOffset;
  }
  tail.lastBatchAt = tail.sizeBytes;
  tail.lastBatchDue = tail.nextOffset;
  tail.sizeBytes += batch.bytes;
  tail.bytesSinceIndexPoint += batch.bytes;
  tail.nextOffset = batch.lastOffset + 1;
  tail.lastLeaderEpoch = batch.leaderEpoch;
}
