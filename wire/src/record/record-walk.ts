import { NO_TIMESTAMP, RECORD_BYTES_MIN } from "./layout.ts";

/** Raw varints are zigzag: even for 0 and up, odd for what is negative. */
const RAW_NULL_LENGTH = 1;
/** A varint's fifth byte has four bits left of 32: what is above, each client reads as it likes. */
const LAST_VARINT_BYTE_MAX = 0x0f;
/** Bytes that may follow the first one. */
const VARINT_BYTES_MORE = 4;
const VARLONG_BYTES_MORE = 9;

/**
 * One pass over the records of a decompressed body: are they records, every one of them, and what
 * has to be known of them all to accept the batch. It is on the path of every produced byte, so it
 * allocates nothing, reads no byte of keys and values, and names no fault: whoever refuses a batch
 * has the time to look again, with `RecordReader`.
 *
 * Stricter than reading needs to be, because what one client reads another may not: a length below
 * -1, or a varint with bits past its 32, is refused. Source of the format: KIP-98.
 */
export class RecordWalk {
  /** ms since 1970, the largest of the records'; -1: none has one. */
  maxTimestamp: number = NO_TIMESTAMP;
  /** ms since 1970, the smallest of the records that have one; Infinity: none has. */
  minTimestamp: number = Number.POSITIVE_INFINITY;
  /** Records without a key. */
  keylessCount = 0;
  /** Where the varint that was read last ends; past its limit where it has no end within it. */
  #at = 0;

  /**
   * Walks `body`, which has to be exactly `count` records at the offsets 0, 1, 2 … of their batch.
   * Called once; after false the fields say nothing.
   *
   * Varints of one byte are read in place, since nearly all are that short and a call costs more
   * than reading one. `at` only grows: where it is `end` at last, no field went past its record;
   * it is compared before that so that no read goes past the body, which would slow all of them.
   */
  isSound(body: Uint8Array, count: number, baseTimestamp: number): boolean {
    const bodyEnd = body.length;
    const noTimestampDelta = NO_TIMESTAMP - baseTimestamp;
    let minDelta = Number.POSITIVE_INFINITY;
    let maxDelta = Number.NEGATIVE_INFINITY;
    let at = 0;
    for (let index = 0; index < count; index++) {
      if (bodyEnd - at < RECORD_BYTES_MIN) return false;
      let raw = body[at++] as number;
      if (raw >= 0x80) {
        raw = this.#longVarint(body, at, bodyEnd);
        at = this.#at;
      }
      const end = at + (raw >>> 1);
      if ((raw & 1) !== 0 || end > bodyEnd || end - at < RECORD_BYTES_MIN - 1) return false;
      // The record's own attributes have no use in this format.
      at++;
      raw = body[at++] as number;
      let delta = (raw >>> 1) ^ -(raw & 1);
      if (raw >= 0x80) {
        delta = this.#longVarlong(body, at, end);
        at = this.#at;
      }
      if (delta > maxDelta) maxDelta = delta;
      if (delta < minDelta && delta !== noTimestampDelta) minDelta = delta;
      raw = body[at++] as number;
      if (raw >= 0x80) {
        raw = this.#longVarint(body, at, end);
        at = this.#at;
      }
      if (raw !== index * 2 || at >= end) return false;
      raw = body[at++] as number;
      if (raw >= 0x80) {
        raw = this.#longVarint(body, at, end);
        at = this.#at;
      }
      if ((raw & 1) === 0) at += raw >>> 1;
      else if (raw === RAW_NULL_LENGTH) this.keylessCount++;
      else return false;
      if (at >= end) return false;
      raw = body[at++] as number;
      if (raw >= 0x80) {
        raw = this.#longVarint(body, at, end);
        at = this.#at;
      }
      if ((raw & 1) === 0) at += raw >>> 1;
      else if (raw !== RAW_NULL_LENGTH) return false;
      if (at >= end) return false;
      raw = body[at++] as number;
      if (raw !== 0) at = this.#headers(body, at - 1, end);
      if (at !== end) return false;
    }
    return at === bodyEnd && this.#keepTimestamps(baseTimestamp, minDelta, maxDelta);
  }

  /** False where a timestamp is past the safe integers. */
  #keepTimestamps(baseTimestamp: number, minDelta: number, maxDelta: number): boolean {
    if (maxDelta === Number.NEGATIVE_INFINITY) return true;
    const max = baseTimestamp + maxDelta;
    if (max > this.maxTimestamp) this.maxTimestamp = max;
    this.minTimestamp = baseTimestamp + minDelta;
    return max <= Number.MAX_SAFE_INTEGER && this.minTimestamp >= Number.MIN_SAFE_INTEGER;
  }

  /** Where the headers end whose count begins at `from`; -1: they are none. */
  #headers(body: Uint8Array, from: number, end: number): number {
    const count = this.#varint(body, from, end);
    let at = this.#at;
    if ((count & 1) !== 0) return -1;
    for (let left = count >>> 1; left > 0; left--) {
      const keyBytes = this.#varint(body, at, end);
      if ((keyBytes & 1) !== 0) return -1;
      at = this.#at + (keyBytes >>> 1);
      const valueBytes = this.#varint(body, at, end);
      at = this.#at;
      if ((valueBytes & 1) === 0) at += valueBytes >>> 1;
      else if (valueBytes !== RAW_NULL_LENGTH) return -1;
      if (at > end) return -1;
    }
    return at;
  }

  #varint(body: Uint8Array, from: number, limit: number): number {
    if (from >= limit) return this.#endless(limit);
    const first = body[from] as number;
    this.#at = from + 1;
    return first < 0x80 ? first : this.#longVarint(body, from + 1, limit);
  }

  /** The raw number of 32 bits whose first byte lies before `from`. */
  #longVarint(body: Uint8Array, from: number, limit: number): number {
    let raw = (body[from - 1] as number) & 0x7f;
    const end = Math.min(from + VARINT_BYTES_MORE, limit);
    for (let at = from, shift = 7; at < end; at++, shift += 7) {
      const byte = body[at] as number;
      raw |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      if (shift === 28 && byte > LAST_VARINT_BYTE_MAX) break;
      this.#at = at + 1;
      return raw >>> 0;
    }
    return this.#endless(limit);
  }

  /** The number of 64 bits whose first byte lies before `from`, signed, within 2^53. */
  #longVarlong(body: Uint8Array, from: number, limit: number): number {
    let raw = (body[from - 1] as number) & 0x7f;
    let scale = 128;
    const end = Math.min(from + VARLONG_BYTES_MORE, limit);
    for (let at = from; at < end; at++, scale *= 128) {
      const byte = body[at] as number;
      raw += (byte & 0x7f) * scale;
      if (byte >= 0x80) continue;
      if (raw > Number.MAX_SAFE_INTEGER) break;
      this.#at = at + 1;
      return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
    }
    return this.#endless(limit);
  }

  #endless(limit: number): number {
    this.#at = limit + 1;
    return 0;
  }
}
