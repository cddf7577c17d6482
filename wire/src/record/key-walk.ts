import { RecordReader } from "./record-reader.ts";
import type { OpenBatch } from "./records.ts";

/** Where a `KeyWalk` puts what it finds: entry i of each is about the i-th of some records. */
export interface KeyWalkColumns {
  readonly offsets: Float64Array;
  readonly keyAts: Int32Array;
  /** -1: null. */
  readonly keyBytes: Int32Array;
  /** 1: the record has a value. */
  readonly hasValue: Uint8Array;
}

/**
 * Reads offsets and keys of a batch's records, and whether they have a value, some records at a time.
 * It finds what `RecordReader` finds, in a third of the time: records whose numbers are short and
 * that have no headers, as nearly all are, are read in place, and the others by such a reader.
 */
export class KeyWalk {
  readonly #body: Uint8Array;
  readonly #count: number;
  readonly #baseOffset: number;
  readonly #into: KeyWalkColumns;
  #index = 0;
  #at = 0;

  constructor({ baseOffset, body, recordCount }: OpenBatch, into: KeyWalkColumns) {
    this.#body = body;
    this.#count = recordCount;
    this.#baseOffset = baseOffset;
    this.#into = into;
  }

  /**
   * Fills the columns with the next records, as far as they reach; their number, 0 behind the last.
   * `damaged`: what follows is no record, or no end.
   */
  next(): number | "damaged" {
    const body = this.#body;
    const room = Math.min(this.#into.offsets.length, this.#count - this.#index);
    if (room <= 0) return this.#at === body.length ? 0 : "damaged";
    let at = this.#at;
    for (let i = 0; i < room; i++) {
      let end = this.#readShort(at, i);
      if (end < 0) end = this.#readAny(at, i);
      if (end < 0) return "damaged";
      at = end;
    }
    this.#at = at;
    this.#index += room;
    return room;
  }

  /** Where the record ends; -1: it has to be read by other means. No read goes past the body. */
  #readShort(from: number, i: number): number {
    const body = this.#body;
    const last = body.length - shortBytesMax;
    if (from > last - attributesAndTimestampBytesMax) return -1;
    const length = shortVarint(body, from);
    const fieldsAt = from + (length >>> shortBits);
    const end = fieldsAt + ((length & shortMask) >>> 1);
    // The record's own attributes have no use in this format.
    let at = fieldsAt + 1;
    const timestampLast = at + timestampBytesMax - 1;
    while ((body[at] as number) >= 0x80 && at < timestampLast) at++;
    if ((body[at] as number) >= 0x80) return -1;
    const delta = shortVarint(body, at + 1);
    at += 1 + (delta >>> shortBits);
    if (at > last) return -1;
    const key = shortVarint(body, at);
    at += key >>> shortBits;
    const keyAt = at;
    if ((key & 1) === 0) at += (key & shortMask) >>> 1;
    if (at > last) return -1;
    const value = shortVarint(body, at);
    at += value >>> shortBits;
    if ((value & 1) === 0) at += (value & shortMask) >>> 1;
    const isShort = length !== 0 && delta !== 0 && key !== 0 && value !== 0;
    const isEven = ((length | delta) & 1) === 0;
    const areLengths = isLength(key) && isLength(value);
    // Without headers, the last byte is their number.
    const isWhole = at + 1 === end && at < body.length && body[at] === 0;
    if (!isShort || !isEven || !areLengths || !isWhole) return -1;
    const into = this.#into;
    into.offsets[i] = this.#baseOffset + ((delta & shortMask) >>> 1);
    into.keyAts[i] = keyAt;
    into.keyBytes[i] = (key & 1) === 0 ? (key & shortMask) >>> 1 : -1;
    into.hasValue[i] = (value & 1) === 0 ? 1 : 0;
    return end;
  }

  #readAny(from: number, i: number): number {
    const reader = new RecordReader(this.#body.subarray(from), 1);
    if (reader.next() !== "record") return -1;
    const into = this.#into;
    into.offsets[i] = this.#baseOffset + reader.offsetDelta;
    into.keyAts[i] = from + reader.keyAt;
    into.keyBytes[i] = reader.keyBytes;
    into.hasValue[i] = reader.valueBytes < 0 ? 0 : 1;
    return from + reader.end;
  }
}

/** A short varint has three bytes at most, so that its number, as it lies there, has 21 bits. */
const shortBytesMax = 3;
const shortBits = 21;
const shortMask = 0x1fffff;
/** A longer one may be past the safe integers. */
const timestampBytesMax = 7;
/** All that is read before it is asked again whether the body goes on. */
const attributesAndTimestampBytesMax: number = 1 + timestampBytesMax + 3 * shortBytesMax;

/** How many bytes the varint has, above its number; 0: it is not a short one. */
function shortVarint(body: Uint8Array, at: number): number {
  const first = body[at] as number;
  if (first < 0x80) return (1 << shortBits) | first;
  const second = body[at + 1] as number;
  if (second < 0x80) return (2 << shortBits) | (second << 7) | (first & 0x7f);
  const third = body[at + 2] as number;
  if (third >= 0x80) return 0;
  return (3 << shortBits) | (third << 14) | ((second & 0x7f) << 7) | (first & 0x7f);
}

/** Even, or 1, which is -1: null. */
function isLength(short: number): boolean {
  return (short & 1) === 0 || (short & shortMask) === 1;
}
