import { type CodecSet, compressionTypeOf } from "../compression/codec.ts";
import type { Crc32c } from "../crc32c.ts";
import { computeBatchCrc, readAttributes, readCompressionId } from "./batch.ts";
import { writeInt64 } from "./int64.ts";
import * as layout from "./layout.ts";
import { RecordReader } from "./record-reader.ts";
import type { OpenBatch } from "./records.ts";
import { encodeVarint, varintBytes } from "./varint.ts";

/** What stays of a batch. */
export interface RetainedRecords {
  /** By the record's place in the batch: 1 for one that stays, 0 for the others. One at least does. */
  readonly kept: Uint8Array;
  /**
   * Milliseconds since 1970: the time after which the batch's tombstones, or its marker, may go
   * (KIP-534). The batch says it in its base timestamp. Undefined: what the batch says now.
   */
  readonly deleteHorizonMs: number | undefined;
  readonly codecs: CodecSet;
  readonly crc32c: Crc32c;
}

/** What a record's timestamp and its batch's base timestamp may be apart (see RecordReader). */
const timestampDeltaMax = 4_503_599_627_370_496;

/**
 * The batch at `at`, opened as `open`, with only some of its records, in a buffer of its own.
 *
 * Offsets, sequences and whatever else is the batch's stay; so does the codec. Under CreateTime the
 * largest timestamp is that of the records that stay. A delete horizon that is too far from a
 * record's timestamp to be the base of it is left out.
 *
 * The records have been read to their end before, without a fault.
 */
export function retainRecords(
  bytes: Uint8Array,
  at: number,
  open: OpenBatch,
  retained: RetainedRecords,
): Uint8Array {
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const horizonMs = possibleHorizon(open, retained);
  const baseTimestamp = horizonMs ?? open.baseTimestamp;
  const records = copyRecords(open, retained.kept, baseTimestamp);
  const body = compress(records.body, readCompressionId(source, at), retained.codecs);
  const batch = new Uint8Array(layout.BATCH_HEADER_BYTES + body.length);
  batch.set(bytes.subarray(at, at + layout.BATCH_HEADER_BYTES));
  batch.set(body, layout.RECORDS_AT);
  const view = new DataView(batch.buffer);
  view.setInt32(layout.BATCH_LENGTH_AT, batch.length - layout.LENGTH_OVERHEAD_BYTES);
  const horizonBit = horizonMs === undefined ? 0 : layout.DELETE_HORIZON_BIT;
  view.setInt16(layout.ATTRIBUTES_AT, readAttributes(source, at) | horizonBit);
  writeInt64(view, layout.BASE_TIMESTAMP_AT, baseTimestamp);
  if (open.logAppendTimestamp === undefined) {
    writeInt64(view, layout.MAX_TIMESTAMP_AT, records.maxTimestamp);
  }
  view.setInt32(layout.RECORD_COUNT_AT, records.count);
  view.setUint32(layout.CRC_AT, computeBatchCrc(batch, view, 0, retained.crc32c));
  return batch;
}

/**
 * The batch at `at` without any record: it goes on telling its offsets, its leader epoch, and its
 * producer's last sequence. As Kafka writes it: not compressed, without a base timestamp.
 */
export function emptyBatch(bytes: Uint8Array, at: number, crc32c: Crc32c): Uint8Array {
  const batch = bytes.slice(at, at + layout.BATCH_HEADER_BYTES);
  const view = new DataView(batch.buffer);
  view.setInt32(layout.BATCH_LENGTH_AT, batch.length - layout.LENGTH_OVERHEAD_BYTES);
  const kept = layout.TIMESTAMP_TYPE_BIT | layout.TRANSACTIONAL_BIT | layout.CONTROL_BIT;
  view.setInt16(layout.ATTRIBUTES_AT, readAttributes(view, 0) & kept);
  writeInt64(view, layout.BASE_TIMESTAMP_AT, layout.NO_TIMESTAMP);
  view.setInt32(layout.RECORD_COUNT_AT, 0);
  view.setUint32(layout.CRC_AT, computeBatchCrc(batch, view, 0, crc32c));
  return batch;
}

function possibleHorizon(open: OpenBatch, retained: RetainedRecords): number | undefined {
  const { deleteHorizonMs, kept } = retained;
  if (deleteHorizonMs === undefined) return undefined;
  const reader = new RecordReader(open.body, open.recordCount);
  while (reader.next() === "record") {
    if (kept[reader.index] !== 1) continue;
    const delta = open.baseTimestamp + reader.timestampDelta - deleteHorizonMs;
    if (Math.abs(delta) >= timestampDeltaMax) return undefined;
  }
  return deleteHorizonMs;
}

interface CopiedRecords {
  readonly body: Uint8Array;
  readonly count: number;
  readonly maxTimestamp: number;
}

function copyRecords(open: OpenBatch, kept: Uint8Array, baseTimestamp: number): CopiedRecords {
  const { body } = open;
  const shiftMs = open.baseTimestamp - baseTimestamp;
  const reader = new RecordReader(body, open.recordCount);
  // A shifted delta, and the length that counts it, take a few bytes more than they did.
  const growth = shiftMs === 0 ? 0 : open.recordCount * shiftedBytesMax;
  const copy = new Uint8Array(body.length + growth);
  let end = 0;
  let count = 0;
  let maxTimestamp = layout.NO_TIMESTAMP;
  // Neighbours that stay as they are are copied together.
  let runFrom = 0;
  let runEnd = 0;
  for (let index = 0; index < open.recordCount; index++) {
    if (kept[index] !== 1) {
      reader.passOver();
      continue;
    }
    reader.next();
    count += 1;
    maxTimestamp = Math.max(maxTimestamp, open.baseTimestamp + reader.timestampDelta);
    if (shiftMs !== 0) {
      end = copyShifted(body, reader, { shiftMs, copy, end });
      continue;
    }
    if (reader.start !== runEnd) {
      copy.set(body.subarray(runFrom, runEnd), end);
      end += runEnd - runFrom;
      runFrom = reader.start;
    }
    runEnd = reader.end;
  }
  copy.set(body.subarray(runFrom, runEnd), end);
  end += runEnd - runFrom;
  return { body: copy.subarray(0, end), count, maxTimestamp };
}

const shiftedBytesMax = 12;

/** Copies the record with another timestamp delta; returns where it ends. */
export function copyShifted(
  body: Uint8Array,
  reader: RecordReader,
  to: { readonly shiftMs: number; readonly copy: Uint8Array; readonly end: number },
): number {
  const attributesAt = pastVarint(body, reader.start);
  const restAt = pastVarint(body, attributesAt + 1);
  const delta = reader.timestampDelta + to.shiftMs;
  const restBytes = reader.end - restAt;
  let at = encodeVarint(to.copy, to.end, 1 + varintBytes(delta) + restBytes);
  to.copy[at] = body[attributesAt] ?? 0;
  at = encodeVarint(to.copy, at + 1, delta);
  to.copy.set(body.subarray(restAt, reader.end), at);
  return at + restBytes;
}

function pastVarint(body: Uint8Array, at: number): number {
  let next = at;
  while ((body[next] ?? 0) >= 0x80) next += 1;
  return next + 1;
}

function compress(body: Uint8Array, id: number, codecs: CodecSet): Uint8Array {
  const type = compressionTypeOf(id);
  const codec = type === undefined || type === "none" ? undefined : codecs[type];
  // Opening the batch took the same codec, so that it is there.
  return codec === undefined ? body : codec.compress(body);
}
