import { DiskError } from "@millrace/core";
import type {
  ColdPart,
  Epoch,
  FoundRecord,
  LogRead,
  PartitionLog,
  ReadRange,
} from "@millrace/core";
import type { TieredPartition } from "../tier/tiered-partition.ts";
import type { HotRepair, HotRepairs } from "../recovery/hot-repairs.ts";
import { segmentPath } from "./log-opener.ts";

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
  /** It is being fetched from the object store: when `ready` resolves, the same read knows more. */
  | { readonly kind: "pending"; readonly ready: Promise<void> }
  /** The disk, or the object store, did not give the bytes. */
  | { readonly kind: "failed" };

/** The object store did not give what a question needs. */
export class ColdReadError extends Error {
  override readonly name = "ColdReadError";
}

/**
 * What readers see of a partition: the log, up to the high watermark. Under every policy that is
 * the log's end, because what is not as durable as the policy says is not in the log. What of it is
 * not on the disk any more is read from the object store.
 */
export class PartitionReads {
  readonly log: PartitionLog;
  /** What the object store has of it; undefined where there is none. */
  readonly tiered: TieredPartition | undefined;
  /** Under which appends come in this life. */
  readonly leaderEpoch: Epoch;
  readonly #repairs: HotRepairs;

  constructor(
    of: {
      readonly log: PartitionLog;
      readonly tiered: TieredPartition | undefined;
      readonly leaderEpoch: Epoch;
    },
    repairs: HotRepairs,
  ) {
    this.log = of.log;
    this.tiered = of.tiered;
    this.leaderEpoch = of.leaderEpoch;
    this.#repairs = repairs;
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

  /** The first offset that is on the local disk: the log's start, unless older records are tiered. */
  get earliestLocalOffset(): number {
    return this.log.localStartOffset;
  }

  /** The last offset that is in the object store (KIP-1005); -1: nothing is. */
  get latestTieredOffset(): number {
    return (this.tiered?.cold.endOffset ?? 0) - 1;
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
    const upTo = this.isolationEnd(range.isolation);
    try {
      const found = this.#readFrom(range.from, { ...range, upTo });
      if (found.kind !== "ok") return found;
      const { highWatermark, lastStableOffset, logStartOffset } = this;
      const ends = { highWatermark, lastStableOffset, logStartOffset };
      const isMore = found.nextOffset < upTo;
      return { kind: "ok", records: found.records, isMore, ...ends, abortedTransactions: [] };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#repairs.failed(error);
      return { kind: "failed" };
    }
  }

  /**
   * The first readable record with at least this timestamp (ms). Rejects with DiskError, or
   * ColdReadError.
   */
  findByTimestamp(timestamp: number): Promise<FoundRecord | undefined> {
    const { highWatermark: upTo, logStartOffset: startOffset } = this;
    return this.#repairing(async () => {
      const cold = await this.#findCold({ timestamp, startOffset });
      return cold ?? this.log.findByTimestamp({ timestamp, upTo });
    });
  }

  /** The first readable record with the largest timestamp. Rejects as `findByTimestamp`. */
  maxTimestamp(): Promise<FoundRecord | undefined> {
    return this.#repairing(async () => {
      const local = this.log.maxTimestamp(this.highWatermark);
      let timestamp = -1;
      for (const part of this.#onlyCold()) timestamp = Math.max(timestamp, part.maxTimestamp);
      if (timestamp < (local?.timestamp ?? 0)) return local;
      return (await this.#findCold({ timestamp, startOffset: this.logStartOffset })) ?? local;
    });
  }

  /**
   * Gives up what is damaged here, once the object store has shown that it gives it back. Never
   * rejects for what disks and stores do.
   */
  repairHot(damage: DiskError): Promise<HotRepair> {
    const { log, tiered } = this;
    if (tiered === undefined) return Promise.resolve("refused");
    return this.#repairs.giveUp({ log, tiered }, damage);
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

  /** The same for the segment that begins at `baseOffset`, in which somebody else found damage. */
  repairSegment(baseOffset: number, reason: string): Promise<HotRepair> {
    if (this.tiered === undefined) return Promise.resolve("refused");
    const path = segmentPath(this.tiered, baseOffset);
    return this.repairHot(new DiskError("io", { path, applied: "no", cause: new Error(reason) }));
  }

  get #coldEnd(): number {
    return this.tiered?.cold.endOffset ?? 0;
  }

  /** Hot, or cold; a reader comes from one to the other without noticing. */
  #readFrom(from: number, range: Omit<ReadRange, "from">): Served {
    const hot = this.#readHot({ ...range, from });
    if (!(hot instanceof DiskError)) {
      return hot.kind === "notLocal" ? this.#readCold(from, range) : hot;
    }
    if (from >= this.#coldEnd) throw hot;
    const cold = this.#readCold(from, range);
    if (cold.kind === "failed") throw hot;
    // Meanwhile it is read from there: all of it is looked at before the hot copy goes.
    if (cold.kind === "ok") void this.repairHot(hot);
    return cold;
  }

  /** With a check of what the object store could give instead, which Kafka has no use for. */
  #readHot(range: ReadRange): LogRead | DiskError {
    try {
      return this.log.read({ ...range, checkedBelow: this.#coldEnd });
    } catch (error) {
      if (error instanceof DiskError) return error;
      throw error;
    }
  }

  #readCold(from: number, range: Omit<ReadRange, "from">): Served {
    const cold = this.tiered?.reads.read({ ...range, from });
    if (cold?.kind === "past" && cold.nextOffset > from) {
      // Compaction left nothing in between.
      return this.#readFrom(cold.nextOffset, range);
    }
    if (cold === undefined || cold.kind === "past") return { kind: "failed" };
    return cold.kind === "ok" ? { ...cold, firstOffset: from } : cold;
  }

  /** Once more for each damage that can be given up: then what was asked for lies elsewhere. */
  async #repairing<Result>(run: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await run();
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        if ((await this.repairHot(error)) !== "repaired") throw error;
      }
    }
  }

  /** The parts that hold something which is not on the disk. */
  #onlyCold(): readonly ColdPart[] {
    const { localStartOffset } = this.log;
    const parts = this.tiered === undefined ? [] : [...this.tiered.cold.parts()];
    return parts.filter(({ baseOffset }) => baseOffset < localStartOffset);
  }

  async #findCold(query: {
    readonly timestamp: number;
    readonly startOffset: number;
  }): Promise<FoundRecord | undefined> {
    if (this.#onlyCold().every(({ maxTimestamp }) => maxTimestamp < query.timestamp)) return;
    const found = await this.tiered?.reads.findByTimestamp(query);
    if (found === "failed") throw new ColdReadError("the object store did not answer");
    return found;
  }
}

type Served = Extract<LogRead, { kind: "ok" | "outOfRange" }> | Unread;

type Unread =
  | { readonly kind: "pending"; readonly ready: Promise<void> }
  | { readonly kind: "failed" };
