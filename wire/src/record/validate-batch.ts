import type { Crc32c } from "../crc32c.ts";
import {
  computeBatchCrc,
  hasDeleteHorizon,
  isControl,
  isTransactional,
  readBaseOffset,
  readBaseSequence,
  readBaseTimestamp,
  readBatchBytes,
  readBatchLength,
  readCompressionId,
  readCrc,
  readLastOffsetDelta,
  readMagic,
  readMaxTimestamp,
  readProducerEpoch,
  readProducerId,
  readRecordCount,
} from "./batch.ts";
import {
  BATCH_HEADER_BYTES,
  LENGTH_OVERHEAD_BYTES,
  MAGIC_AT,
  MAGIC_V2,
  NO_PRODUCER_ID,
  RECORD_BYTES_MIN,
} from "./layout.ts";

/**
 * Why a batch is refused.
 *
 * - `truncated`: fewer bytes are left than a header, or than the length field claims.
 * - `bad-length`: the length field claims less than a header.
 * - `unsupported-magic`: an older message format, or one that does not exist.
 * - `bad-crc`: the bytes are not those that the producer sent.
 * - `unknown-compression`: a codec id that exists in no version of the format.
 * - `record-count`: no records, more than the bytes can hold, or not one for each offset.
 * - `control-batch`: a client may not write control records.
 * - `delete-horizon`: a client may not claim what only compaction sets.
 * - `producer-fields`: producer id, epoch, sequence and transaction flag contradict each other.
 * - `number-range`: an offset, timestamp or producer id past 2^53.
 */
export type BatchFault =
  | "truncated"
  | "bad-length"
  | "unsupported-magic"
  | "bad-crc"
  | "unknown-compression"
  | "record-count"
  | "control-batch"
  | "delete-horizon"
  | "producer-fields"
  | "number-range";

/** What `validateBatch` holds a batch to. */
export interface BatchRules {
  readonly crc32c: Crc32c;
  /**
   * `client`: as a producer may send it. `log`: as it may lie in the log, where compaction has
   * removed records and control batches exist.
   */
  readonly origin: "client" | "log";
}

const LAST_COMPRESSION_ID = 4;

/**
 * Checks the batch at `at` without looking into its records: magic, length, CRC, then the fields
 * against each other. Allocates nothing of the batch's size, never throws.
 *
 * `bytes` is the records field and ends where that ends; `view` covers the same memory. More bytes
 * may follow the batch: whether more batches may is the caller's rule.
 */
export function validateBatch(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  rules: BatchRules,
): "ok" | BatchFault {
  const left = bytes.length - at;
  // The magic comes before the lengths: an older message may be shorter than a header of magic 2.
  if (left <= MAGIC_AT) return "truncated";
  if (readMagic(view, at) !== MAGIC_V2) return "unsupported-magic";
  if (readBatchLength(view, at) < BATCH_HEADER_BYTES - LENGTH_OVERHEAD_BYTES) return "bad-length";
  if (readBatchBytes(view, at) > left) return "truncated";
  if (computeBatchCrc(bytes, view, at, rules.crc32c) !== readCrc(view, at)) return "bad-crc";
  if (readCompressionId(view, at) > LAST_COMPRESSION_ID) return "unknown-compression";
  const fault = rules.origin === "client" ? clientFault(view, at) : logFault(view, at);
  if (fault !== "ok") return fault;
  return timestampsFault(view, at);
}

function clientFault(view: DataView, at: number): "ok" | BatchFault {
  if (isControl(view, at)) return "control-batch";
  if (hasDeleteHorizon(view, at)) return "delete-horizon";
  const count = readRecordCount(view, at);
  if (count < 1 || readLastOffsetDelta(view, at) !== count - 1) return "record-count";
  if (!canHold(view, at, count)) return "record-count";
  return clientProducerFault(view, at);
}

/** Without a producer id the epoch and sequence mean nothing: some clients leave zeros there. */
function clientProducerFault(view: DataView, at: number): "ok" | BatchFault {
  const producerId = readProducerId(view, at);
  if (producerId === NO_PRODUCER_ID) {
    return isTransactional(view, at) ? "producer-fields" : "ok";
  }
  if (!Number.isSafeInteger(producerId)) return "number-range";
  if (producerId < 0) return "producer-fields";
  if (readProducerEpoch(view, at) < 0 || readBaseSequence(view, at) < 0) return "producer-fields";
  return "ok";
}

function logFault(view: DataView, at: number): "ok" | BatchFault {
  const baseOffset = readBaseOffset(view, at);
  if (baseOffset < 0 || !Number.isSafeInteger(baseOffset)) return "number-range";
  if (!Number.isSafeInteger(readProducerId(view, at))) return "number-range";
  const count = readRecordCount(view, at);
  const lastOffsetDelta = readLastOffsetDelta(view, at);
  // Compaction keeps an empty batch where it still tells the producer's last sequence.
  if (lastOffsetDelta < 0 || count < 0 || count > lastOffsetDelta + 1) return "record-count";
  return canHold(view, at, count) ? "ok" : "record-count";
}

/** Shows a count that the batch's bytes cannot hold; of compressed ones only the lack of any. */
function canHold(view: DataView, at: number, count: number): boolean {
  const body = readBatchBytes(view, at) - BATCH_HEADER_BYTES;
  if (readCompressionId(view, at) === 0) return count * RECORD_BYTES_MIN <= body;
  return count === 0 || body > 0;
}

function timestampsFault(view: DataView, at: number): "ok" | BatchFault {
  if (!Number.isSafeInteger(readBaseTimestamp(view, at))) return "number-range";
  if (!Number.isSafeInteger(readMaxTimestamp(view, at))) return "number-range";
  return "ok";
}
