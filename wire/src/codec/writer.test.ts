import { describe, expect, it } from "vitest";
import { EncodeError } from "./errors.ts";
import { attachBytesMin, frameBytesMax } from "./limits.ts";
import { Reader } from "./reader.ts";
import { type Uuid, zeroUuid } from "./uuid.ts";
import { Writer } from "./writer.ts";

const largeRecords = new Uint8Array(attachBytesMin * 3).fill(7);

describe("Writer", () => {
  it("puts the length of what follows before a frame", () => {
    const writer = new Writer("frame");
    writer.int32(1);
    writer.records(largeRecords);
    writer.int8(2);
    const { pieces, byteLength } = writer.finish();
    expect(byteLength).toBe(4 + 4 + 4 + largeRecords.length + 1);
    expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(byteLength);
    expect(new Reader(pieces[0] ?? new Uint8Array()).int32()).toBe(byteLength - 4);
  });

  it("attaches large record sets without a copy, and copies small ones", () => {
    const small = Uint8Array.from([1, 2, 3]);
    const writer = new Writer();
    writer.compactRecords([largeRecords, small]);
    const { pieces } = writer.finish();
    expect(pieces[1]).toBe(largeRecords);
    expect([...(pieces[2] ?? [])]).toEqual([1, 2, 3]);
    expect(pieces[2]?.buffer).not.toBe(small.buffer);
  });

  it("gives consecutive runs of records one length", () => {
    const writer = new Writer();
    writer.records([Uint8Array.from([1]), largeRecords, Uint8Array.from([2])]);
    const reader = new Reader(writer.finishBytes());
    expect(reader.records()).toHaveLength(largeRecords.length + 2);
    reader.expectEnd();
  });

  it("refuses a frame of more bytes than its length can announce", () => {
    // Attached and never touched, it takes no memory.
    const half = new Uint8Array((frameBytesMax - 7) / 2);
    const frame = (more: number): number => {
      const writer = new Writer("frame");
      writer.int32(0);
      writer.records([half, half, new Uint8Array(more)]);
      return writer.finish().byteLength;
    };
    expect(() => frame(0)).toThrow(EncodeError);
    const small = new Writer("frame");
    small.records([half]);
    expect(small.finish().byteLength).toBe(8 + half.length);
  });

  it("keeps two open writers apart", () => {
    const first = new Writer();
    const second = new Writer();
    for (let value = 0; value < 10_000; value += 1) {
      first.int32(value);
      second.int32(-value);
    }
    const firstReader = new Reader(first.finishBytes());
    const third = new Writer();
    third.raw(new Uint8Array(64).fill(0xff));
    third.finish();
    const secondReader = new Reader(second.finishBytes());
    for (let value = 0; value < 10_000; value += 1) {
      expect(firstReader.int32()).toBe(value);
      expect(secondReader.int32()).toBe(-value | 0);
    }
  });

  it("puts the size before a tagged field of any size", () => {
    for (const size of [0, 1, 126, 127, 128, 16_383, 16_384, 300_000]) {
      const writer = new Writer();
      writer.attach(largeRecords);
      const outer = writer.beginTaggedField(1);
      const inner = writer.beginTaggedField(2);
      writer.raw(new Uint8Array(size).fill(9));
      writer.endTaggedField(inner);
      writer.endTaggedField(outer);
      const reader = new Reader(writer.finishBytes(), largeRecords.length);
      expect(reader.uvarint()).toBe(1);
      expect(reader.taggedFieldEnd()).toBe(reader.end);
      expect(reader.uvarint()).toBe(2);
      expect(reader.taggedFieldEnd() - reader.position).toBe(size);
      expect(reader.view(size).every((byte) => byte === 9)).toBe(true);
    }
  });

  it("refuses values outside of their type's range", () => {
    const writer = new Writer();
    expect(() => writer.int8(128)).toThrow(EncodeError);
    expect(() => writer.int16(-32_769)).toThrow(EncodeError);
    expect(() => writer.uint16(-1)).toThrow(EncodeError);
    expect(() => writer.int32(2 ** 31)).toThrow(EncodeError);
    expect(() => writer.int32(0.5)).toThrow(EncodeError);
    expect(() => writer.int64(2 ** 53)).toThrow(EncodeError);
    expect(() => writer.int64(Number.NaN)).toThrow(EncodeError);
    expect(() => writer.wideInt64(2n ** 63n)).toThrow(EncodeError);
    expect(() => writer.varint(2 ** 31)).toThrow(EncodeError);
    expect(() => writer.uvarint(-1)).toThrow(EncodeError);
    expect(() => writer.uuid("orders" as Uuid)).toThrow(EncodeError);
    expect(writer.byteLength).toBe(0);
  });

  it("refuses strings that a length of 16 bits cannot announce", () => {
    for (const text of ["x".repeat(32_768), "日".repeat(10_923)]) {
      expect(() => new Writer().string(text)).toThrow(EncodeError);
      expect(() => new Writer().compactString(text)).toThrow(EncodeError);
    }
    const longest = "x".repeat(32_767);
    const writer = new Writer();
    writer.string(longest);
    expect(new Reader(writer.finishBytes()).string()).toBe(longest);
  });

  it("writes ids as their sixteen bytes, also over bytes that were used before", () => {
    const used = new Writer();
    used.raw(new Uint8Array(64).fill(0xff));
    used.finish();
    const writer = new Writer();
    writer.uuid(zeroUuid);
    writer.uuid("00112233445566778899aabbccddeeff" as Uuid);
    const bytes = Buffer.from(writer.finishBytes()).toString("hex");
    expect(bytes).toBe(`${zeroUuid}00112233445566778899aabbccddeeff`);
  });
});
