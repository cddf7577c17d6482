/**
 * Records as one batch of format 2 (KIP-98), written in one pass into one buffer. @platformatic/kafka
 * 2.12.1 makes several buffers a record, and takes one producer id a request.
 */
import { compressionsAlgorithms, crc32c } from "@platformatic/kafka";
import type { Compression, ProducerIdentity, WireRecord } from "../transport.ts";

const headerBytes = 61;
const crcAt = 17;
const attributesAt = 21;
/** Of the varints of a record, and of one header. */
const recordOverheadBytes = 40;
const headerOverheadBytes = 10;

interface BatchOptions {
  readonly compression: Compression;
  readonly sequence?: { readonly identity: ProducerIdentity; readonly first: number };
}

export async function encodeRecordBatch(
  records: readonly WireRecord[],
  options: BatchOptions,
): Promise<Buffer> {
  const firstMs = records[0]?.timestampMs ?? 0;
  const buffer = Buffer.allocUnsafe(records.reduce(addBound, headerBytes));
  let at = headerBytes;
  let maxMs = firstMs;
  for (const [index, record] of records.entries()) {
    at = writeRecord(buffer, at, {
      record,
      offsetDelta: index,
      deltaMs: record.timestampMs - firstMs,
    });
    if (record.timestampMs > maxMs) maxMs = record.timestampMs;
  }
  const algorithm = compressionsAlgorithms[options.compression];
  let batch = buffer.subarray(0, at);
  if (options.compression !== "none") {
    const plain = batch.subarray(headerBytes);
    const packed =
      "compress" in algorithm ? await algorithm.compress(plain) : algorithm.compressSync(plain);
    batch = Buffer.concat([batch.subarray(0, headerBytes), packed]);
  }
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, 16);
  batch.writeInt16BE(algorithm.bitmask, attributesAt);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(firstMs), 27);
  batch.writeBigInt64BE(BigInt(maxMs), 35);
  batch.writeBigInt64BE(options.sequence?.identity.producerId ?? -1n, 43);
  batch.writeInt16BE(options.sequence?.identity.producerEpoch ?? -1, 51);
  batch.writeInt32BE(options.sequence?.first ?? -1, 53);
  batch.writeInt32BE(records.length, 57);
  batch.writeUInt32BE(crc32c(batch.subarray(attributesAt)), crcAt);
  return batch;
}

function addBound(total: number, { key, value, headers }: WireRecord): number {
  let bytes = total + recordOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, headerValue] of headers) {
    bytes += headerOverheadBytes + name.length * 3 + (headerValue?.length ?? 0);
  }
  return bytes;
}

interface PlacedRecord {
  readonly record: WireRecord;
  readonly offsetDelta: number;
  readonly deltaMs: number;
}

/** Writes the record behind room for its length, then the length, and moves it up to that. */
function writeRecord(buffer: Buffer, start: number, placed: PlacedRecord): number {
  const { key, value, headers } = placed.record;
  const bodyAt = start + 5;
  buffer[bodyAt] = 0;
  let at = writeVarint(buffer, bodyAt + 1, placed.deltaMs);
  at = writeVarint(buffer, at, placed.offsetDelta);
  at = writeBytes(buffer, at, key);
  at = writeBytes(buffer, at, value);
  at = writeVarint(buffer, at, headers.length);
  for (const [name, headerValue] of headers) {
    at = writeBytes(buffer, at, Buffer.from(name));
    at = writeBytes(buffer, at, headerValue);
  }
  const lengthEnd = writeVarint(buffer, start, at - bodyAt);
  buffer.copyWithin(lengthEnd, bodyAt, at);
  return lengthEnd + at - bodyAt;
}

function writeBytes(buffer: Buffer, at: number, bytes: Uint8Array | null): number {
  if (bytes === null) return writeVarint(buffer, at, -1);
  const start = writeVarint(buffer, at, bytes.length);
  buffer.set(bytes, start);
  return start + bytes.length;
}

/** Zigzag. Arithmetic, not bits: a difference of timestamps may need more than 32 of them. */
function writeVarint(buffer: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  while (rest >= 0x80) {
    buffer[at] = (rest % 0x80) + 0x80;
    at += 1;
    rest = Math.floor(rest / 0x80);
  }
  buffer[at] = rest;
  return at + 1;
}
