import type { ProducerView } from "../producer/producer-state.ts";
import type { BatchFault, BatchFormat, BatchSummary, Checksum } from "./batch-format.ts";
import { summarizeBatch, viewOf } from "./batch-format.ts";

/** Opens the records of a batch that `validateBatch` accepted, and checks each of them. */
export type RecordsValidator = (
  bytes: Uint8Array,
  at: number,
  rules: {
    readonly requireKeys: boolean;
    /** ms, both ends included. */
    readonly timestamps?: { readonly min: number; readonly max: number };
  },
) =>
  | { readonly kind: "ok" }
  | { readonly kind: "fault"; readonly fault: string }
  | { readonly kind: "invalid"; readonly errors: readonly RecordFaultAt[] };

/** `index`: the record's place in the batch. `timestamp` and `missing-key` are reasons of ours. */
export interface RecordFaultAt {
  readonly index: number;
  readonly reason: string;
}

/** The functions that a decision needs of the record format. */
export interface AppendFormat {
  readonly format: BatchFormat;
  readonly crc32c: Checksum;
  readonly validateRecords: RecordsValidator;
}

/** The partition as the decision finds it. With a journal this is the pending end, not the log's. */
export interface AppendState {
  readonly endOffset: number;
  readonly leaderEpoch: number;
  readonly producers: ProducerView;
  /** Wall time. */
  readonly nowMs: number;
}

/** Of the topic's settings what an append is held to; the names are those of TopicSettings. */
export interface AppendRules {
  readonly maxMessageBytes: number;
  readonly segmentBytes: number;
  readonly compressionType: "producer" | "uncompressed" | "gzip" | "snappy" | "lz4" | "zstd";
  readonly messageTimestampType: "CreateTime" | "LogAppendTime";
  /** 2^53 - 1: no bound. */
  readonly messageTimestampBeforeMaxMs: number;
  readonly messageTimestampAfterMaxMs: number;
  /** A compacted topic takes no record without a key. */
  readonly cleanupPolicy: { readonly compact: boolean };
}

export type AppendRefusal =
  | "corruptMessage"
  | "unsupportedMagic"
  | "recordTooLarge"
  | "recordListTooLarge"
  | "invalidRecord"
  | "invalidTimestamp"
  | "unsupportedCompression"
  | "outOfOrderSequence"
  | "invalidProducerEpoch";

export type AppendDecision =
  | {
      readonly kind: "append";
      /** What to append: the batch, with its offset and epoch in place. */
      readonly records: Uint8Array;
      readonly batches: readonly BatchSummary[];
      /** -1: the records keep the producer's timestamps. */
      readonly logAppendTimeMs: number;
    }
  | {
      readonly kind: "duplicate";
      readonly baseOffset: number;
      readonly lastOffset: number;
      readonly timestamp: number;
    }
  /** The topic wants another codec: compress the records with it, and decide again. */
  | { readonly kind: "reencode"; readonly to: AppendRules["compressionType"] }
  | {
      readonly kind: "invalid";
      readonly reason: AppendRefusal;
      readonly message: string;
      readonly recordErrors: readonly RecordFaultAt[];
    };

type Refused = Extract<AppendDecision, { readonly kind: "invalid" }>;

/**
 * Decides what a client's records field does to the log, in the order in which Kafka checks: one
 * batch of magic 2, its size, its CRC and fields, its records where a setting asks for them, then
 * the producer's sequence.
 *
 * Only for `append` the bytes change: base offset, leader epoch, under LogAppendTime the timestamp.
 * Nothing else changes; the caller counts the batch in where it appends it.
 */
export function decideAppend(
  records: Uint8Array,
  state: AppendState,
  rules: AppendRules,
  wire: AppendFormat,
): AppendDecision {
  const { format, crc32c } = wire;
  const view = viewOf(records);
  const fault = framingFault(records, view, rules, format);
  if (fault !== undefined) return fault;
  const invalid = format.validateBatch(records, view, 0, { crc32c, origin: "client" });
  // Of a client's numbers only producer id and timestamps can be out of range.
  if (invalid === "number-range" && Number.isSafeInteger(format.readProducerId(view, 0))) {
    return refuse("invalidTimestamp", "a timestamp is past 2^53");
  }
  if (invalid !== "ok") return batchRefusal(invalid);
  if (format.readBaseOffset(view, 0) !== 0) {
    return refuse("invalidRecord", "the base offset of a produced batch must be 0");
  }
  const codec = codecNames[format.readCompressionId(view, 0)];
  const wanted = rules.compressionType;
  if (wanted !== "producer" && wanted !== codec) return { kind: "reencode", to: wanted };
  const badRecords = recordsFault(records, state, rules, wire);
  if (badRecords !== undefined) return badRecords;
  const refused = sequenceDecision(view, state, format);
  if (refused !== undefined) return refused;
  return assign(records, state, rules, wire);
}

const codecNames: readonly AppendRules["compressionType"][] = [
  "uncompressed",
  "gzip",
  "snappy",
  "lz4",
  "zstd",
];
const magic = 2;
const magicAt = 16;
/** Of all formats there have been: offset and length, and the 14 bytes of magic 0 without data. */
const smallestMessageBytes = 26;
const noBound = Number.MAX_SAFE_INTEGER;

/** Exactly one whole batch, of a size that the topic takes. */
function framingFault(
  records: Uint8Array,
  view: DataView,
  rules: AppendRules,
  format: BatchFormat,
): Refused | undefined {
  const noBatch = "the records must hold one whole record batch";
  const first = batchAt(0, records.length, view, format);
  if (first === "corrupt") return refuse("corruptMessage", "these bytes are not a record batch");
  if (first === "incomplete") return refuse("invalidRecord", noBatch);
  if (format.readMagic(view, 0) !== magic) {
    return refuse("unsupportedMagic", "only record batches of magic 2 are taken");
  }
  const bytes = format.readBatchBytes(view, 0);
  if (bytes < format.BATCH_HEADER_BYTES) {
    return refuse("corruptMessage", "the batch's length is less than that of its header");
  }
  const second = batchAt(bytes, records.length, view, format);
  if (second === "corrupt") return refuse("corruptMessage", "a batch is followed by other bytes");
  if (second === "whole") {
    return refuse("invalidRecord", "the records must hold one record batch only");
  }
  if (bytes > rules.maxMessageBytes) {
    const sizes = `${bytes} bytes, and the topic takes ${rules.maxMessageBytes}`;
    return refuse("recordTooLarge", `the batch has ${sizes}`);
  }
  if (bytes > rules.segmentBytes) {
    const sizes = `${bytes} bytes, and a segment holds ${rules.segmentBytes}`;
    return refuse("recordListTooLarge", `the batch has ${sizes}`);
  }
  return undefined;
}

/**
 * What lies at `at`, as Kafka's reader of batches sees it. The beginning of a batch without its end
 * (`incomplete`) is no batch; after a whole one it is left out.
 */
function batchAt(
  at: number,
  end: number,
  view: DataView,
  format: BatchFormat,
): "whole" | "incomplete" | "corrupt" {
  if (end - at <= magicAt) return "incomplete";
  const bytes = format.readBatchBytes(view, at);
  if (bytes < smallestMessageBytes) return "corrupt";
  const found = format.readMagic(view, at);
  if (found < 0 || found > magic) return "corrupt";
  return bytes <= end - at ? "whole" : "incomplete";
}

function recordsFault(
  records: Uint8Array,
  state: AppendState,
  rules: AppendRules,
  wire: AppendFormat,
): Refused | undefined {
  const requireKeys = rules.cleanupPolicy.compact;
  const timestamps = timestampRange(state.nowMs, rules);
  const max = wire.format.readMaxTimestamp(viewOf(records), 0);
  const late = timestamps !== undefined && max > timestamps.max;
  // The header tells the largest timestamp; for the others, and for keys, records are opened.
  const open = requireKeys || late || (timestamps?.min !== undefined && max >= 0);
  if (!open) return undefined;
  const range = { min: timestamps?.min ?? -noBound, max: timestamps?.max ?? noBound };
  const check = wire.validateRecords(records, 0, {
    requireKeys,
    ...(timestamps !== undefined && max >= 0 ? { timestamps: range } : {}),
  });
  if (check.kind === "ok") {
    return late ? refuse("invalidTimestamp", "the batch's timestamp is too far ahead") : undefined;
  }
  if (check.kind === "fault") return openRefusal(check.fault);
  const byTime = check.errors[0]?.reason === "timestamp";
  const message = `${check.errors.length} records were rejected, and with them the batch`;
  const reason = byTime ? "invalidTimestamp" : "invalidRecord";
  return { kind: "invalid", reason, message, recordErrors: check.errors };
}

/** Undefined: any timestamp will do. */
function timestampRange(
  nowMs: number,
  rules: AppendRules,
): { readonly min: number | undefined; readonly max: number } | undefined {
  if (rules.messageTimestampType === "LogAppendTime") return undefined;
  const before = rules.messageTimestampBeforeMaxMs;
  const after = rules.messageTimestampAfterMaxMs;
  if (before >= noBound && after >= noBound) return undefined;
  return {
    min: before >= noBound ? undefined : nowMs - before,
    max: after >= noBound ? noBound : nowMs + after,
  };
}

function sequenceDecision(
  view: DataView,
  state: AppendState,
  format: BatchFormat,
): AppendDecision | undefined {
  const producerId = format.readProducerId(view, 0);
  if (producerId < 0) return undefined;
  const producerEpoch = format.readProducerEpoch(view, 0);
  const baseSequence = format.readBaseSequence(view, 0);
  const lastSequence = format.readLastSequence(view, 0);
  const sequence = { producerId, producerEpoch, baseSequence, lastSequence };
  const check = state.producers.check(sequence);
  const who = `producer ${producerId} of epoch ${producerEpoch}`;
  switch (check.kind) {
    case "append":
      return undefined;
    case "duplicate":
      return check;
    case "outOfOrderSequence":
      return refuse("outOfOrderSequence", `${who} sent sequence ${baseSequence} out of order`);
    case "invalidProducerEpoch":
      return refuse("invalidProducerEpoch", `${who} was followed by a newer epoch`);
  }
}

function assign(
  records: Uint8Array,
  state: AppendState,
  rules: AppendRules,
  { format, crc32c }: AppendFormat,
): AppendDecision {
  const view = viewOf(records);
  format.writeBaseOffset(view, 0, state.endOffset);
  format.writePartitionLeaderEpoch(view, 0, state.leaderEpoch);
  const logAppendTimeMs = rules.messageTimestampType === "LogAppendTime" ? state.nowMs : -1;
  if (logAppendTimeMs >= 0) {
    const append = { timestamp: logAppendTimeMs, crc32c };
    format.writeMaxTimestampLogAppend(records, view, 0, append);
  }
  const summary = summarizeBatch(format, view, 0);
  const whole = summary.bytes === records.length;
  return {
    kind: "append",
    records: whole ? records : records.subarray(0, summary.bytes),
    batches: [summary],
    logAppendTimeMs,
  };
}

function batchRefusal(fault: BatchFault): Refused {
  switch (fault) {
    case "bad-crc":
    case "bad-length":
      return refuse("corruptMessage", `the batch is corrupt: ${fault}`);
    case "unsupported-magic":
      return refuse("unsupportedMagic", "only record batches of magic 2 are taken");
    case "truncated":
    case "unknown-compression":
    case "record-count":
    case "control-batch":
    case "delete-horizon":
    case "producer-fields":
    case "number-range":
      return refuse("invalidRecord", `the batch is invalid: ${fault}`);
  }
}

function openRefusal(fault: string): Refused {
  const message = `the batch's records cannot be read: ${fault}`;
  if (fault === "unsupported-compression") return refuse("unsupportedCompression", message);
  return refuse(fault === "too-large" ? "recordTooLarge" : "invalidRecord", message);
}

function refuse(reason: AppendRefusal, message: string): Refused {
  return { kind: "invalid", reason, message, recordErrors: [] };
}
