/**
 * Records as one batch of format 2 (KIP-98), written in one pass into memory that the caller lends.
 * @platformatic/kafka 2.12.1 makes several buffers a record, and takes one producer id a request.
 */
import { compressionsAlgorithms, crc32c, Writer } from "@platformatic/kafka";
import type { Compression, ProducerIdentity, WireRecord } from "../transport.ts";

const headerBytes = 61;
const lengthAt = 8;
/** The length of a batch counts what follows it. */
const lengthEnd = 12;
const crcAt = 17;
const attributesAt = 21;
/** Of the varints of a record, and of one header. */
const recordOverheadBytes = 40;
const headerOverheadBytes = 10;

export interface BatchSequence {
  readonly identity: ProducerIdentity;
  readonly first: number;
}

/** The bytes that a batch takes uncompressed, at most. */
export function recordBatchBound(records: readonly WireRecord[]): number {
  return records.reduce(addBound, headerBytes);
}

/**
 * Writes an uncompressed batch to the beginning of the memory, which has room for its bound, and
 * returns its part of it.
 */
export function writeRecordBatch(
  memory: Buffer,
  records: readonly WireRecord[],
  sequence?: BatchSequence,
): Buffer {
  const firstMs = records[0]?.timestampMs ?? 0;
  let at = headerBytes;
  let maxMs = firstMs;
  for (let offsetDelta = 0; offsetDelta < records.length; offsetDelta += 1) {
    const record = records[offsetDelta];
    if (record === undefined) break;
    at = writeRecord(memory, at, { record, offsetDelta, deltaMs: record.timestampMs - firstMs });
    if (record.timestampMs > maxMs) maxMs = record.timestampMs;
  }
  const batch = memory.subarray(0, at);
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(-1, lengthEnd);
  batch.writeInt8(2, 16);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(firstMs), 27);
  batch.writeBigInt64BE(BigInt(maxMs), 35);
  batch.writeBigInt64BE(sequence?.identity.producerId ?? -1n, 43);
  batch.writeInt16BE(sequence?.identity.producerEpoch ?? -1, 51);
  batch.writeInt32BE(sequence?.first ?? -1, 53);
  batch.writeInt32BE(records.length, 57);
  return sealed(batch, 0);
}

/** A batch that was written uncompressed, compressed into memory of its own. */
export async function compressRecordBatch(
  batch: Buffer,
  compression: Exclude<Compression, "none">,
): Promise<Buffer> {
  const algorithm = compressionsAlgorithms[compression];
  const plain = batch.subarray(headerBytes);
  const packed =
    "compress" in algorithm ? await algorithm.compress(plain) : algorithm.compressSync(plain);
  return sealed(Buffer.concat([batch.subarray(0, headerBytes), packed]), algorithm.bitmask);
}

function sealed(batch: Buffer, attributes: number): Buffer {
  batch.writeInt32BE(batch.length - lengthEnd, lengthAt);
  batch.writeInt16BE(attributes, attributesAt);
  // A buffer it would copy before it reads it; a writer of one buffer it reads as it is.
  const { dynamicBuffer } = Writer.create().append(batch.subarray(attributesAt));
  batch.writeUInt32BE(crc32c(dynamicBuffer), crcAt);
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

function writeRecord(memory: Buffer, start: number, placed: PlacedRecord): number {
  const { key, value, headers } = placed.record;
  let at = writeVarint(memory, start, bodyBytes(placed));
  memory[at] = 0;
  at = writeVarint(memory, at + 1, placed.deltaMs);
  at = writeVarint(memory, at, placed.offsetDelta);
  at = writeBytes(memory, at, key);
  at = writeBytes(memory, at, value);
  at = writeVarint(memory, at, headers.length);
  for (const [name, headerValue] of headers) {
    const nameAt = writeVarint(memory, at, Buffer.byteLength(name));
    at = nameAt + memory.write(name, nameAt);
    at = writeBytes(memory, at, headerValue);
  }
  return at;
}

/** Of a record without its length. */
function bodyBytes({ record, offsetDelta, deltaMs }: PlacedRecord): number {
  const { key, value, headers } = record;
  let bytes = 1 + varintBytes(deltaMs) + varintBytes(offsetDelta) + varintBytes(headers.length);
  bytes += sizedBytes(key) + sizedBytes(value);
  for (const [name, headerValue] of headers) {
    const nameBytes = Buffer.byteLength(name);
    bytes += varintBytes(nameBytes) + nameBytes + sizedBytes(headerValue);
  }
  return bytes;
}

function sizedBytes(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varintBytes(bytes.length) + bytes.length;
}

function writeBytes(memory: Buffer, at: number, bytes: Uint8Array | null): number {
  if (bytes === null) return writeVarint(memory, at, -1);
  const start = writeVarint(memory, at, bytes.length);
  memory.set(bytes, start);
  return start + bytes.length;
}

/** Zigzag. Arithmetic, not bits: a difference of timestamps may need more than 32 of them. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function varintBytes(value: number): number {
  let rest = zigzag(value);
  let bytes = 1;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    bytes += 1;
  }
  return bytes;
}

function writeVarint(memory: Buffer, start: number, value: number): number {
  let at = start;
  let rest = zigzag(value);
  while (rest >= 0x80) {
    memory[at] = (rest % 0x80) + 0x80;
    at += 1;
    rest = Math.floor(rest / 0x80);
  }
  memory[at] = rest;
  return at + 1;
}
