import type { Crc32c } from "../crc32c.ts";
import { combineCrc32c } from "../crc32c-combine.ts";
import { readInt64, writeInt64 } from "./int64.ts";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  COMPRESSION_MASK,
  CONTROL_BIT,
  CRC_AT,
  CRC_COVERS_FROM,
  DELETE_HORIZON_BIT,
  LAST_OFFSET_DELTA_AT,
  LENGTH_OVERHEAD_BYTES,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PARTITION_LEADER_EPOCH_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  TIMESTAMP_TYPE_BIT,
  TRANSACTIONAL_BIT,
} from "./layout.ts";

/**
 * The header of a record batch, read and written in place.
 *
 * Each function takes a view and the position at which a batch begins, allocates nothing and trusts
 * its caller: `validateBatch` or `splitBatches` has shown that a whole header lies there. Offsets,
 * timestamps and producer ids are read as two 32-bit halves; a value past 2^53 comes back rounded,
 * and `validateBatch` refuses batches that hold one.
 */

/** The offset of the batch's first record (also of one that compaction has since removed). */
export function readBaseOffset(view: DataView, at: number): number {
  return readInt64(view, at + BASE_OFFSET_AT);
}

/** The value of the length field: the bytes of the batch that follow that field. */
export function readBatchLength(view: DataView, at: number): number {
  return view.getInt32(at + BATCH_LENGTH_AT);
}

/** The bytes of the whole batch, from its base offset to its end. */
export function readBatchBytes(view: DataView, at: number): number {
  return view.getInt32(at + BATCH_LENGTH_AT) + LENGTH_OVERHEAD_BYTES;
}

export function readPartitionLeaderEpoch(view: DataView, at: number): number {
  return view.getInt32(at + PARTITION_LEADER_EPOCH_AT);
}

export function readMagic(view: DataView, at: number): number {
  return view.getInt8(at + MAGIC_AT);
}

/** The CRC-32C that the header claims, unsigned. */
export function readCrc(view: DataView, at: number): number {
  return view.getUint32(at + CRC_AT);
}

export function readAttributes(view: DataView, at: number): number {
  return view.getInt16(at + ATTRIBUTES_AT);
}

/** The id of the codec; ids above 4 exist in no version of the format. */
export function readCompressionId(view: DataView, at: number): number {
  return view.getInt16(at + ATTRIBUTES_AT) & COMPRESSION_MASK;
}

/** Who set the timestamps: the producer (CreateTime) or the broker (LogAppendTime). */
export type TimestampType = "CreateTime" | "LogAppendTime";

export function readTimestampType(view: DataView, at: number): TimestampType {
  const attributes = view.getInt16(at + ATTRIBUTES_AT);
  return (attributes & TIMESTAMP_TYPE_BIT) === 0 ? "CreateTime" : "LogAppendTime";
}

export function isTransactional(view: DataView, at: number): boolean {
  return (view.getInt16(at + ATTRIBUTES_AT) & TRANSACTIONAL_BIT) !== 0;
}

/** A control batch carries markers of the broker; clients skip it. */
export function isControl(view: DataView, at: number): boolean {
  return (view.getInt16(at + ATTRIBUTES_AT) & CONTROL_BIT) !== 0;
}

/** Set by compaction (KIP-534): the base timestamp then is the time at which tombstones may go. */
export function hasDeleteHorizon(view: DataView, at: number): boolean {
  return (view.getInt16(at + ATTRIBUTES_AT) & DELETE_HORIZON_BIT) !== 0;
}

export function readLastOffsetDelta(view: DataView, at: number): number {
  return view.getInt32(at + LAST_OFFSET_DELTA_AT);
}

/** The last offset that the batch covers. */
export function readLastOffset(view: DataView, at: number): number {
  return readBaseOffset(view, at) + view.getInt32(at + LAST_OFFSET_DELTA_AT);
}

/** Milliseconds since 1970; the records' timestamps are deltas to it. -1: no timestamp. */
export function readBaseTimestamp(view: DataView, at: number): number {
  return readInt64(view, at + BASE_TIMESTAMP_AT);
}

/** Milliseconds since 1970. -1: no timestamp. */
export function readMaxTimestamp(view: DataView, at: number): number {
  return readInt64(view, at + MAX_TIMESTAMP_AT);
}

/** -1: the producer is not idempotent. */
export function readProducerId(view: DataView, at: number): number {
  return readInt64(view, at + PRODUCER_ID_AT);
}

export function readProducerEpoch(view: DataView, at: number): number {
  return view.getInt16(at + PRODUCER_EPOCH_AT);
}

export function readBaseSequence(view: DataView, at: number): number {
  return view.getInt32(at + BASE_SEQUENCE_AT);
}

/** The sequence of the last record: sequences go from 2^31 - 1 on to 0. */
export function readLastSequence(view: DataView, at: number): number {
  const base = readBaseSequence(view, at);
  if (base < 0) return base;
  return (base + readLastOffsetDelta(view, at)) % 2_147_483_648;
}

export function readRecordCount(view: DataView, at: number): number {
  return view.getInt32(at + RECORD_COUNT_AT);
}

/** The CRC-32C that the batch's bytes have. `bytes` and `view` cover the same memory. */
export function computeBatchCrc(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  crc: Crc32c,
): number {
  const end = at + readBatchBytes(view, at);
  return crc(bytes.subarray(at + CRC_COVERS_FROM, end));
}

/** Gives the batch its place in the log. The CRC does not cover it. */
export function writeBaseOffset(view: DataView, at: number, baseOffset: number): void {
  writeInt64(view, at + BASE_OFFSET_AT, baseOffset);
}

/** Says under which epoch the batch was appended. The CRC does not cover it. */
export function writePartitionLeaderEpoch(view: DataView, at: number, leaderEpoch: number): void {
  view.setInt32(at + PARTITION_LEADER_EPOCH_AT, leaderEpoch);
}

/** What `writeMaxTimestamp` sets, and with which CRC it seals the batch. */
export interface MaxTimestamp {
  /** LogAppendTime: every record's timestamp becomes that of the append. */
  readonly type: TimestampType;
  /** Milliseconds since 1970; -1: none. */
  readonly timestamp: number;
  readonly crc32c: Crc32c;
}

/** From so many bytes on, to combine CRCs costs less than to read the batch again. */
const combinedBytesMin = 8192;

/**
 * Says whose time the records have (`message.timestamp.type`), and the largest one. The CRC covers
 * these fields, so it is computed again; that of a large batch out of the one that it had, which
 * must have been right.
 */
export function writeMaxTimestamp(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  max: MaxTimestamp,
): void {
  const bodyBytes = readBatchBytes(view, at) - BATCH_HEADER_BYTES;
  const head = bytes.subarray(at + CRC_COVERS_FROM, at + BATCH_HEADER_BYTES);
  const isLarge = bodyBytes >= combinedBytesMin;
  // What stands before a run adds to its CRC, so that adding it again takes it away.
  const bodyCrc = isLarge ? combineCrc32c(max.crc32c(head), readCrc(view, at), bodyBytes) : 0;
  const others = readAttributes(view, at) & ~TIMESTAMP_TYPE_BIT;
  const bit = max.type === "LogAppendTime" ? TIMESTAMP_TYPE_BIT : 0;
  view.setInt16(at + ATTRIBUTES_AT, others | bit);
  writeInt64(view, at + MAX_TIMESTAMP_AT, max.timestamp);
  const crc = isLarge
    ? combineCrc32c(max.crc32c(head), bodyCrc, bodyBytes)
    : computeBatchCrc(bytes, view, at, max.crc32c);
  view.setUint32(at + CRC_AT, crc);
}

/** A batch's header as one object, for tools, tests and paths where an allocation costs nothing. */
export interface BatchHeader {
  readonly baseOffset: number;
  readonly batchLength: number;
  readonly partitionLeaderEpoch: number;
  readonly magic: number;
  readonly crc: number;
  readonly compressionId: number;
  readonly timestampType: TimestampType;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly hasDeleteHorizon: boolean;
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/** Reads the whole header at `position`; throws RangeError where fewer than 61 bytes are left. */
export function readBatchHeader(bytes: Uint8Array, position: number): BatchHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset + position, BATCH_HEADER_BYTES);
  return {
    baseOffset: readBaseOffset(view, 0),
    batchLength: readBatchLength(view, 0),
    partitionLeaderEpoch: readPartitionLeaderEpoch(view, 0),
    magic: readMagic(view, 0),
    crc: readCrc(view, 0),
    compressionId: readCompressionId(view, 0),
    timestampType: readTimestampType(view, 0),
    isTransactional: isTransactional(view, 0),
    isControl: isControl(view, 0),
    hasDeleteHorizon: hasDeleteHorizon(view, 0),
    lastOffsetDelta: readLastOffsetDelta(view, 0),
    baseTimestamp: readBaseTimestamp(view, 0),
    maxTimestamp: readMaxTimestamp(view, 0),
    producerId: readProducerId(view, 0),
    producerEpoch: readProducerEpoch(view, 0),
    baseSequence: readBaseSequence(view, 0),
    recordCount: readRecordCount(view, 0),
  };
}
