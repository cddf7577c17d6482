import { type Codec, compressionIdOf } from "../compression/codec.ts";
import type { Crc32c } from "../crc32c.ts";
import { computeBatchCrc, type TimestampType } from "./batch.ts";
import { writeInt64 } from "./int64.ts";
import * as layout from "./layout.ts";
import type { RecordHeader } from "./record-reader.ts";
import { encodeRecords, type RecordToWrite } from "./record-writer.ts";

/** A record as a batch is built from it. */
export interface NewRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: readonly RecordHeader[];
  /** Milliseconds since 1970; none by default. */
  readonly timestamp?: number;
  /** From the batch's base offset; the record's place in the batch by default. */
  readonly offsetDelta?: number;
}

/** A batch's fields. What is left out is absent from the batch: no codec, no producer, epoch -1. */
export interface BatchFields {
  readonly crc32c: Crc32c;
  readonly codec?: Codec;
  readonly baseOffset?: number;
  readonly partitionLeaderEpoch?: number;
  readonly timestampType?: TimestampType;
  /** Under LogAppendTime, the time of the append. */
  readonly logAppendTimestamp?: number;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly isTransactional?: boolean;
  readonly isControl?: boolean;
  /** The delta of the last record by default; larger where compaction removed the last ones. */
  readonly lastOffsetDelta?: number;
}

/**
 * Builds a batch of magic 2, ready for a produce request or the log. Timestamps, offsets and
 * producer ids are safe integers; offset deltas ascend. Nothing is checked: tests build bad batches
 * with it too.
 */
export function buildBatch(records: readonly NewRecord[], fields: BatchFields): Uint8Array {
  const timestamps = records.map((record) => record.timestamp ?? layout.NO_TIMESTAMP);
  const baseTimestamp = timestamps[0] ?? layout.NO_TIMESTAMP;
  const toWrite = records.map((record, index): RecordToWrite => {
    const timestampDelta = (record.timestamp ?? layout.NO_TIMESTAMP) - baseTimestamp;
    const { key, value, headers = [], offsetDelta = index } = record;
    return { key, value, headers, offsetDelta, timestampDelta };
  });
  const encoded = encodeRecords(toWrite);
  const body = fields.codec === undefined ? encoded : fields.codec.compress(encoded);
  const bytes = new Uint8Array(layout.BATCH_HEADER_BYTES + body.length);
  bytes.set(body, layout.RECORDS_AT);
  const view = new DataView(bytes.buffer);
  const lastOffsetDelta = fields.lastOffsetDelta ?? toWrite.at(-1)?.offsetDelta ?? 0;
  writeInt64(view, layout.BASE_OFFSET_AT, fields.baseOffset ?? 0);
  view.setInt32(layout.BATCH_LENGTH_AT, bytes.length - layout.LENGTH_OVERHEAD_BYTES);
  const leaderEpoch = fields.partitionLeaderEpoch ?? layout.NO_PARTITION_LEADER_EPOCH;
  view.setInt32(layout.PARTITION_LEADER_EPOCH_AT, leaderEpoch);
  view.setInt8(layout.MAGIC_AT, layout.MAGIC_V2);
  view.setInt16(layout.ATTRIBUTES_AT, attributesOf(fields));
  view.setInt32(layout.LAST_OFFSET_DELTA_AT, lastOffsetDelta);
  writeInt64(view, layout.BASE_TIMESTAMP_AT, baseTimestamp);
  writeInt64(view, layout.MAX_TIMESTAMP_AT, fields.logAppendTimestamp ?? maxOf(timestamps));
  writeInt64(view, layout.PRODUCER_ID_AT, fields.producerId ?? layout.NO_PRODUCER_ID);
  view.setInt16(layout.PRODUCER_EPOCH_AT, fields.producerEpoch ?? layout.NO_PRODUCER_EPOCH);
  view.setInt32(layout.BASE_SEQUENCE_AT, fields.baseSequence ?? layout.NO_SEQUENCE);
  view.setInt32(layout.RECORD_COUNT_AT, records.length);
  view.setUint32(layout.CRC_AT, computeBatchCrc(bytes, view, 0, fields.crc32c));
  return bytes;
}

function maxOf(timestamps: readonly number[]): number {
  let max = layout.NO_TIMESTAMP;
  for (const timestamp of timestamps) if (timestamp > max) max = timestamp;
  return max;
}

function attributesOf(fields: BatchFields): number {
  return (
    compressionIdOf(fields.codec?.name ?? "none") |
    (fields.timestampType === "LogAppendTime" ? layout.TIMESTAMP_TYPE_BIT : 0) |
    (fields.isTransactional === true ? layout.TRANSACTIONAL_BIT : 0) |
    (fields.isControl === true ? layout.CONTROL_BIT : 0)
  );
}
