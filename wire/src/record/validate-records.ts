import { NO_TIMESTAMP } from "./layout.ts";
import { recordLimits } from "./limits.ts";
import { type RecordFault, RecordReader } from "./record-reader.ts";
import { RecordWalk } from "./record-walk.ts";
import { type OpenBatch, type OpenFault, type OpenRules, openBatch } from "./records.ts";

/** What the records of a batch are held to, beyond being records at all. */
export interface RecordChecks {
  /** A compacted topic cannot keep a record without a key. */
  readonly requireKeys: boolean;
  /** Milliseconds since 1970, both ends included; undefined: any timestamp will do. */
  readonly timestamps?: { readonly min: number; readonly max: number };
}

export interface RecordRules extends OpenRules, RecordChecks {}

/**
 * Which rule one record breaks. `missing-key`: see `requireKeys`. `timestamp`: outside the given
 * range, or past 2^53. A record without a timestamp (-1) is inside every range.
 */
export type RecordErrorReason = "missing-key" | "timestamp";

/** One entry of a refused batch's `recordErrors`. */
export interface RecordError {
  /** The record's place in the batch, from 0. */
  readonly index: number;
  readonly reason: RecordErrorReason;
}

/**
 * Why the bytes of a batch's body are not its records. `offset-delta`: offsets must go up by one
 * from the batch's base. `ambiguous-number`: some clients could read it, others not.
 */
export type UnsoundReason =
  | Exclude<RecordFault, "timestamp-range">
  | "offset-delta"
  | "ambiguous-number";

export type RecordsCheck =
  | {
      readonly kind: "ok";
      /** Milliseconds since 1970; -1: no record has one. */
      readonly maxTimestamp: number;
    }
  | { readonly kind: "fault"; readonly fault: OpenFault }
  | {
      readonly kind: "unsound";
      /** The record at fault, from 0; -1: none of those that the header counts. */
      readonly index: number;
      readonly reason: UnsoundReason;
    }
  | {
      /** They are records, and some break a rule. */
      readonly kind: "invalid";
      /** The first ones in order, at most `recordLimits.recordErrorsMax`; never empty. */
      readonly errors: readonly RecordError[];
    };

/**
 * Checks every record of the batch at `at`, which `validateBatch` has accepted: each has exactly
 * the bytes that its lengths say, offset deltas are consecutive from 0, nothing follows the last
 * one, and the rules hold. A batch whose bytes are not records is `unsound`, whatever rules its
 * readable records break: what can't be read to its end can't be told about.
 *
 * The timestamps are the records' own, also where the batch claims to have that of an append.
 */
export function validateRecords(bytes: Uint8Array, at: number, rules: RecordRules): RecordsCheck {
  const batch = openBatch(bytes, at, rules);
  return batch.kind === "fault" ? batch : validateOpened(batch, rules);
}

/** The same for a batch that is open already. */
export function validateOpened(batch: OpenBatch, rules: RecordChecks): RecordsCheck {
  const walk = new RecordWalk();
  const isSound = walk.isSound(batch.body, batch.recordCount, batch.baseTimestamp);
  if (isSound && keepsRules(walk, rules)) return { kind: "ok", maxTimestamp: walk.maxTimestamp };
  return refusal(batch, rules);
}

function keepsRules(walk: RecordWalk, { requireKeys, timestamps }: RecordChecks): boolean {
  if (requireKeys && walk.keylessCount > 0) return false;
  if (timestamps === undefined || walk.minTimestamp === Number.POSITIVE_INFINITY) return true;
  return walk.minTimestamp >= timestamps.min && walk.maxTimestamp <= timestamps.max;
}

/** Looks again, slowly, for what is wrong with a batch that is refused. */
function refusal(batch: OpenBatch, rules: RecordChecks): RecordsCheck {
  const reader = new RecordReader(batch.body, batch.recordCount);
  const errors: RecordError[] = [];
  for (let step = reader.next(); step !== "end"; step = reader.next()) {
    const { index } = reader;
    if (step === "timestamp-range") {
      errors.push({ index, reason: "timestamp" });
      break;
    }
    if (step !== "record") return { kind: "unsound", index, reason: step };
    if (reader.offsetDelta !== index) return { kind: "unsound", index, reason: "offset-delta" };
    const reason = recordError(reader, batch.baseTimestamp, rules);
    if (reason === undefined || errors.length === recordLimits.recordErrorsMax) continue;
    errors.push({ index, reason });
  }
  if (errors.length > 0) return { kind: "invalid", errors };
  return { kind: "unsound", index: -1, reason: "ambiguous-number" };
}

function recordError(
  reader: RecordReader,
  baseTimestamp: number,
  rules: RecordChecks,
): RecordErrorReason | undefined {
  if (rules.requireKeys && reader.keyBytes < 0) return "missing-key";
  const timestamp = baseTimestamp + reader.timestampDelta;
  if (!Number.isSafeInteger(timestamp)) return "timestamp";
  const range = rules.timestamps;
  if (range === undefined || timestamp === NO_TIMESTAMP) return undefined;
  return timestamp >= range.min && timestamp <= range.max ? undefined : "timestamp";
}
