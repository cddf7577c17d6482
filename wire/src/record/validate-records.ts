import { recordLimits } from "./limits.ts";
import { type RecordFault, RecordReader } from "./record-reader.ts";
import { type OpenFault, type OpenRules, openBatch, timestampOf } from "./records.ts";

/** What the records of a batch are held to, beyond being records at all. */
export interface RecordRules extends OpenRules {
  /** A compacted topic cannot keep a record without a key. */
  readonly requireKeys: boolean;
  /** Milliseconds since 1970, both ends included; undefined: any timestamp will do. */
  readonly timestamps?: { readonly min: number; readonly max: number };
}

/**
 * What is wrong with one record. `offset-delta`: offsets must go up by one from the batch's base.
 * `missing-key`: see `requireKeys`. `timestamp`: outside the given range.
 */
export type RecordErrorReason = RecordFault | "offset-delta" | "missing-key" | "timestamp";

/** One entry of a refused batch's `recordErrors`. */
export interface RecordError {
  /** The record's place in the batch, from 0. */
  readonly index: number;
  readonly reason: RecordErrorReason;
}

export type RecordsCheck =
  | {
      readonly kind: "ok";
      /** Milliseconds since 1970; -1: no record has one. */
      readonly maxTimestamp: number;
      /** Counted from the batch's base offset; the first record that has `maxTimestamp`. */
      readonly maxTimestampOffsetDelta: number;
      /** Bytes of the body after decompression. */
      readonly bodyBytes: number;
    }
  | { readonly kind: "fault"; readonly fault: OpenFault }
  | {
      readonly kind: "invalid";
      /** The first ones in order, at most `recordLimits.recordErrorsMax`; never empty. */
      readonly errors: readonly RecordError[];
    };

/**
 * Checks every record of the batch at `at`, which `validateBatch` has accepted: each has exactly
 * the bytes that its lengths say, offset deltas are consecutive from 0, nothing follows the last
 * one, and the rules hold. A structural fault ends the search, since nothing after it can be read.
 */
export function validateRecords(bytes: Uint8Array, at: number, rules: RecordRules): RecordsCheck {
  const batch = openBatch(bytes, at, rules);
  if (batch.kind === "fault") return batch;
  const reader = new RecordReader(batch.body, batch.recordCount);
  const errors: RecordError[] = [];
  let maxTimestamp = -1;
  let maxTimestampOffsetDelta = 0;
  for (let step = reader.next(); step !== "end"; step = reader.next()) {
    const { index } = reader;
    if (step !== "record") {
      errors.push({ index, reason: step });
      break;
    }
    const timestamp = timestampOf(batch, reader);
    const reason = recordError(reader, timestamp, rules);
    if (reason !== undefined) errors.push({ index, reason });
    if (errors.length === recordLimits.recordErrorsMax) break;
    if (timestamp > maxTimestamp) {
      maxTimestamp = timestamp;
      maxTimestampOffsetDelta = reader.offsetDelta;
    }
  }
  if (errors.length > 0) return { kind: "invalid", errors };
  return { kind: "ok", maxTimestamp, maxTimestampOffsetDelta, bodyBytes: batch.body.length };
}

function recordError(
  reader: RecordReader,
  timestamp: number,
  rules: RecordRules,
): RecordErrorReason | undefined {
  if (reader.offsetDelta !== reader.index) return "offset-delta";
  if (rules.requireKeys && reader.keyBytes < 0) return "missing-key";
  const range = rules.timestamps;
  if (range === undefined || (timestamp >= range.min && timestamp <= range.max)) return undefined;
  return "timestamp";
}
