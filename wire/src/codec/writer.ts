import { EncodeError } from "./errors.ts";
import { attachBytesMin, frameBytesMax, stringBytesMax, writerChunkBytes } from "./limits.ts";
import { type RecordBytes, recordBytesLength, uvarintBytes } from "./sizes.ts";
import { utf8Encoder } from "./utf8.ts";
import { type Uuid, zeroUuid } from "./uuid.ts";

const twoTo27 = 0x8000000;
const twoTo32 = 0x100000000;

/** Bytes to send in this order. Large record sets are pieces of their own, never copied. */
export interface Frame {
  readonly pieces: readonly Uint8Array[];
  /** Bytes of all the pieces together. */
  readonly byteLength: number;
}

/** The unused rest of the last finished writer's chunk. Encoding never waits, so at most one writer wants it at a time. */
let spareChunk: Uint8Array | null = null;

function takeChunk(): Uint8Array {
  const chunk = spareChunk ?? new Uint8Array(writerChunkBytes);
  spareChunk = null;
  return chunk;
}

/**
 * Writes the protocol's primitives, big-endian, into a chunk that grows, and collects the pieces of one frame.
 *
 * Record sets of `attachBytesMin` or more are attached as they are: their bytes must not change until the frame has
 * been sent. Everything else is copied. Values outside of their type's range throw EncodeError. After `finish`, the
 * writer must not be used again.
 */
export class Writer {
  private chunk: Uint8Array;
  private dataView: DataView;
  /** Where in `chunk` the piece under way began, and where its next byte goes. */
  private pieceStart = 0;
  private position = 0;
  private readonly pieces: Uint8Array[] = [];
  private piecesLength = 0;
  private readonly framed: boolean;

  /** With `"frame"`, the first four bytes are the frame's length, filled in by `finish`; with `"bare"` there are none. */
  constructor(form: "frame" | "bare" = "bare") {
    this.chunk = takeChunk();
    this.dataView = new DataView(this.chunk.buffer, this.chunk.byteOffset, this.chunk.length);
    this.framed = form === "frame";
    if (this.framed) this.reserve(4);
  }

  /** Bytes written so far, the frame's length included. */
  get byteLength(): number {
    return this.piecesLength + this.position - this.pieceStart;
  }

  /** Ends the frame. */
  finish(): Frame {
    const byteLength = this.byteLength;
    this.endPiece();
    if (this.framed) this.putFrameLength(byteLength - 4);
    // A chunk that had to grow is not shared: a small frame would keep all of it alive.
    const shared = this.chunk.buffer.byteLength === writerChunkBytes;
    if (shared && this.chunk.length - this.position >= 64) {
      spareChunk = this.chunk.subarray(this.position);
    }
    return { pieces: this.pieces, byteLength };
  }

  /** As `finish`, in one run of bytes: copies if there are several pieces. */
  finishBytes(): Uint8Array {
    const { pieces, byteLength } = this.finish();
    const [first, second] = pieces;
    if (first !== undefined && second === undefined) return first;
    const all = new Uint8Array(byteLength);
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  private putFrameLength(length: number): void {
    if (length > frameBytesMax) throw new EncodeError(`a frame of ${length} bytes`);
    const first = this.pieces[0];
    if (first === undefined) throw new EncodeError("a frame without its length");
    new DataView(first.buffer, first.byteOffset, 4).setInt32(0, length);
  }

  private endPiece(): void {
    if (this.position === this.pieceStart) return;
    this.pieces.push(this.chunk.subarray(this.pieceStart, this.position));
    this.piecesLength += this.position - this.pieceStart;
    this.pieceStart = this.position;
  }

  /** Moves past `count` bytes and returns where in the chunk they begin. */
  private reserve(count: number): number {
    if (this.position + count > this.chunk.length) this.grow(count);
    const at = this.position;
    this.position = at + count;
    return at;
  }

  private grow(count: number): void {
    const written = this.position - this.pieceStart;
    const size = Math.max(writerChunkBytes, 2 * written, written + count);
    const chunk = new Uint8Array(size);
    chunk.set(this.chunk.subarray(this.pieceStart, this.position));
    this.chunk = chunk;
    this.dataView = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    this.pieceStart = 0;
    this.position = written;
  }

  /** Without a check: `value` is a byte. */
  private byte(value: number): void {
    const at = this.reserve(1);
    this.dataView.setUint8(at, value);
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) outOfRange(value, "an int8");
    const at = this.reserve(1);
    this.dataView.setInt8(at, value);
  }

  boolean(value: boolean): void {
    const at = this.reserve(1);
    this.dataView.setInt8(at, value ? 1 : 0);
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) outOfRange(value, "an int16");
    const at = this.reserve(2);
    this.dataView.setInt16(at, value);
  }

  uint16(value: number): void {
    if ((value & 0xffff) !== value) outOfRange(value, "a uint16");
    const at = this.reserve(2);
    this.dataView.setUint16(at, value);
  }

  int32(value: number): void {
    if ((value | 0) !== value) outOfRange(value, "an int32");
    const at = this.reserve(4);
    this.dataView.setInt32(at, value);
  }

  uint32(value: number): void {
    if (value >>> 0 !== value) outOfRange(value, "a uint32");
    const at = this.reserve(4);
    this.dataView.setUint32(at, value);
  }

  float64(value: number): void {
    const at = this.reserve(8);
    this.dataView.setFloat64(at, value);
  }

  int64(value: number): void {
    if (!Number.isSafeInteger(value)) outOfRange(value, "a safe integer");
    const at = this.reserve(8);
    const high = Math.floor(value / twoTo32);
    this.dataView.setInt32(at, high);
    this.dataView.setUint32(at + 4, value - high * twoTo32);
  }

  wideInt64(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) outOfRange(value, "an int64");
    const at = this.reserve(8);
    this.dataView.setBigInt64(at, value);
  }

  uvarint(value: number): void {
    if (value >>> 0 !== value) outOfRange(value, "a uint32");
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Zigzag-coded. */
  varint(value: number): void {
    if ((value | 0) !== value) outOfRange(value, "an int32");
    this.uvarint(((value << 1) ^ (value >> 31)) >>> 0);
  }

  /** Zigzag-coded, within ±(2^53 - 1). */
  varlong(value: number): void {
    if (!Number.isSafeInteger(value)) outOfRange(value, "a safe integer");
    const sign = value < 0 ? 1 : 0;
    const half = sign === 0 ? value : -value - 1;
    const high = Math.floor(half / twoTo27);
    let low = (half - high * twoTo27) * 2 + sign;
    if (high === 0) {
      this.uvarint(low);
      return;
    }
    for (let count = 0; count < 4; count += 1) {
      this.byte((low & 0x7f) | 0x80);
      low >>>= 7;
    }
    this.uvarint(high);
  }

  uuid(value: Uuid): void {
    if (value.length !== 32) throw new EncodeError(`not a uuid: ${value}`);
    const at = this.reserve(16);
    if (value === zeroUuid) {
      this.chunk.fill(0, at, at + 16);
      return;
    }
    for (let word = 0; word < 4; word += 1) {
      const bits = Number.parseInt(value.slice(word * 8, word * 8 + 8), 16);
      this.dataView.setUint32(at + word * 4, bits);
    }
  }

  /** The number of bytes that `text` took, written from the next byte on; not yet moved past. */
  private putText(text: string, headerBytes: number): number {
    if (text.length > stringBytesMax) throw tooLong(text.length);
    // Three bytes for each UTF-16 unit is the most that UTF-8 can take.
    const room = headerBytes + text.length * 3;
    if (this.position + room > this.chunk.length) this.grow(room);
    const at = this.position + headerBytes;
    const written = this.putAscii(text, at);
    if (written === text.length) return written;
    const length = utf8Encoder.encodeInto(text, this.chunk.subarray(at)).written;
    if (length > stringBytesMax) throw tooLong(length);
    return length;
  }

  /** How many leading characters of `text` are ASCII and were written, or none if it is long. */
  private putAscii(text: string, at: number): number {
    const length = text.length;
    if (length > 48) return -1;
    const chunk = this.chunk;
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code >= 0x80) return index;
      chunk[at + index] = code;
    }
    return length;
  }

  string(text: string): void {
    const length = this.putText(text, 2);
    this.int16(length);
    this.position += length;
  }

  nullableString(text: string | null): void {
    if (text === null) this.int16(-1);
    else this.string(text);
  }

  compactString(text: string): void {
    if (text.length < 42) this.shortCompactString(text);
    else this.longCompactString(text);
  }

  /** At most 126 bytes of UTF-8, so that the length takes one byte. */
  private shortCompactString(text: string): void {
    const length = this.putText(text, 1);
    this.byte(length + 1);
    this.position += length;
  }

  private longCompactString(text: string): void {
    if (text.length > stringBytesMax) throw tooLong(text.length);
    const bytes = utf8Encoder.encode(text);
    if (bytes.length > stringBytesMax) throw tooLong(bytes.length);
    this.uvarint(bytes.length + 1);
    this.raw(bytes);
  }

  compactNullableString(text: string | null): void {
    if (text === null) this.uvarint(0);
    else this.compactString(text);
  }

  /** Copies `bytes` without a length. */
  raw(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.chunk.set(bytes, at);
  }

  bytes(bytes: Uint8Array): void {
    this.int32(bytes.length);
    this.raw(bytes);
  }

  nullableBytes(bytes: Uint8Array | null): void {
    if (bytes === null) this.int32(-1);
    else this.bytes(bytes);
  }

  compactBytes(bytes: Uint8Array): void {
    this.uvarint(bytes.length + 1);
    this.raw(bytes);
  }

  compactNullableBytes(bytes: Uint8Array | null): void {
    if (bytes === null) this.uvarint(0);
    else this.compactBytes(bytes);
  }

  records(records: RecordBytes): void {
    this.int32(recordBytesLength(records));
    this.attach(records);
  }

  nullableRecords(records: RecordBytes | null): void {
    if (records === null) this.int32(-1);
    else this.records(records);
  }

  compactRecords(records: RecordBytes): void {
    this.uvarint(recordBytesLength(records) + 1);
    this.attach(records);
  }

  compactNullableRecords(records: RecordBytes | null): void {
    if (records === null) this.uvarint(0);
    else this.compactRecords(records);
  }

  /** Adds bytes without a length and, if they are many, without a copy. */
  attach(records: RecordBytes): void {
    if (!(records instanceof Uint8Array)) {
      for (const run of records) this.attach(run);
      return;
    }
    if (records.length < attachBytesMin) {
      this.raw(records);
      return;
    }
    this.endPiece();
    this.pieces.push(records);
    this.piecesLength += records.length;
  }

  arrayCount(count: number): void {
    this.int32(count);
  }

  /** -1 stands for null. */
  compactArrayCount(count: number): void {
    this.uvarint(count + 1);
  }

  /** The marker before a struct that may be null. */
  structMarker(struct: object | null): void {
    this.int8(struct === null ? -1 : 1);
  }

  /** Opens a tagged field (KIP-482); its size is put in by `endTaggedField`, which takes what this returns. */
  beginTaggedField(tag: number): number {
    this.uvarint(tag);
    this.reserve(1);
    return this.position - this.pieceStart;
  }

  /** Closes the tagged field. Nothing may have been attached in between. */
  endTaggedField(mark: number): void {
    const size = this.position - this.pieceStart - mark;
    const sizeBytes = uvarintBytes(size);
    if (sizeBytes > 1) this.reserve(sizeBytes - 1);
    const from = this.pieceStart + mark;
    const end = this.position;
    if (sizeBytes > 1) this.chunk.copyWithin(from + sizeBytes - 1, from, from + size);
    this.position = from - 1;
    this.uvarint(size);
    this.position = end;
  }
}

function tooLong(length: number): EncodeError {
  return new EncodeError(`a string of ${length} bytes or more`);
}

function outOfRange(value: number | bigint, type: string): never {
  throw new EncodeError(`${value} is not ${type}`);
}
