import type { BatchFormat } from "../log/batch-format.ts";
import type { RecordKeys } from "./key-map.ts";

/**
 * What compaction needs of the record format beyond `BatchFormat`: functions over bytes, handed in.
 * `bytes` and `at` are where a batch begins that `validateBatch` has accepted.
 */
export interface CompactionFormat extends BatchFormat {
  /** ms; where the batch has a delete horizon, that is it (KIP-534). */
  readBaseTimestamp(view: DataView, at: number): number;
  hasDeleteHorizon(view: DataView, at: number): boolean;
  /** Decompresses the batch; undefined where its body is not what its codec writes. */
  openRecords(bytes: Uint8Array, at: number): OpenRecords | undefined;
  /** The opened batch with some of its records only, in a buffer of its own. */
  retainRecords(
    bytes: Uint8Array,
    at: number,
    retained: {
      readonly records: OpenRecords;
      /** By the record's place in the batch: 1 where it stays. One at least does. */
      readonly kept: Uint8Array;
      /** ms; undefined: the batch keeps what it has. */
      readonly deleteHorizonMs: number | undefined;
    },
  ): Uint8Array;
  /** The batch without records. */
  emptyBatch(bytes: Uint8Array, at: number): Uint8Array;
  /** How the transaction ended that the control batch is about; `none`: it is about none. */
  readMarker(bytes: Uint8Array, at: number): "commit" | "abort" | "none";
}

/**
 * A batch's records, some at a time, as columns. What they tell stands until the next call of
 * `next`, of these or of any other records that the format opens.
 */
export interface OpenRecords extends RecordKeys {
  next(): "records" | "end" | "damaged";
  /** The place in the batch of the first of those at hand, from 0. */
  readonly first: number;
  /** 1: the record has a value. */
  readonly hasValue: Uint8Array;
}
