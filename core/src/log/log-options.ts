import type { BatchFormat, Checksum, TimestampSearch } from "./batch-format.ts";
import type { Disk } from "../ports/disk.ts";
import type { LogConfig } from "./log-config.ts";
import type { ReadBuffers } from "./log-reader.ts";

/** What the files are trusted for when a log is opened. Offsets are the log's. */
export type LogRecovery =
  /** All of it: nothing was written since the last sync. */
  | { readonly kind: "clean" }
  /**
   * What lies below `offset`, which is a recovery point. The rest is read and checked by length,
   * CRC and order, and cut at the first batch that fails.
   */
  | {
      readonly kind: "verifyFrom";
      readonly offset: number;
      /** No batch has a higher leader epoch; the CRC does not cover the field. */
      readonly leaderEpochMax?: number;
    }
  /** What lies below `offset`; the rest is cut unread. */
  | { readonly kind: "truncateTo"; readonly offset: number };

export interface LogOptions {
  readonly disk: Disk;
  /** The partition's folder, relative to the disk's root. */
  readonly directory: string;
  readonly config: LogConfig;
  readonly format: BatchFormat;
  readonly crc32c: Checksum;
  readonly findTimestamp: TimestampSearch;
  readonly recovery: LogRecovery;
  /** As the owner has stored it, before anything was deleted. Also the end of a log without files. */
  readonly startOffset: number;
  /**
   * What lies between the start and here is in the object store as well, and may be missing here:
   * the log may begin anywhere up to it, and end before it (see `restartAt`). Damage below it cuts
   * off nothing that lies above.
   */
  readonly coldEndOffset?: number;
  /**
   * Asked before hot copies below it are given up: whether the object store has shown that it gives
   * back what they hold. It may throw, and nothing was given up then. Without it, it has.
   */
  readonly isCovered?: (given: GivenUp) => boolean;
  /** Where reads put what they return; fresh memory by default. */
  readonly buffers?: ReadBuffers;
}

/** Hot copies that a log would be opened without; offsets, the ends exclusive. */
export interface GivenUp {
  readonly from: number;
  /** From here on they are not whole; below they are. */
  readonly damagedFrom: number;
  readonly to: number;
}

/** What opening had to do. */
export interface RecoveryReport {
  /** Log bytes that were cut from segments, deleted segments included. */
  readonly cutBytes: number;
  /** Set when the log ends below what was to be trusted: synced data is gone. */
  readonly lostBelow: number | undefined;
  /** Files with damage, or missing, of which the object store has all that is damaged. */
  readonly coveredDamages: number;
}
