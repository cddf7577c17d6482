import { type Codec, compressionIdOf } from "../compression/codec.ts";
import type { Crc32c } from "../crc32c.ts";
import { computeBatchCrc, readAttributes, readMaxTimestamp, readTimestampType } from "./batch.ts";
import { writeInt64 } from "./int64.ts";
import * as layout from "./layout.ts";
import { RecordReader } from "./record-reader.ts";
import type { OpenBatch } from "./records.ts";
import { copyShifted } from "./retain-records.ts";

/** How a batch's records are to be compressed. */
export interface Recompression {
  /** Undefined: not at all. */
  readonly codec: Codec | undefined;
  /** As the codec counts its levels; its own default where it is absent. */
  readonly level?: number;
  readonly crc32c: Crc32c;
}

/**
 * The batch at the beginning of `batch`, opened as `open`, with its records compressed anew, in
 * memory of its own. They are not parsed, and the header stays as it is but for length, codec and
 * CRC: offsets, timestamps and producer are what they were.
 *
 * Where the batch gives all records its largest timestamp (LogAppendTime), the records then say so
 * themselves, as in Kafka, because the topic may take that from the header.
 *
 * The records have been read to their end before, without a fault.
 */
export function recompressBatch(
  batch: Uint8Array,
  open: OpenBatch,
  { codec, crc32c, level }: Recompression,
): Uint8Array<ArrayBuffer> {
  const source = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  const isOfOneTime = readTimestampType(source, 0) === "LogAppendTime";
  const body = isOfOneTime ? bodyOfOneTime(open) : open.body;
  const compressed = codec === undefined ? body : codec.compress(body, level);
  const bytes = new Uint8Array(layout.BATCH_HEADER_BYTES + compressed.length);
  bytes.set(batch.subarray(0, layout.BATCH_HEADER_BYTES));
  bytes.set(compressed, layout.RECORDS_AT);
  const view = new DataView(bytes.buffer);
  view.setInt32(layout.BATCH_LENGTH_AT, bytes.length - layout.LENGTH_OVERHEAD_BYTES);
  const others = readAttributes(view, 0) & ~layout.COMPRESSION_MASK;
  view.setInt16(layout.ATTRIBUTES_AT, others | compressionIdOf(codec?.name ?? "none"));
  if (isOfOneTime) writeInt64(view, layout.BASE_TIMESTAMP_AT, readMaxTimestamp(view, 0));
  view.setUint32(layout.CRC_AT, computeBatchCrc(bytes, view, 0, crc32c));
  return bytes;
}

/** All records at the batch's base timestamp, which takes no more bytes than they had. */
function bodyOfOneTime({ body, recordCount }: OpenBatch): Uint8Array {
  const reader = new RecordReader(body, recordCount);
  const copy = new Uint8Array(body.length);
  let end = 0;
  while (reader.next() === "record") {
    end = copyShifted(body, reader, { shiftMs: -reader.timestampDelta, copy, end });
  }
  return copy.subarray(0, end);
}
