import * as fc from "fast-check";
import { expect, it } from "vitest";
import { ByteSink } from "./byte-sink.ts";
import { DecompressError } from "./codec.ts";
import { snappyCodec } from "./snappy.ts";
import { encodeSnappy, snappyBytesMax } from "./snappy-block.ts";

const maxBytes = 300_000;
const text = (value: string) => new TextEncoder().encode(value);

function failureOf(bytes: readonly number[] | Uint8Array, limit = maxBytes): string {
  try {
    snappyCodec.decompress(Uint8Array.from(bytes), limit);
    return "none";
  } catch (error) {
    if (error instanceof DecompressError) return error.failure;
    throw error;
  }
}

function raw(bytes: Uint8Array): Uint8Array {
  const sink = new ByteSink(snappyBytesMax(bytes.length));
  encodeSnappy(bytes, 0, bytes.length, sink);
  return sink.take();
}

/** Bytes that repeat themselves near and far, and bytes that do not. */
const anyBytes = fc
  .tuple(fc.uint8Array({ maxLength: 60 }), fc.nat(3_000), fc.uint8Array({ maxLength: 300 }))
  .map(([unit, times, tail]) => {
    const repeated = new Uint8Array(unit.length * times);
    for (let index = 0; index < times; index++) repeated.set(unit, index * unit.length);
    return Uint8Array.from([...repeated, ...tail]);
  });

it("gives back what it compressed, framed or raw", () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      expect(snappyCodec.decompress(snappyCodec.compress(bytes), bytes.length)).toEqual(bytes);
      expect(snappyCodec.decompress(raw(bytes), bytes.length)).toEqual(bytes);
    }),
    { numRuns: 60 },
  );
});

it("makes repetitive bytes much smaller", () => {
  const bytes = text("the same words again and again; ".repeat(4_000));
  expect(snappyCodec.compress(bytes).length).toBeLessThan(bytes.length / 10);
});

it("reads a raw stream with every kind of element", () => {
  // biome-ignore format: an element a line.
  const stream = [
    24, (4 - 1) << 2, 0x61, 0x62, 0x63, 0x64,
    ((4 - 4) << 2) | 1, 4,
    ((8 - 1) << 2) | 2, 4, 0,
    ((4 - 1) << 2) | 3, 16, 0, 0, 0,
    60 << 2, 4 - 1, 0x77, 0x78, 0x79, 0x7a,
  ];
  expect(snappyCodec.decompress(Uint8Array.from(stream), 24)).toEqual(
    text("abcdabcdabcdabcdabcdwxyz"),
  );
});

it("writes xerial's header and chunks of at most 32 KiB", () => {
  const framed = snappyCodec.compress(new Uint8Array(40_000));
  expect([...framed.subarray(0, 16)]).toEqual([
    0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1,
  ]);
  const view = new DataView(framed.buffer, framed.byteOffset);
  const second = 20 + view.getUint32(16);
  expect(second + 4 + view.getUint32(second)).toBe(framed.length);
});

it("reads framed streams that were joined", () => {
  const [one, two] = [text("one ".repeat(20)), text("two ".repeat(20))];
  const joined = [...snappyCodec.compress(one), ...snappyCodec.compress(two)];
  const read = snappyCodec.decompress(Uint8Array.from(joined), maxBytes);
  expect(read).toEqual(Uint8Array.from([...one, ...two]));
});

it.each([
  ["nothing at all", []],
  ["a length without an end", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80]],
  ["a claim that its bytes cannot yield", [0x80, 0x08, 0x00, 0x61]],
  ["a literal past the end", [4, (4 - 1) << 2, 0x61]],
  ["a copy before the beginning", [5, 0, 0x61, ((4 - 4) << 2) | 1, 2]],
  ["a copy of distance 0", [5, 0, 0x61, ((4 - 4) << 2) | 1, 0]],
  ["a copy past the claim", [4, 0, 0x61, ((4 - 4) << 2) | 1, 1]],
  ["an element that ends early", [8, 0, 0x61, ((4 - 1) << 2) | 2, 1]],
  ["more bytes than claimed", [2, (3 - 1) << 2, 0x61, 0x62, 0x63]],
  ["fewer bytes than claimed", [4, (3 - 1) << 2, 0x61, 0x62, 0x63]],
])("calls %s corrupt", (_, bytes) => {
  expect(failureOf(bytes)).toBe("corrupt");
});

it("lets no copy of a chunk reach into the chunk before", () => {
  const first = snappyCodec.compress(text("abcd"));
  const second = [5, 0, 0x61, ((4 - 4) << 2) | 1, 2];
  expect(failureOf([...first, 0, 0, 0, second.length, ...second])).toBe("corrupt");
  const within = second.with(4, 1);
  expect(failureOf([...first, 0, 0, 0, within.length, ...within])).toBe("none");
});

it("refuses a stream that exceeds the limit, chunk by chunk or at once", () => {
  const bytes = new Uint8Array(100_000);
  expect(failureOf(snappyCodec.compress(bytes), 99_999)).toBe("too-large");
  expect(failureOf(raw(bytes), 99_999)).toBe("too-large");
  expect(failureOf(snappyCodec.compress(bytes), 100_000)).toBe("none");
});

it("calls every cut of a framed stream corrupt, or reads the chunks before the cut", () => {
  const framed = snappyCodec.compress(text("abcdefgh".repeat(50)));
  for (let length = 0; length < framed.length; length++) {
    const failure = failureOf(framed.subarray(0, length));
    expect(failure).toBe(length === 16 ? "none" : "corrupt");
  }
});
