import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DecodeError } from "./errors.ts";
import { arrayElementsMax, longStringBytesMin, stringBytesMax, taggedFieldsMax } from "./limits.ts";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

function readerOf(...bytes: readonly number[]): Reader {
  return new Reader(Uint8Array.from(bytes));
}

function written(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer();
  write(writer);
  return writer.finishBytes();
}

describe("Reader", () => {
  it("refuses a string of more bytes than the limit even where its bytes are there", () => {
    const text = (length: number): Uint8Array =>
      written((writer) => {
        writer.uvarint(length + 1);
        writer.raw(new Uint8Array(length).fill(0x61));
      });
    expect(new Reader(text(stringBytesMax)).compactString()).toHaveLength(stringBytesMax);
    expect(() => new Reader(text(stringBytesMax + 1)).compactString()).toThrow(DecodeError);
  });

  it("refuses more long strings than there may be, and counts no others", () => {
    const lengths = [longStringBytesMin, longStringBytesMin - 1, stringBytesMax, 0];
    const texts = written((writer) => {
      for (const length of lengths) writer.string("x".repeat(length));
    });
    const read = (longStringsLeft: number): readonly number[] => {
      const reader = new Reader(texts);
      reader.longStringsLeft = longStringsLeft;
      return lengths.map(() => reader.string().length);
    };
    expect(read(2)).toEqual(lengths);
    expect(() => read(1)).toThrow(DecodeError);
  });

  it("refuses more elements than arrays may have together", () => {
    const twoArrays = written((writer) => {
      writer.int32(3);
      writer.int32(2);
    });
    const read = (elementsLeft: number): number => {
      const reader = new Reader(twoArrays);
      reader.elementsLeft = elementsLeft;
      return reader.arrayCount(0) + reader.arrayCount(0);
    };
    expect(read(5)).toBe(5);
    expect(() => read(4)).toThrow(DecodeError);
  });

  it("reads what Writer wrote, for every kind of integer", () => {
    const property = fc.property(fc.maxSafeInteger(), fc.integer(), (long, int) => {
      const bytes = written((writer) => {
        writer.int64(long);
        writer.varlong(long);
        writer.int32(int);
        writer.varint(int);
        writer.uvarint(int >>> 0);
        writer.uint32(int >>> 0);
        writer.wideInt64(BigInt(long));
      });
      const reader = new Reader(bytes);
      expect(reader.int64()).toBe(long);
      expect(reader.varlong()).toBe(long);
      expect(reader.int32()).toBe(int);
      expect(reader.varint()).toBe(int);
      expect(reader.uvarint()).toBe(int >>> 0);
      expect(reader.uint32()).toBe(int >>> 0);
      expect(reader.wideInt64()).toBe(BigInt(long));
      reader.expectEnd();
    });
    fc.assert(property, {
      examples: [
        [Number.MAX_SAFE_INTEGER, -1],
        [Number.MIN_SAFE_INTEGER, 0],
      ],
    });
  });

  it("reads strings of any length and script in both forms", () => {
    const text = fc.oneof(fc.string({ maxLength: 200 }), fc.string({ unit: "grapheme" }));
    const property = fc.property(text, (value) => {
      const bytes = written((writer) => {
        writer.string(value);
        writer.compactString(value);
        writer.nullableString(null);
        writer.compactNullableString(null);
      });
      const reader = new Reader(bytes);
      expect(reader.string()).toBe(value);
      expect(reader.compactString()).toBe(value);
      expect(reader.nullableString()).toBeNull();
      expect(reader.compactNullableString()).toBeNull();
    });
    fc.assert(property);
  });

  it("keeps a byte order mark, which is a character like any other", () => {
    const bytes = written((writer) => writer.string("\ufefforders"));
    expect(new Reader(bytes).string()).toBe("\ufefforders");
  });

  it("refuses a string that is not UTF-8, short or long", () => {
    expect(() => readerOf(0, 2, 0xc3, 0x28).string()).toThrow(DecodeError);
    const long = new Uint8Array(102).fill(0xff);
    long.set([0, 100]);
    expect(() => new Reader(long).string()).toThrow(/malformed UTF-8 at byte 2/);
  });

  it("refuses 64-bit integers past 2^53 unless all bits are asked for", () => {
    const past = [0x00, 0x20, 0, 0, 0, 0, 0, 0];
    expect(() => readerOf(...past).int64()).toThrow(DecodeError);
    expect(readerOf(...past).wideInt64()).toBe(2n ** 53n);
    expect(readerOf(...past).clampedInt64()).toBe(Number.MAX_SAFE_INTEGER);
    expect(readerOf(0x80, 0, 0, 0, 0, 0, 0, 0).clampedInt64()).toBe(Number.MIN_SAFE_INTEGER);
    expect(readerOf(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe).clampedInt64()).toBe(-2);
    expect(() => readerOf(0xff, 0xe0, 0, 0, 0, 0, 0, 0).int64()).toThrow(DecodeError);
    expect(readerOf(0xff, 0xe0, 0, 0, 0, 0, 0, 1).int64()).toBe(Number.MIN_SAFE_INTEGER);
    expect(() => readerOf(0x7f, ...past).varlong()).not.toThrow();
    const maxVarlong = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    expect(() => readerOf(...maxVarlong).varlong()).toThrow(DecodeError);
  });

  it("refuses varints that go on past 32 bits", () => {
    expect(readerOf(0xff, 0xff, 0xff, 0xff, 0x0f).uvarint()).toBe(0xffffffff);
    expect(() => readerOf(0xff, 0xff, 0xff, 0xff, 0x1f).uvarint()).toThrow(DecodeError);
    expect(() => readerOf(0x80, 0x80, 0x80, 0x80, 0x80, 0x00).uvarint()).toThrow(DecodeError);
    expect(() => readerOf(0x80).uvarint()).toThrow(DecodeError);
  });

  it("refuses an element count that the bytes left cannot hold", () => {
    expect(() => readerOf(0x00, 0x00, 0x00, 0x02, 1, 2, 3).arrayCount(2)).toThrow(DecodeError);
    expect(readerOf(0x00, 0x00, 0x00, 0x02, 1, 2, 3, 4).arrayCount(2)).toBe(2);
    expect(() => readerOf(0x7f, 0xff, 0xff, 0xff).arrayCount(1)).toThrow(DecodeError);
    expect(() => readerOf(0xff, 0xff, 0xff, 0xff, 0x0f).compactArrayCount(1)).toThrow(DecodeError);
    expect(() => readerOf(0xff, 0xff, 0xff, 0xfe).nullableArrayCount(1)).toThrow(DecodeError);
  });

  it("refuses more elements than the limit even where their bytes are there", () => {
    const bytes = new Uint8Array(4 + arrayElementsMax + 1);
    new DataView(bytes.buffer).setInt32(0, arrayElementsMax + 1);
    expect(() => new Reader(bytes).arrayCount(1)).toThrow(/an array of 1000001 elements/);
    new DataView(bytes.buffer).setInt32(0, arrayElementsMax);
    expect(new Reader(bytes).arrayCount(1)).toBe(arrayElementsMax);
  });

  it("refuses null where none may be, and gives it where it may", () => {
    const null32 = [0xff, 0xff, 0xff, 0xff];
    expect(() => readerOf(0xff, 0xff).string()).toThrow(DecodeError);
    expect(() => readerOf(0).compactString()).toThrow(DecodeError);
    expect(() => readerOf(...null32).bytes()).toThrow(DecodeError);
    expect(() => readerOf(0).compactRecords()).toThrow(DecodeError);
    expect(() => readerOf(...null32).arrayCount(1)).toThrow(DecodeError);
    expect(() => readerOf(0).compactArrayCount(1)).toThrow(DecodeError);
    expect(readerOf(...null32).nullableBytes()).toBeNull();
    expect(readerOf(0).compactNullableRecords()).toBeNull();
    expect(readerOf(...null32).nullableArrayCount(1)).toBe(-1);
    expect(readerOf(0).compactNullableArrayCount(1)).toBe(-1);
  });

  it("gives records as a view of the source, and bytes as a copy", () => {
    const source = Uint8Array.from([0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9]);
    const reader = new Reader(source);
    const records = reader.records();
    const bytes = reader.bytes();
    source.fill(0);
    expect([...records]).toEqual([0, 0]);
    expect([...bytes]).toEqual([9]);
  });

  it("reads within its range only", () => {
    const source = Uint8Array.from([1, 2, 3, 4, 5, 6]).subarray(1);
    const reader = new Reader(source, 1, 3);
    expect(reader.int16()).toBe(0x0304);
    expect(() => reader.int8()).toThrow(DecodeError);
    expect(() => new Reader(source, 0, 6)).toThrow(RangeError);
  });

  it("skips tagged fields that it does not know, and refuses too many or too large ones", () => {
    const reader = readerOf(2, 5, 1, 0xaa, 9, 0, 0x77);
    reader.skipTaggedFields();
    expect(reader.int8()).toBe(0x77);
    expect(() => readerOf(1, 5, 2, 0xaa).skipTaggedFields()).toThrow(DecodeError);
    const many = written((writer) => writer.uvarint(taggedFieldsMax + 1));
    expect(() => new Reader(many).skipTaggedFields()).toThrow(/10001 tagged fields/);
  });
});
