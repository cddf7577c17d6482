/**
 * Record batches of magic 2, byte by byte, and with any of their fields wrong. Written against the
 * protocol, apart from `wire/`, but for the codecs that Node does not have. Source: KIP-98.
 */
import { crc32c, jsCodecs } from "@millrace/wire";
import { gzipSync, zstdCompressSync } from "node:zlib";

export type CodecName = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/** In the order of the ids that a batch's attributes carry. */
export const codecNames: readonly CodecName[] = ["none", "gzip", "snappy", "lz4", "zstd"];

const HEADER_BYTES = 61;

/** A zigzag number of up to 64 bits, in seven bits a byte. */
export function varint(value: number | bigint): Buffer {
  const wide = BigInt(value);
  let left = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n));
  const bytes: number[] = [];
  for (; left >= 128n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
  return Buffer.from([...bytes, Number(left)]);
}

export interface Header {
  readonly keyLength?: number;
  readonly key?: string;
  readonly valueLength?: number;
  readonly value?: string;
}

/** What is left out is what a sound record has there. */
export interface RecordFields {
  /** Added to the right length. */
  readonly lengthBy?: number;
  /** In place of the length's bytes. */
  readonly length?: Buffer;
  readonly attributes?: number;
  readonly timestampDelta?: Buffer;
  readonly offsetDelta?: number;
  readonly keyLength?: number;
  readonly key?: string;
  readonly valueLength?: number;
  readonly value?: string | Buffer;
  readonly headerCount?: Buffer;
  readonly headers?: readonly Header[];
  /** After the last field, counted by the length. */
  readonly tail?: Buffer;
}

function lengthAnd(length: number | undefined, bytes: Buffer): Buffer {
  return Buffer.concat([varint(length ?? bytes.length), bytes]);
}

export function record(index: number, fields: RecordFields = {}): Buffer {
  const { headers = [] } = fields;
  const body = Buffer.concat([
    Buffer.from([fields.attributes ?? 0]),
    fields.timestampDelta ?? varint(index),
    varint(fields.offsetDelta ?? index),
    lengthAnd(fields.keyLength, Buffer.from(fields.key ?? `key-${index}`)),
    lengthAnd(fields.valueLength, Buffer.from(fields.value ?? `value-${index}`)),
    fields.headerCount ?? varint(headers.length),
    ...headers.flatMap(({ key, keyLength, value, valueLength }) => [
      lengthAnd(keyLength, Buffer.from(key ?? "header")),
      lengthAnd(valueLength, Buffer.from(value ?? "x")),
    ]),
    fields.tail ?? Buffer.alloc(0),
  ]);
  const length = fields.length ?? varint(body.length + (fields.lengthBy ?? 0));
  return Buffer.concat([length, body]);
}

export interface BatchFields {
  /** The body before compression. */
  readonly records: readonly Buffer[];
  readonly codec: CodecName;
  /** Milliseconds since 1970. */
  readonly baseTimestamp: number;
  readonly maxTimestamp?: number;
  /** In place of how many records there are; `lastOffsetDelta` follows it. */
  readonly count?: number;
  readonly attributes?: number;
  /** None by default. */
  readonly producer?: { readonly id: number; readonly epoch: number; readonly sequence: number };
  /** Changes the compressed body. */
  readonly breakBody?: (body: Buffer) => Buffer;
}

export function compress(codec: CodecName, bytes: Buffer): Buffer {
  switch (codec) {
    case "none":
      return bytes;
    case "gzip":
      return gzipSync(bytes);
    case "zstd":
      return zstdCompressSync(bytes);
    case "snappy":
    case "lz4": {
      const known = jsCodecs[codec];
      if (known === undefined) throw new Error(`no ${codec}`);
      return Buffer.from(known.compress(bytes));
    }
  }
}

/** A batch whose length and CRC are right, whatever else is not. */
export function batch(fields: BatchFields): Buffer {
  const { records, codec, baseTimestamp } = fields;
  const plain = compress(codec, Buffer.concat(records));
  const body = fields.breakBody?.(plain) ?? plain;
  const count = fields.count ?? records.length;
  const bytes = Buffer.concat([Buffer.alloc(HEADER_BYTES), body]);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt32BE(-1, 12);
  bytes.writeInt8(2, 16);
  bytes.writeInt16BE(codecNames.indexOf(codec) | (fields.attributes ?? 0), 21);
  bytes.writeInt32BE(count - 1, 23);
  bytes.writeBigInt64BE(BigInt(baseTimestamp), 27);
  const maxTimestamp = fields.maxTimestamp ?? baseTimestamp + records.length - 1;
  bytes.writeBigInt64BE(BigInt(maxTimestamp), 35);
  bytes.writeBigInt64BE(BigInt(fields.producer?.id ?? -1), 43);
  bytes.writeInt16BE(fields.producer?.epoch ?? -1, 51);
  bytes.writeInt32BE(fields.producer?.sequence ?? -1, 53);
  bytes.writeInt32BE(count, 57);
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
  return bytes;
}
