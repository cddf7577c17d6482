import { assert } from "../assert.ts";
import type { ProducerView } from "../producer/producer-state.ts";
import { checkRecords, rulesOfRecords } from "./append-records.ts";
import type { Examine, Examined, RecordSettings, RecordsValidator } from "./append-records.ts";
import { refuse } from "./append-refusal.ts";
import type { Refused } from "./append-refusal.ts";
import type { BatchFault, BatchFormat, BatchSummary, Checksum } from "./batch-format.ts";
import { summarizeBatch, viewOf } from "./batch-format.ts";

/** The functions that a decision needs of the record format. */
export interface AppendFormat {
  readonly format: BatchFormat;
  readonly crc32c: Checksum;
  readonly validateRecords: RecordsValidator;
  /**
   * Whether to look at the records of this whole batch, whose CRC nobody has looked at yet, takes
   * longer than a turn of the event loop may. By default nothing does.
   */
  readonly takesLong?: (view: DataView, purpose: "check" | "reencode") => boolean;
  /** What was found out about this very batch since it was said to take long. */
  readonly examined?: Examined;
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
export interface AppendRules extends RecordSettings {
  readonly segmentBytes: number;
  readonly compressionType: "producer" | "uncompressed" | "gzip" | "snappy" | "lz4" | "zstd";
}

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
  /** The topic wants another codec: compress the records with it, and `decideReencoded`. */
  | {
      readonly kind: "reencode";
      readonly to: AppendRules["compressionType"];
      readonly maxTimestamp: number;
    }
  /** Find out off the event loop what the records are, and decide again with what was found. */
  | Examine
  | Refused;

/**
 * Decides what a client's records field does to the log, in the order in which Kafka checks: one
 * batch of magic 2, its size, its CRC and fields, its records, then the producer's sequence. A batch
 * that takes long to look at is not decided about before it was `examined`.
 *
 * Only for `append` the bytes change: base offset, leader epoch, and the largest timestamp and whose
 * time it is where the topic or the records say otherwise. Nothing else changes; the caller counts
 * the batch in where it appends it.
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
  const codec = codecNames[format.readCompressionId(view, 0)];
  const wanted = rules.compressionType;
  const isReencoded = wanted !== "producer" && wanted !== codec;
  const batch = { records, view, nowMs: state.nowMs, isReencoded };
  const asked = rulesOfRecords(batch, rules, format);
  const { examined, takesLong } = wire;
  if (asked !== undefined && examined === undefined && takesLong?.(view, asked.purpose) === true) {
    return { kind: "examine", rules: asked };
  }
  const seal = { crc32c, origin: "client" } as const;
  const invalid = examined?.batch ?? format.validateBatch(records, view, 0, seal);
  // Of a client's numbers only producer id and timestamps can be out of range.
  if (invalid === "number-range" && Number.isSafeInteger(format.readProducerId(view, 0))) {
    return refuse("invalidTimestamp", "a timestamp is past 2^53");
  }
  if (invalid !== "ok") return batchRefusal(invalid);
  if (format.readBaseOffset(view, 0) !== 0) {
    return refuse("invalidRecord", "the base offset of a produced batch must be 0");
  }
  const checked = checkRecords(batch, asked, rules, wire);
  if (typeof checked !== "number") return checked;
  if (isReencoded) {
    const isOfOneTime = format.readTimestampType(view, 0) === "LogAppendTime";
    const maxTimestamp = isOfOneTime ? format.readMaxTimestamp(view, 0) : checked;
    return { kind: "reencode", to: wanted, maxTimestamp };
  }
  const refused = sequenceDecision(view, state, format);
  return refused ?? assign({ records, maxTimestamp: checked }, state, rules, wire);
}

/**
 * Decides about a batch that was compressed anew after `decideAppend` found its records right: its
 * size is another one, and the sequence has still to be looked at. `records`: undefined where it
 * got so large that nobody keeps it.
 */
export function decideReencoded(
  made: {
    readonly bytes: number;
    readonly records: Uint8Array | undefined;
    readonly maxTimestamp: number;
  },
  state: AppendState,
  rules: AppendRules,
  wire: AppendFormat,
): Exclude<AppendDecision, { readonly kind: "reencode" | "examine" }> {
  const { bytes, maxTimestamp, records } = made;
  const tooLarge = sizeFault(bytes, rules);
  if (tooLarge !== undefined) return tooLarge;
  assert(records !== undefined, "a batch of a size that the topic takes is kept");
  const refused = sequenceDecision(viewOf(records), state, wire.format);
  return refused ?? assign({ records, maxTimestamp }, state, rules, wire);
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
  return sizeFault(bytes, rules);
}

function sizeFault(bytes: number, rules: AppendRules): Refused | undefined {
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

function sequenceDecision(
  view: DataView,
  state: AppendState,
  format: BatchFormat,
): Exclude<AppendDecision, { readonly kind: "append" | "reencode" | "examine" }> | undefined {
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
  checked: { readonly records: Uint8Array; readonly maxTimestamp: number },
  state: AppendState,
  rules: AppendRules,
  { format, crc32c }: AppendFormat,
): Extract<AppendDecision, { readonly kind: "append" }> {
  const { records } = checked;
  const view = viewOf(records);
  format.writeBaseOffset(view, 0, state.endOffset);
  format.writePartitionLeaderEpoch(view, 0, state.leaderEpoch);
  const type = rules.messageTimestampType;
  const logAppendTimeMs = type === "LogAppendTime" ? state.nowMs : -1;
  const timestamp = type === "LogAppendTime" ? state.nowMs : checked.maxTimestamp;
  // What says a wrong time in its header would be found by no search for its own.
  const isRight =
    format.readTimestampType(view, 0) === type && format.readMaxTimestamp(view, 0) === timestamp;
  if (!isRight) format.writeMaxTimestamp(records, view, 0, { type, timestamp, crc32c });
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
