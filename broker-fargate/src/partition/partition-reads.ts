import { DiskError } from "@millrace/core";
import type { Epoch, FoundRecord, PartitionLog } from "@millrace/core";

export type Isolation = "uncommitted" | "committed";

export interface OwnerReadRange {
  readonly from: number;
  readonly maxBytes: number;
  readonly isolation: Isolation;
  readonly atLeastOneBatch: boolean;
}

export type OwnerRead =
  | {
      readonly kind: "ok";
      /** Whole batches; none at the end of what may be read. */
      readonly records: readonly Uint8Array[];
      /** Whether there is more to read behind them. */
      readonly isMore: boolean;
      readonly highWatermark: number;
      readonly lastStableOffset: number;
      readonly logStartOffset: number;
      readonly abortedTransactions: readonly never[];
    }
  | { readonly kind: "outOfRange" }
  /** The disk did not give the bytes. */
  | { readonly kind: "failed" };

/**
 * What readers see of a partition: the log, up to the high watermark. Under every policy that is
 * the log's end, because what is not as durable as the policy says is not in the log.
 */
export class PartitionReads {
  readonly log: PartitionLog;
  /** Under which appends come in this life. */
  readonly leaderEpoch: Epoch;
  readonly #warn: (what: string, cause: unknown) => void;

  constructor(log: PartitionLog, leaderEpoch: Epoch, warn: (what: string, cause: unknown) => void) {
    this.log = log;
    this.leaderEpoch = leaderEpoch;
    this.#warn = warn;
  }

  /** What is durable, by the topic's policy; the end of what may be read. */
  get highWatermark(): number {
    return this.log.endOffset;
  }

  get lastStableOffset(): number {
    return this.log.producers.firstUnstableOffset ?? this.log.endOffset;
  }

  get logStartOffset(): number {
    return this.log.logStartOffset;
  }

  get sizeBytes(): number {
    return this.log.sizeBytes;
  }

  /** Bytes that became readable since the log was opened: it only grows. */
  get appendedBytes(): number {
    return this.log.appendedBytes;
  }

  isolationEnd(isolation: Isolation): number {
    return isolation === "committed" ? this.lastStableOffset : this.highWatermark;
  }

  read(range: OwnerReadRange): OwnerRead {
    const { from, maxBytes, atLeastOneBatch, isolation } = range;
    try {
      const upTo = this.isolationEnd(isolation);
      const found = this.log.read({ from, maxBytes, upTo, atLeastOneBatch });
      if (found.kind === "outOfRange") return { kind: "outOfRange" };
      const { highWatermark, lastStableOffset, logStartOffset } = this;
      const ends = { highWatermark, lastStableOffset, logStartOffset };
      const isMore = found.nextOffset < upTo;
      return { kind: "ok", records: found.records, isMore, ...ends, abortedTransactions: [] };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#warn("a read failed", error);
      return { kind: "failed" };
    }
  }

  /** The first readable record with at least this timestamp (ms). Throws DiskError. */
  findByTimestamp(timestamp: number): FoundRecord | undefined {
    return this.log.findByTimestamp({ timestamp, upTo: this.highWatermark });
  }

  /** The first readable record with the largest timestamp. Throws DiskError. */
  maxTimestamp(): FoundRecord | undefined {
    return this.log.maxTimestamp(this.highWatermark);
  }

  /** Where an epoch ended, for OffsetForLeaderEpoch; -1 and -1 for one that is not known. */
  endOffsetFor(epoch: number): { readonly epoch: number; readonly endOffset: number } {
    return this.log.endOffsetFor(epoch);
  }

  /** The leader epoch of an offset; at the log's end the one under which appends come. */
  epochAt(offset: number): number {
    if (offset >= this.log.endOffset) return this.leaderEpoch;
    let { latestEpoch: epoch } = this.log;
    for (;;) {
      const before = this.log.endOffsetFor(epoch - 1);
      if (before.endOffset <= offset) return epoch;
      epoch = before.epoch;
    }
  }
}
