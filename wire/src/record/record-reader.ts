import { lenientUtf8Decoder } from "../codec/utf8.ts";
/**
 * Why the bytes of a batch's body are no records.
 *
 * - `record-length`: a record's length is less than it needs or exceeds what is left.
 * - `record-fields`: a field's length goes past the record, or bytes are left after its fields.
 * - `number-range`: a varint without an end.
 * - `timestamp-range`: a timestamp past 2^53.
 * - `missing-records`: the body ends before the header's count is reached.
 * - `trailing-bytes`: bytes follow the last record.
 */
export type RecordFault =
  | "record-length"
  | "record-fields"
  | "number-range"
  | "timestamp-range"
  | "missing-records"
  | "trailing-bytes";

/** One header of a record. Keys may repeat; their order means something. */
export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

const NULL_LENGTH = -1;
const VARINT_BYTES_MAX = 5;
const VARLONG_BYTES_MAX = 10;

/**
 * Reads the records of a decompressed body one after another.
 *
 * `next` moves to the next record and checks it whole, its headers included; its fields then stand
 * until the next call. Keys, values and headers' values are views of the body: copy what must
 * outlive it. Nothing is allocated but what is asked for, and no read goes past the body.
 */
export class RecordReader {
  /** Where the current record begins and ends in the body, its length field included. */
  start = 0;
  end = 0;
  /** The current record's place in the batch, from 0. */
  index = -1;
  offsetDelta = 0;
  timestampDelta = 0;
  /** Bytes, or -1 for null. */
  keyBytes = -1;
  /** Bytes, or -1 for null. */
  valueBytes = -1;
  headerCount = 0;

  readonly #body: Uint8Array;
  readonly #count: number;
  #keyAt = 0;
  #valueAt = 0;
  #headersAt = 0;
  #at = 0;
  /** No read goes past this: the end of the body, then of the record. */
  #limit = 0;
  #fault: RecordFault | undefined;

  /** `count` is what the batch's header says. */
  constructor(body: Uint8Array, count: number) {
    this.#body = body;
    this.#count = count;
  }

  /** Moves to the next record. After a fault or `end` it gives the same again. */
  next(): "record" | "end" | RecordFault {
    if (this.#fault !== undefined) return this.#fault;
    const bodyEnd = this.#body.length;
    if (this.index + 1 >= this.#count) {
      if (this.#at < bodyEnd) return this.#fail("trailing-bytes");
      return "end";
    }
    this.index++;
    if (this.#at >= bodyEnd) return this.#fail("missing-records");
    this.start = this.#at;
    this.#limit = bodyEnd;
    const length = this.#readVarint();
    if (this.#fault !== undefined) return this.#fault;
    if (length < 1 || length > bodyEnd - this.#at) return this.#fail("record-length");
    this.end = this.#at + length;
    this.#limit = this.end;
    this.#readFields();
    if (this.#fault !== undefined) return this.#fault;
    return this.#at === this.end ? "record" : this.#fail("record-fields");
  }

  /**
   * Moves past the next record by its length alone, so that of its fields only `index`, `start` and
   * `end` are right. For bodies that were read to their end before, without a fault.
   */
  passOver(): void {
    this.index++;
    this.start = this.#at;
    this.#limit = this.#body.length;
    const length = this.#readVarint();
    this.#at += length;
    this.end = this.#at;
  }

  /** Where the current record's key begins in the body. */
  get keyAt(): number {
    return this.#keyAt;
  }

  key(): Uint8Array | null {
    return this.#view(this.#keyAt, this.keyBytes);
  }

  value(): Uint8Array | null {
    return this.#view(this.#valueAt, this.valueBytes);
  }

  headers(): readonly RecordHeader[] {
    const headers: RecordHeader[] = [];
    const resumeAt = this.#at;
    this.#at = this.#headersAt;
    for (let index = 0; index < this.headerCount; index++) {
      const keyBytes = this.#readVarint();
      const key = lenientUtf8Decoder.decode(this.#body.subarray(this.#at, this.#at + keyBytes));
      this.#at += keyBytes;
      const valueBytes = this.#readVarint();
      const value = this.#view(this.#at, valueBytes);
      if (valueBytes > 0) this.#at += valueBytes;
      headers.push({ key, value });
    }
    this.#at = resumeAt;
    return headers;
  }

  #readFields(): void {
    // The record's own attributes have no use in this format.
    this.#skip(1);
    this.timestampDelta = this.#readVarlong();
    this.offsetDelta = this.#readVarint();
    this.keyBytes = this.#readVarint();
    this.#keyAt = this.#at;
    this.#skipNullable(this.keyBytes);
    this.valueBytes = this.#readVarint();
    this.#valueAt = this.#at;
    this.#skipNullable(this.valueBytes);
    this.headerCount = this.#readVarint();
    this.#headersAt = this.#at;
    if (this.headerCount < 0) this.#fail("record-fields");
    for (let index = 0; index < this.headerCount && this.#fault === undefined; index++) {
      this.#skip(this.#readVarint());
      this.#skipNullable(this.#readVarint());
    }
  }

  #view(at: number, length: number): Uint8Array | null {
    return length < 0 ? null : this.#body.subarray(at, at + length);
  }

  #skipNullable(length: number): void {
    if (length !== NULL_LENGTH) this.#skip(length);
  }

  #skip(length: number): void {
    if (length < 0 || length > this.#limit - this.#at) this.#fail("record-fields");
    else this.#at += length;
  }

  /** The first fault stands: what is read after it means nothing. */
  #fail(fault: RecordFault): RecordFault {
    this.#fault ??= fault;
    return this.#fault;
  }

  /** A zigzag number of 32 bits; 0 after a fault. */
  #readVarint(): number {
    // Nearly all are one byte long.
    const first = this.#at < this.#limit ? (this.#body[this.#at] as number) : 0x80;
    if (first < 0x80) {
      this.#at++;
      return (first >>> 1) ^ -(first & 1);
    }
    let raw = 0;
    for (let index = 0; index < VARINT_BYTES_MAX; index++) {
      if (this.#at >= this.#limit) return this.#failedRead("record-fields");
      const byte = this.#body[this.#at++] as number;
      raw |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
    return this.#failedRead("number-range");
  }

  /** A zigzag number of 64 bits, within the safe integers; 0 after a fault. */
  #readVarlong(): number {
    let raw = 0;
    let scale = 1;
    for (let index = 0; index < VARLONG_BYTES_MAX; index++) {
      if (this.#at >= this.#limit) return this.#failedRead("record-fields");
      const byte = this.#body[this.#at++] as number;
      raw += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte >= 0x80) continue;
      if (raw > Number.MAX_SAFE_INTEGER) return this.#failedRead("timestamp-range");
      return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
    }
    return this.#failedRead("number-range");
  }

  #failedRead(fault: RecordFault): number {
    this.#fail(fault);
    return 0;
  }
}
