import {
  BATCH_HEADER_BYTES,
  compressionTypeOf,
  hasDeleteHorizon,
  isControl,
  isTransactional,
  type ReadRecord,
  readBaseOffset,
  readBaseSequence,
  readBatchBytes,
  readCompressionId,
  readCrc,
  readEndTransactionMarker,
  readLastOffset,
  readMaxTimestamp,
  readPartitionLeaderEpoch,
  readProducerEpoch,
  readProducerId,
  readRecordCount,
  readRecords,
  readTimestampType,
  recordLimits,
  validateBatch,
} from "@millrace/wire";
import { headersShownMax, valueBytesShownMax } from "../limits.ts";
import { type Dump, viewOf } from "./dumper.ts";
import type { Fields } from "./report.ts";
import { crcText, shownBytes } from "./shown-bytes.ts";
import type { Source } from "./source.ts";

/** A batch that is whole. */
export interface WholeBatch {
  /** In the source. */
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

/** A segment: batches from its first byte to its last. */
export function dumpSegment(dump: Dump): void {
  for (const batch of dumpBatches(dump, dump.source)) {
    dump.report.count("bytesOfBatches", batch.bytes.length);
  }
}

/**
 * Prints the batches that fill the source, each when the caller asks for it, up to its end or to
 * the first that is damaged: what follows that one is of no use to anybody. `rest`: whether bytes
 * that are no batch are a damage, or nobody knows where batches end.
 */
export function* dumpBatches(
  dump: Dump,
  source: Source,
  rest: "damaged" | "unknown" = "damaged",
): Generator<WholeBatch> {
  const { report } = dump;
  let position = 0;
  let before: { readonly lastOffset: number; readonly leaderEpoch: number } | undefined;
  while (position < source.bytes) {
    const at = source.position + position;
    const found = readBatch(dump, source, position);
    if (typeof found === "string") {
      if (rest === "damaged") report.damage(at, found);
      return;
    }
    const view = viewOf(found);
    const baseOffset = readBaseOffset(view, 0);
    const lastOffset = readLastOffset(view, 0);
    const leaderEpoch = readPartitionLeaderEpoch(view, 0);
    if (before !== undefined && baseOffset <= before.lastOffset) {
      return report.damage(at, "offsets-do-not-ascend");
    }
    if (before !== undefined && leaderEpoch < before.leaderEpoch) {
      return report.damage(at, "leader-epoch-falls");
    }
    report.count("batches");
    report.count("records", readRecordCount(view, 0));
    report.line("batch", { at, ...batchFields(view) });
    if (dump.records === "shown" && !report.isFull) dumpRecords(dump, found, at);
    yield { position, bytes: found, baseOffset, lastOffset };
    before = { lastOffset, leaderEpoch };
    position += found.length;
  }
}

/** The batch at `position`, whole and with a CRC that holds, or what is wrong with it. */
function readBatch(dump: Dump, source: Source, position: number): Uint8Array | string {
  const header = source.read(position, BATCH_HEADER_BYTES);
  if (header.length < BATCH_HEADER_BYTES) return "truncated";
  const length = readBatchBytes(viewOf(header), 0);
  if (length < BATCH_HEADER_BYTES) return "bad-length";
  if (length > source.bytes - position) return "truncated";
  const bytes = source.read(position, length);
  if (bytes.length < length) return "truncated";
  const fault = validateBatch(bytes, viewOf(bytes), 0, { crc32c: dump.crc32c, origin: "log" });
  return fault === "ok" ? bytes : fault;
}

function batchFields(view: DataView): Fields {
  const producerId = readProducerId(view, 0);
  const isIdempotent = producerId >= 0;
  return {
    baseOffset: readBaseOffset(view, 0),
    lastOffset: readLastOffset(view, 0),
    leaderEpoch: readPartitionLeaderEpoch(view, 0),
    bytes: readBatchBytes(view, 0),
    records: readRecordCount(view, 0),
    compression: compressionTypeOf(readCompressionId(view, 0)),
    maxTimestamp: readMaxTimestamp(view, 0),
    timestampType: readTimestampType(view, 0),
    producerId: isIdempotent ? producerId : undefined,
    producerEpoch: isIdempotent ? readProducerEpoch(view, 0) : undefined,
    baseSequence: isIdempotent ? readBaseSequence(view, 0) : undefined,
    transactional: isTransactional(view, 0) || undefined,
    control: isControl(view, 0) || undefined,
    deleteHorizon: hasDeleteHorizon(view, 0) || undefined,
    crc: crcText(readCrc(view, 0)),
  };
}

/** A batch that can't be opened is damaged too: its producer wrote what nobody can read. */
function dumpRecords({ codecs, report }: Dump, batch: Uint8Array, at: number): void {
  const { decompressedBytesMax } = recordLimits;
  const read = readRecords(batch, 0, { codecs, decompressedBytesMax });
  if (read.kind === "fault") {
    report.damage(at, `record ${read.index} of the batch: ${read.fault}`);
    return;
  }
  const control = isControl(viewOf(batch), 0);
  for (const record of read.records) {
    const { headers, key, offset, timestamp, value } = record;
    const shownHeaders = headers.slice(0, headersShownMax).map(headerFields);
    report.line("record", {
      ...{ offset, timestamp },
      ...(control ? markerFields(record) : {}),
      ...shownBytes("key", key),
      ...shownBytes("value", value),
      headers: headers.length === 0 ? undefined : shownHeaders,
      headerCount: headers.length > headersShownMax ? headers.length : undefined,
    });
  }
}

function markerFields({ key, value }: ReadRecord): Fields {
  const marker = readEndTransactionMarker(key, value);
  if (marker === undefined) return {};
  return { marker: marker.result, coordinatorEpoch: marker.coordinatorEpoch };
}

function headerFields(header: ReadRecord["headers"][number]): Fields {
  const { key, value } = header;
  return { key: key.slice(0, valueBytesShownMax), ...shownBytes("value", value) };
}
