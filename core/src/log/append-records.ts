import { refuse } from "./append-refusal.ts";
import type { RecordFaultAt, Refused } from "./append-refusal.ts";
import type { BatchFault, BatchFormat } from "./batch-format.ts";
import {
  decompressedBytesCeiling,
  decompressedBytesFloor,
  recordErrorsMax,
  recordExpansionMax,
} from "./limits.ts";

/** What the records of a batch are held to, and what they are opened for. */
export interface RecordRules {
  readonly purpose: "check" | "reencode";
  readonly requireKeys: boolean;
  /** ms, both ends included; records without a timestamp are inside. */
  readonly timestamps?: { readonly min: number; readonly max: number };
  /** The most bytes that a compressed body may have once it is open. */
  readonly decompressedBytesMax: number;
}

/** Opens the records of a batch that `validateBatch` accepted, and checks each of them. */
export type RecordsValidator = (
  bytes: Uint8Array,
  at: number,
  rules: RecordRules,
) => RecordsFound | /** It takes longer than a turn of the event loop may. */ "later";

export type RecordsFound =
  /** The largest of the records' own timestamps (ms); -1: none has one. */
  | { readonly kind: "ok"; readonly maxTimestamp: number }
  /** The body can't be opened. */
  | { readonly kind: "fault"; readonly fault: string }
  /** The body is not the records that the header counts; -1: no single one of them. */
  | { readonly kind: "unsound"; readonly index: number; readonly reason: string }
  /** Records break a rule: `timestamp` or `missing-key`. */
  | { readonly kind: "invalid"; readonly errors: readonly RecordFaultAt[] };

/** Of the topic's settings what records are held to; the names are those of TopicSettings. */
export interface RecordSettings {
  readonly maxMessageBytes: number;
  /** `structure`: compressed records are opened only where another setting asks for it. */
  readonly recordValidation: "structure" | "full";
  readonly messageTimestampType: "CreateTime" | "LogAppendTime";
  /** 2^53 - 1: no bound. */
  readonly messageTimestampBeforeMaxMs: number;
  readonly messageTimestampAfterMaxMs: number;
  /** A compacted topic takes no record without a key. */
  readonly cleanupPolicy: { readonly compact: boolean };
}

/** A whole batch, and what else decides whether its records are opened. */
export interface BatchToCheck {
  readonly records: Uint8Array;
  readonly view: DataView;
  /** Wall time. */
  readonly nowMs: number;
  /** Somebody reads the records anyway, so they have to be what they should be. */
  readonly isReencoded: boolean;
}

/** The records take longer to look at than a turn of the event loop may. */
export interface Examine {
  readonly kind: "examine";
  readonly rules: RecordRules;
}

/** What was found out about a batch off the event loop: what the CRC and the records are. */
export type Examined =
  | { readonly batch: BatchFault }
  | { readonly batch: "ok"; readonly records: RecordsFound };

const noBound = Number.MAX_SAFE_INTEGER;
const uncompressedId = 0;

/**
 * What the records of a client's batch are held to, as in Kafka: uncompressed ones always, since
 * one batch that no client can read stops every consumer of its partition. Undefined: nobody asks
 * for them to be opened. Trusts nothing of the batch: its CRC may not have been looked at yet.
 */
export function rulesOfRecords(
  batch: BatchToCheck,
  settings: RecordSettings,
  format: BatchFormat,
): RecordRules | undefined {
  const claimed = format.readMaxTimestamp(batch.view, 0);
  const timestamps = timestampRange(batch.nowMs, settings);
  const requireKeys = settings.cleanupPolicy.compact;
  const isOpened =
    settings.recordValidation === "full" ||
    format.readCompressionId(batch.view, 0) === uncompressedId ||
    batch.isReencoded ||
    requireKeys ||
    (timestamps !== undefined && (timestamps.min > -noBound || claimed > timestamps.max));
  if (!isOpened) return undefined;
  const decompressedBytesMax = decompressedBytesMaxOf(settings.maxMessageBytes);
  const purpose = batch.isReencoded ? "reencode" : "check";
  const rules = { purpose, requireKeys, decompressedBytesMax } as const;
  return timestamps === undefined ? rules : { ...rules, timestamps };
}

/**
 * Holds the records of a client's batch, which `validateBatch` accepted, to `rules`, unless that
 * was done before (`examined`).
 *
 * Gives the batch's largest timestamp (ms, -1: none): the records' own where they were looked at,
 * else what the header says.
 */
export function checkRecords(
  { records, view }: BatchToCheck,
  rules: RecordRules | undefined,
  settings: RecordSettings,
  wire: {
    readonly format: BatchFormat;
    readonly validateRecords: RecordsValidator;
    readonly examined?: Examined;
  },
): number | Refused | Examine {
  const { examined, format } = wire;
  let maxTimestamp = format.readMaxTimestamp(view, 0);
  if (rules !== undefined) {
    const known = examined?.batch === "ok" ? examined.records : undefined;
    const check = known ?? wire.validateRecords(records, 0, rules);
    if (check === "later") return { kind: "examine", rules };
    if (check.kind !== "ok") return recordsRefusal(check);
    maxTimestamp = check.maxTimestamp;
  }
  return appendTimeRefusal(view, settings, format) ?? maxTimestamp;
}

/**
 * A multiple of what the topic takes compressed, since opening a batch takes memory and time. Some
 * producers split a batch that is refused for its size.
 */
function decompressedBytesMaxOf(maxMessageBytes: number): number {
  const wanted = Math.max(maxMessageBytes * recordExpansionMax, decompressedBytesFloor);
  return Math.min(wanted, decompressedBytesCeiling);
}

/** Undefined: any timestamp will do. */
function timestampRange(
  nowMs: number,
  settings: RecordSettings,
): { readonly min: number; readonly max: number } | undefined {
  if (settings.messageTimestampType === "LogAppendTime") return undefined;
  const before = settings.messageTimestampBeforeMaxMs;
  const after = settings.messageTimestampAfterMaxMs;
  if (before >= noBound && after >= noBound) return undefined;
  return {
    min: before >= noBound ? -noBound : nowMs - before,
    max: after >= noBound ? noBound : nowMs + after,
  };
}

/** Where the broker sets the time, a producer may not claim that it has done so; as in Kafka. */
function appendTimeRefusal(
  view: DataView,
  settings: RecordSettings,
  format: BatchFormat,
): Refused | undefined {
  if (settings.messageTimestampType === "CreateTime") return undefined;
  if (format.readTimestampType(view, 0) === "CreateTime") return undefined;
  const count = Math.min(format.readRecordCount(view, 0), recordErrorsMax);
  const recordErrors = Array.from({ length: count }, (_, index) => {
    return { index, reason: "append-time" };
  });
  const message = "only the broker may give records the time of their append";
  return { kind: "invalid", reason: "invalidTimestamp", message, recordErrors };
}

function recordsRefusal(check: Exclude<RecordsFound, { readonly kind: "ok" }>): Refused {
  switch (check.kind) {
    case "fault":
      return openRefusal(check.fault);
    case "unsound": {
      const which = check.index < 0 ? "the records are" : `record ${check.index} is`;
      return refuse("invalidRecord", `${which} malformed: ${check.reason}`);
    }
    case "invalid": {
      const { errors } = check;
      const message = `${errors.length} records were rejected, and with them the batch`;
      const byTime = errors.some(({ reason }) => reason === "timestamp");
      const reason = byTime ? "invalidTimestamp" : "invalidRecord";
      return { kind: "invalid", reason, message, recordErrors: errors };
    }
  }
}

function openRefusal(fault: string): Refused {
  const message = `the batch's records cannot be read: ${fault}`;
  if (fault === "unsupported-compression") return refuse("unsupportedCompression", message);
  return refuse(fault === "too-large" ? "recordTooLarge" : "invalidRecord", message);
}
