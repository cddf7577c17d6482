import { readBatchBytes, readBatchLength } from "./batch.ts";
import { BATCH_HEADER_BYTES, LENGTH_OVERHEAD_BYTES } from "./layout.ts";

/** The batches that lie one after another in a records field or a piece of a segment. */
export interface BatchSplit {
  /** Where each whole batch begins, in bytes from the start of `bytes`. */
  readonly starts: readonly number[];
  /** Where the last whole batch ends. */
  readonly end: number;
  /**
   * What follows `end`. `nothing`; `truncated`: the beginning of a batch, as the tail of a piece
   * that was read by size; `bad-length`: a length field that no batch has.
   */
  readonly rest: "nothing" | "truncated" | "bad-length";
}

/**
 * Finds the batches in `bytes` by their length fields alone. Every position in `starts` has a whole
 * header and as many bytes as its length field claims; nothing else about it has been checked.
 * Never throws.
 */
export function splitBatches(bytes: Uint8Array): BatchSplit {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts: number[] = [];
  let at = 0;
  while (bytes.length - at >= LENGTH_OVERHEAD_BYTES) {
    if (readBatchLength(view, at) < BATCH_HEADER_BYTES - LENGTH_OVERHEAD_BYTES) {
      return { starts, end: at, rest: "bad-length" };
    }
    const next = at + readBatchBytes(view, at);
    if (next > bytes.length) break;
    starts.push(at);
    at = next;
  }
  return { starts, end: at, rest: at === bytes.length ? "nothing" : "truncated" };
}
