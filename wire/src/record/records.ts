import { type CodecSet, compressionTypeOf, DecompressError } from "../compression/codec.ts";
import {
  readBaseOffset,
  readBaseTimestamp,
  readBatchBytes,
  readCompressionId,
  readMaxTimestamp,
  readRecordCount,
  readTimestampType,
} from "./batch.ts";
import { RECORDS_AT } from "./layout.ts";
import { type RecordFault, type RecordHeader, RecordReader } from "./record-reader.ts";

/** What opening a batch needs. */
export interface OpenRules {
  readonly codecs: CodecSet;
  /** The most bytes that a compressed body may have once it is open. */
  readonly decompressedBytesMax: number;
}

/**
 * Why a batch's body cannot be had. `unsupported-compression`: there is no codec for it.
 * `corrupt-compression`: it is not what its codec writes. `too-large`: it exceeds the limit.
 */
export type OpenFault = "unsupported-compression" | "corrupt-compression" | "too-large";

/** A batch whose body is at hand, with what its records' offsets and timestamps count from. */
export interface OpenBatch {
  readonly kind: "open";
  /** Decompressed; a view of the batch itself where that is not compressed. */
  readonly body: Uint8Array;
  readonly recordCount: number;
  readonly baseOffset: number;
  readonly baseTimestamp: number;
  /** Set under LogAppendTime, when every record has this timestamp. */
  readonly logAppendTimestamp: number | undefined;
}

export interface ClosedBatch {
  readonly kind: "fault";
  readonly fault: OpenFault;
}

/**
 * Decompresses the body of the batch that begins at `at`, which `validateBatch` has accepted. Works
 * synchronously. Throws nothing that the batch's bytes could cause.
 */
export function openBatch(
  bytes: Uint8Array,
  at: number,
  rules: OpenRules,
): OpenBatch | ClosedBatch {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stored = bytes.subarray(at + RECORDS_AT, at + readBatchBytes(view, at));
  const body = decompress(stored, readCompressionId(view, at), rules);
  if (typeof body === "string") return { kind: "fault", fault: body };
  return {
    kind: "open",
    body,
    recordCount: readRecordCount(view, at),
    baseOffset: readBaseOffset(view, at),
    baseTimestamp: readBaseTimestamp(view, at),
    logAppendTimestamp:
      readTimestampType(view, at) === "LogAppendTime" ? readMaxTimestamp(view, at) : undefined,
  };
}

function decompress(stored: Uint8Array, id: number, rules: OpenRules): Uint8Array | OpenFault {
  const type = compressionTypeOf(id);
  if (type === "none") return stored;
  const codec = type === undefined ? undefined : rules.codecs[type];
  if (codec === undefined) return "unsupported-compression";
  try {
    return codec.decompress(stored, rules.decompressedBytesMax);
  } catch (error) {
    if (!(error instanceof DecompressError)) throw error;
    return error.failure === "too-large" ? "too-large" : "corrupt-compression";
  }
}

/** One record. Its bytes are views of the batch's body: copy what must outlive it. */
export interface ReadRecord {
  readonly offset: number;
  /** Milliseconds since 1970; -1: none. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** The timestamp of the record that `reader` stands at. */
export function timestampOf(batch: OpenBatch, reader: RecordReader): number {
  return batch.logAppendTimestamp ?? batch.baseTimestamp + reader.timestampDelta;
}

export type ReadRecords =
  | { readonly kind: "records"; readonly records: readonly ReadRecord[] }
  | { readonly kind: "fault"; readonly fault: RecordFault | OpenFault; readonly index: number };

/**
 * All records of the batch at `at`, or the first fault with the index of the record it lies in.
 * For paths that want whole records; `RecordReader` serves those that want less.
 */
export function readRecords(bytes: Uint8Array, at: number, rules: OpenRules): ReadRecords {
  const batch = openBatch(bytes, at, rules);
  if (batch.kind === "fault") return { kind: "fault", fault: batch.fault, index: 0 };
  const reader = new RecordReader(batch.body, batch.recordCount);
  const records: ReadRecord[] = [];
  for (let step = reader.next(); step !== "end"; step = reader.next()) {
    if (step !== "record") return { kind: "fault", fault: step, index: reader.index };
    records.push({
      offset: batch.baseOffset + reader.offsetDelta,
      timestamp: timestampOf(batch, reader),
      key: reader.key(),
      value: reader.value(),
      headers: reader.headers(),
    });
  }
  return { kind: "records", records };
}

/** A record's place in the log and in time. */
export interface OffsetAndTimestamp {
  readonly offset: number;
  readonly timestamp: number;
}

/** Of several records with the largest timestamp, the first; undefined where there is none. */
export function findMaxTimestamp(batch: OpenBatch): OffsetAndTimestamp | undefined | RecordFault {
  const reader = new RecordReader(batch.body, batch.recordCount);
  let found: OffsetAndTimestamp | undefined;
  for (let step = reader.next(); step !== "end"; step = reader.next()) {
    if (step !== "record") return step;
    const timestamp = timestampOf(batch, reader);
    if (found !== undefined && timestamp <= found.timestamp) continue;
    found = { offset: batch.baseOffset + reader.offsetDelta, timestamp };
  }
  return found;
}

/** Where a search by time begins. */
export interface TimestampTarget {
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly startOffset: number;
}

/**
 * The first record at or after `startOffset` whose timestamp is the target's or later; undefined
 * where the batch has none.
 */
export function findTimestamp(
  batch: OpenBatch,
  target: TimestampTarget,
): OffsetAndTimestamp | undefined | RecordFault {
  const reader = new RecordReader(batch.body, batch.recordCount);
  for (let step = reader.next(); step !== "end"; step = reader.next()) {
    if (step !== "record") return step;
    const offset = batch.baseOffset + reader.offsetDelta;
    const timestamp = timestampOf(batch, reader);
    if (offset >= target.startOffset && timestamp >= target.timestamp) return { offset, timestamp };
  }
  return undefined;
}
