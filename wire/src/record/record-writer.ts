import { utf8Encoder } from "../codec/utf8.ts";
import type { RecordHeader } from "./record-reader.ts";
import { encodeVarint, varintBytes } from "./varint.ts";

/** A record with its offset and timestamp relative to its batch. */
export interface RecordToWrite {
  readonly offsetDelta: number;
  /** Milliseconds, within 2^52 to both sides. */
  readonly timestampDelta: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

interface HeaderToWrite {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

interface SizedRecord {
  readonly record: RecordToWrite;
  readonly headers: readonly HeaderToWrite[];
  /** Bytes that follow the record's length field. */
  readonly bytes: number;
}

function nullableBytes(bytes: Uint8Array | null): number {
  return bytes === null ? varintBytes(-1) : varintBytes(bytes.length) + bytes.length;
}

function sizeRecord(record: RecordToWrite): SizedRecord {
  const headers = record.headers.map(({ key, value }) => ({ key: utf8Encoder.encode(key), value }));
  let bytes =
    1 +
    varintBytes(record.timestampDelta) +
    varintBytes(record.offsetDelta) +
    nullableBytes(record.key) +
    nullableBytes(record.value) +
    varintBytes(headers.length);
  for (const { key, value } of headers) bytes += nullableBytes(key) + nullableBytes(value);
  return { record, headers, bytes };
}

class RecordWriter {
  readonly bytes: Uint8Array;
  #at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  addByte(byte: number): void {
    this.bytes[this.#at++] = byte;
  }

  addVarint(value: number): void {
    this.#at = encodeVarint(this.bytes, this.#at, value);
  }

  addNullable(bytes: Uint8Array | null): void {
    this.addVarint(bytes === null ? -1 : bytes.length);
    if (bytes === null) return;
    this.bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }
}

/** The records one after another, as a batch's body has them before compression. */
export function encodeRecords(records: readonly RecordToWrite[]): Uint8Array {
  const sized = records.map(sizeRecord);
  let size = 0;
  for (const { bytes } of sized) size += varintBytes(bytes) + bytes;
  const writer = new RecordWriter(size);
  for (const { record, headers, bytes } of sized) {
    writer.addVarint(bytes);
    writer.addByte(0);
    writer.addVarint(record.timestampDelta);
    writer.addVarint(record.offsetDelta);
    writer.addNullable(record.key);
    writer.addNullable(record.value);
    writer.addVarint(headers.length);
    for (const { key, value } of headers) {
      writer.addNullable(key);
      writer.addNullable(value);
    }
  }
  return writer.bytes;
}
