/** Whose time a batch's records have: the producer's, or that of the append. */
export type TimestampType = "CreateTime" | "LogAppendTime";

/**
 * The record batch format, as the log needs it: functions over bytes, handed in, because the log
 * knows where batches lie and not how they are laid out.
 *
 * The names and signatures are those of the wire package's exports, so that its module is a
 * `BatchFormat` as it stands. Each `at` is where a batch begins, in bytes from the view's start;
 * a whole header must lie there. Source of the format: KIP-98.
 */
export interface BatchFormat {
  /** Bytes of a batch's header. */
  readonly BATCH_HEADER_BYTES: number;
  /** Where, from the start of the batch, the bytes begin that its CRC covers (to its end). */
  readonly CRC_COVERS_FROM: number;

  readBaseOffset(view: DataView, at: number): number;
  readLastOffset(view: DataView, at: number): number;
  /** The whole batch, header included; any int32 where the bytes are not a batch. */
  readBatchBytes(view: DataView, at: number): number;
  readPartitionLeaderEpoch(view: DataView, at: number): number;
  readMagic(view: DataView, at: number): number;
  readCrc(view: DataView, at: number): number;
  readCompressionId(view: DataView, at: number): number;
  readMaxTimestamp(view: DataView, at: number): number;
  readTimestampType(view: DataView, at: number): TimestampType;
  readRecordCount(view: DataView, at: number): number;
  readProducerId(view: DataView, at: number): number;
  readProducerEpoch(view: DataView, at: number): number;
  readBaseSequence(view: DataView, at: number): number;
  readLastSequence(view: DataView, at: number): number;
  isTransactional(view: DataView, at: number): boolean;
  isControl(view: DataView, at: number): boolean;
  writeBaseOffset(view: DataView, at: number, baseOffset: number): void;
  writePartitionLeaderEpoch(view: DataView, at: number, leaderEpoch: number): void;
  /** Sets the timestamp type and the maximum timestamp (ms), and computes the CRC again. */
  writeMaxTimestamp(
    bytes: Uint8Array,
    view: DataView,
    at: number,
    max: { readonly type: TimestampType; readonly timestamp: number; readonly crc32c: Checksum },
  ): void;
  /** `ok`, or the word for what is wrong; never throws, allocates nothing of the batch's size. */
  validateBatch(
    bytes: Uint8Array,
    view: DataView,
    at: number,
    rules: { readonly crc32c: Checksum; readonly origin: "client" | "log" },
  ): "ok" | BatchFault;
}

/** CRC-32C, unsigned; `initial` is the CRC of the bytes that precede. */
export type Checksum = (bytes: Uint8Array, initial?: number) => number;

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

export interface OffsetAndTimestamp {
  readonly offset: number;
  readonly timestamp: number;
}

/**
 * Opens a whole batch, decompressing it, and finds the first record at or after `startOffset` whose
 * effective timestamp is at least `timestamp` (ms); undefined: it has none. `unreadable` when the
 * body is not what its codec writes, or holds no records. Throws nothing that the bytes may cause.
 */
export type TimestampSearch = (
  batch: Uint8Array,
  target: { readonly timestamp: number; readonly startOffset: number },
) => OffsetAndTimestamp | undefined | "unreadable";

/** What the log keeps of a batch's header. Timestamps in ms; -1: none. */
export interface BatchSummary {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** The whole batch, header included. */
  readonly bytes: number;
  readonly leaderEpoch: number;
  readonly maxTimestamp: number;
  /** -1: not idempotent; then epoch and sequences say nothing. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  /** Compaction left no record in it: it only tells of offsets and of its producer. */
  readonly isEmpty: boolean;
}

export function summarizeBatch(format: BatchFormat, view: DataView, at: number): BatchSummary {
  return {
    baseOffset: format.readBaseOffset(view, at),
    lastOffset: format.readLastOffset(view, at),
    bytes: format.readBatchBytes(view, at),
    leaderEpoch: format.readPartitionLeaderEpoch(view, at),
    maxTimestamp: format.readMaxTimestamp(view, at),
    producerId: format.readProducerId(view, at),
    producerEpoch: format.readProducerEpoch(view, at),
    baseSequence: format.readBaseSequence(view, at),
    lastSequence: format.readLastSequence(view, at),
    isTransactional: format.isTransactional(view, at),
    isControl: format.isControl(view, at),
    isEmpty: format.readRecordCount(view, at) === 0,
  };
}

/** A view over exactly the memory of `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
