import type { DiskFile } from "../ports/disk.ts";
import { batchCrcHolds } from "./batch-crc.ts";
import type { BatchScanner } from "./batch-scanner.ts";
import type { LogFiles } from "./log-files.ts";
import type { LogOptions } from "./log-options.ts";
import type { SegmentTail } from "./segment-tail.ts";

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
  /**
   * What lies below is in the object store as well. Damage there cuts nothing off: the segment goes
   * on with the batch that begins here, wherever in the file that is.
   */
  readonly coveredTo: number;
  /** Of the log: what lies below is not needed, and nothing else has it. */
  readonly startOffset: number;
  /** Asked before bytes are cut that lie below. */
  readonly isCovered?: LogOptions["isCovered"] | undefined;
}

export interface FoundRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly leaderEpoch: number;
}

export interface TimestampQuery {
  /** ms. */
  readonly timestamp: number;
  readonly startOffset: number;
}

/** Whether a recovery may take the scanner's batch for the one after `tail`. */
export function isSoundBatch(
  files: LogFiles,
  { file, scanner }: { readonly file: DiskFile; readonly scanner: BatchScanner },
  tail: SegmentTail,
  rules: SegmentRecovery,
): boolean {
  const leaderEpoch = files.format.readPartitionLeaderEpoch(scanner.view, scanner.at);
  if (leaderEpoch < tail.lastLeaderEpoch || leaderEpoch > rules.leaderEpochMax) return false;
  // Compaction leaves gaps between offsets, but only in what was synced long before.
  if (scanner.lastOffset < rules.from) return scanner.baseOffset >= tail.nextOffset;
  if (rules.beyond === "cut" || scanner.baseOffset < tail.nextOffset) return false;
  if (scanner.baseOffset > tail.nextOffset && scanner.baseOffset > rules.from) return false;
  return batchCrcHolds(files, file, scanner);
}

/** Whether what lies behind `tail` may go: nothing, or what the object store gives back as well. */
export function mayCut(tail: SegmentTail, fileBytes: number, rules: SegmentRecovery): boolean {
  const { coveredTo, isCovered, startOffset } = rules;
  const from = Math.max(tail.nextOffset, startOffset);
  if (tail.sizeBytes >= fileBytes || from >= coveredTo) return true;
  return isCovered?.({ from, damagedFrom: from, to: coveredTo }) ?? true;
}

/** The batch's first record that the query wants. */
export function findInBatch(
  { findTimestamp, format }: LogFiles,
  scanner: BatchScanner,
  query: TimestampQuery,
  readBatch: () => Uint8Array,
): FoundRecord | undefined {
  const { at, baseOffset, view } = scanner;
  const timestamp = format.readMaxTimestamp(view, at);
  if (timestamp < query.timestamp || scanner.lastOffset < query.startOffset) return undefined;
  const leaderEpoch = format.readPartitionLeaderEpoch(view, at);
  const record = findTimestamp(readBatch(), query);
  // Of a batch that cannot be opened its header is all that is known.
  if (record === "unreadable") {
    return { offset: Math.max(baseOffset, query.startOffset), timestamp, leaderEpoch };
  }
  return record === undefined ? undefined : { ...record, leaderEpoch };
}
