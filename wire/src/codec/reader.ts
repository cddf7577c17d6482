import { DecodeError } from "./errors.ts";
import { arrayElementsMax, longStringBytesMin, stringBytesMax, taggedFieldsMax } from "./limits.ts";
import { hexOf16, shortAscii } from "./text.ts";
import { utf8Decoder } from "./utf8.ts";
import type { Uuid } from "./uuid.ts";

const safeHigh = 0x200000;
const twoTo27 = 0x8000000;
const twoTo32 = 0x100000000;

/**
 * Reads the protocol's primitives, big-endian, from `bytes[start, end)`.
 *
 * Every method checks what it takes against `end` first and throws DecodeError, and nothing else, if the bytes do not
 * hold it. No method allocates by a length that it has not checked against the bytes left. `records` come back as views
 * of the source; every other value is a copy and outlives them.
 */
export class Reader {
  readonly source: Uint8Array;
  readonly end: number;
  /** Offset in `source` of what is read next. */
  position: number;
  /** Elements that arrays may still have, all of them together: bounds what a message costs decoded. */
  elementsLeft: number = Number.MAX_SAFE_INTEGER;
  /** Strings of `longStringBytesMin` that may still come: bounds what a search in a map costs. */
  longStringsLeft: number = Number.MAX_SAFE_INTEGER;
  private readonly dataView: DataView;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    if (start < 0 || end < start || end > bytes.length) {
      throw new RangeError(`no range [${start}, ${end}) in ${bytes.length} bytes`);
    }
    this.source = bytes;
    this.position = start;
    this.end = end;
    this.dataView = new DataView(bytes.buffer, bytes.byteOffset, end);
  }

  get remaining(): number {
    return this.end - this.position;
  }

  fail(reason: string): never {
    throw new DecodeError(reason, this.position);
  }

  /** Asserts that nothing is left over. */
  expectEnd(): void {
    if (this.position !== this.end) this.fail(`${this.remaining} bytes left over`);
  }

  /** Moves past `count` bytes and returns where they began. */
  private take(count: number): number {
    const at = this.position;
    if (count > this.end - at) this.fail(`${count} bytes wanted, ${this.end - at} left`);
    this.position = at + count;
    return at;
  }

  int8(): number {
    return this.dataView.getInt8(this.take(1));
  }

  boolean(): boolean {
    return this.dataView.getInt8(this.take(1)) !== 0;
  }

  int16(): number {
    return this.dataView.getInt16(this.take(2));
  }

  uint16(): number {
    return this.dataView.getUint16(this.take(2));
  }

  int32(): number {
    return this.dataView.getInt32(this.take(4));
  }

  uint32(): number {
    return this.dataView.getUint32(this.take(4));
  }

  float64(): number {
    return this.dataView.getFloat64(this.take(8));
  }

  /** A 64-bit integer within ±(2^53 - 1). One outside of it is a DecodeError: see `wideInt64`. */
  int64(): number {
    const at = this.take(8);
    const high = this.dataView.getInt32(at);
    const value = high * twoTo32 + this.dataView.getUint32(at + 4);
    if (high >= safeHigh || value < -Number.MAX_SAFE_INTEGER) {
      throw new DecodeError("a 64-bit integer past 2^53", at);
    }
    return value;
  }

  /**
   * An int64, or the nearest of ±(2^53 - 1) where it lies past that: for an offset that a client may
   * choose freely, which then is as far outside of any log.
   */
  clampedInt64(): number {
    const at = this.take(8);
    const value = this.dataView.getInt32(at) * twoTo32 + this.dataView.getUint32(at + 4);
    if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
    return value < -Number.MAX_SAFE_INTEGER ? -Number.MAX_SAFE_INTEGER : value;
  }

  /** All 64 bits, for the few fields where values past 2^53 are usual. Some 30 times slower than `int64`. */
  wideInt64(): bigint {
    return this.dataView.getBigInt64(this.take(8));
  }

  /** An unsigned integer of at most 32 bits, 7 bits a byte, the lowest first. */
  uvarint(): number {
    const first = this.position < this.end ? this.dataView.getUint8(this.position) : 0x80;
    if (first < 0x80) {
      this.position += 1;
      return first;
    }
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.dataView.getUint8(this.take(1));
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.dataView.getUint8(this.take(1));
    if (last > 0x0f) this.fail("a varint of more than 32 bits");
    return (value | (last << 28)) >>> 0;
  }

  /** A zigzag-coded integer of at most 32 bits. */
  varint(): number {
    const coded = this.uvarint();
    return (coded >>> 1) ^ -(coded & 1);
  }

  /** A zigzag-coded 64-bit integer within ±(2^53 - 1), in at most eight bytes. */
  varlong(): number {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.dataView.getUint8(this.take(1));
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (low >>> 1) ^ -(low & 1);
    }
    let high = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.dataView.getUint8(this.take(1));
      high |= (byte & 0x7f) << shift;
      if (byte < 0x80) return this.unzigzag(low, high);
    }
    return this.fail("a varlong past 2^53");
  }

  /** Undoes zigzag on `high * 2^28 + low`, which may need 54 bits and so is halved before it is put together. */
  private unzigzag(low: number, high: number): number {
    const half = (low >>> 1) + high * twoTo27;
    const value = (low & 1) === 0 ? half : -half - 1;
    if (!Number.isSafeInteger(value)) this.fail("a varlong past 2^53");
    return value;
  }

  uuid(): Uuid {
    return hexOf16(this.source, this.take(16)) as Uuid;
  }

  /** The next `length` bytes as text. UTF-8 (RFC 3629) is checked; ASCII, nearly always the case, takes a short way. */
  private text(length: number): string {
    if (length > stringBytesMax) this.fail(`a string of ${length} bytes`);
    const at = this.take(length);
    if (length >= longStringBytesMin) {
      this.longStringsLeft -= 1;
      if (this.longStringsLeft < 0)
        this.fail(`too many strings of ${longStringBytesMin} bytes and more`);
    }
    if (length <= 24) {
      const ascii = shortAscii(this.source, at, length);
      if (ascii !== null) return ascii;
    }
    try {
      return utf8Decoder.decode(this.source.subarray(at, at + length));
    } catch {
      throw new DecodeError("malformed UTF-8", at);
    }
  }

  string(): string {
    const length = this.int16();
    return length < 0 ? this.fail("a null string where none may be") : this.text(length);
  }

  nullableString(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.text(length);
  }

  compactString(): string {
    const length = this.uvarint();
    return length === 0 ? this.fail("a null string where none may be") : this.text(length - 1);
  }

  compactNullableString(): string | null {
    const length = this.uvarint();
    return length === 0 ? null : this.text(length - 1);
  }

  /** A view of the next `length` bytes. Whoever keeps it keeps the whole frame, and must copy if the frame is reused. */
  view(length: number): Uint8Array {
    const at = this.take(length);
    return this.source.subarray(at, at + length);
  }

  private copy(length: number): Uint8Array {
    const at = this.take(length);
    return this.source.slice(at, at + length);
  }

  /** -1 for null. */
  private length32(): number {
    const length = this.int32();
    if (length < -1) this.fail(`a length of ${length}`);
    return length;
  }

  /** -1 for null. */
  private compactLength(): number {
    return this.uvarint() - 1;
  }

  bytes(): Uint8Array {
    const length = this.length32();
    return length < 0 ? this.fail("null bytes where none may be") : this.copy(length);
  }

  nullableBytes(): Uint8Array | null {
    const length = this.length32();
    return length < 0 ? null : this.copy(length);
  }

  compactBytes(): Uint8Array {
    const length = this.compactLength();
    return length < 0 ? this.fail("null bytes where none may be") : this.copy(length);
  }

  compactNullableBytes(): Uint8Array | null {
    const length = this.compactLength();
    return length < 0 ? null : this.copy(length);
  }

  records(): Uint8Array {
    const length = this.length32();
    return length < 0 ? this.fail("null records where none may be") : this.view(length);
  }

  nullableRecords(): Uint8Array | null {
    const length = this.length32();
    return length < 0 ? null : this.view(length);
  }

  compactRecords(): Uint8Array {
    const length = this.compactLength();
    return length < 0 ? this.fail("null records where none may be") : this.view(length);
  }

  compactNullableRecords(): Uint8Array | null {
    const length = this.compactLength();
    return length < 0 ? null : this.view(length);
  }

  /** Checks a claimed element count against its bound and against the bytes left, before anyone allocates by it. */
  private checkedCount(count: number, elementBytesMin: number): number {
    if (count > arrayElementsMax) this.fail(`an array of ${count} elements`);
    if (count > this.elementsLeft) this.fail(`${count} more elements in arrays`);
    if (count > 0) this.elementsLeft -= count;
    if (count * elementBytesMin > this.remaining) {
      this.fail(
        `${count} elements of ${elementBytesMin} bytes or more, ${this.remaining} bytes left`,
      );
    }
    return count;
  }

  /** An array's element count; each element takes `elementBytesMin` bytes or more. */
  arrayCount(elementBytesMin: number): number {
    const count = this.length32();
    if (count < 0) this.fail("a null array where none may be");
    return this.checkedCount(count, elementBytesMin);
  }

  /** As `arrayCount`; -1 for null. */
  nullableArrayCount(elementBytesMin: number): number {
    return this.checkedCount(this.length32(), elementBytesMin);
  }

  compactArrayCount(elementBytesMin: number): number {
    const count = this.compactLength();
    if (count < 0) this.fail("a null array where none may be");
    return this.checkedCount(count, elementBytesMin);
  }

  /** As `compactArrayCount`; -1 for null. */
  compactNullableArrayCount(elementBytesMin: number): number {
    return this.checkedCount(this.compactLength(), elementBytesMin);
  }

  /** The marker before a struct that may be null: true if the struct follows. */
  structFollows(): boolean {
    return this.int8() >= 0;
  }

  /** How many tagged fields follow (KIP-482). */
  taggedFieldCount(): number {
    const count = this.uvarint();
    if (count > taggedFieldsMax) this.fail(`${count} tagged fields`);
    return count;
  }

  /** Reads a tagged field's size and returns the position where the field ends. */
  taggedFieldEnd(): number {
    const size = this.uvarint();
    if (size > this.remaining) this.fail(`a tagged field of ${size} bytes, ${this.remaining} left`);
    return this.position + size;
  }

  /** Asserts that a tagged field took exactly the bytes that it announced. */
  expectPosition(position: number): void {
    if (this.position !== position) this.fail(`a tagged field that should end at byte ${position}`);
  }

  skipTaggedFields(): void {
    for (let left = this.taggedFieldCount(); left > 0; left -= 1) {
      this.uvarint();
      this.position = this.taggedFieldEnd();
    }
  }
}
