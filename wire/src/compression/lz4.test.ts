import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { DecompressError } from "./codec.ts";
import { lz4Codec } from "./lz4.ts";
import { xxhash32 } from "./xxhash32.ts";

const maxBytes = 400_000;
const text = (value: string) => new TextEncoder().encode(value);

function failureOf(bytes: Uint8Array, limit = maxBytes): string {
  try {
    lz4Codec.decompress(bytes, limit);
    return "none";
  } catch (error) {
    if (error instanceof DecompressError) return error.failure;
    throw error;
  }
}

const littleEndian = (value: number) => [
  value & 0xff,
  (value >>> 8) & 0xff,
  (value >>> 16) & 0xff,
  value >>> 24,
];

/** A frame made by hand: flags, the content's size if any, then what follows the header. */
function frame(flags: number, rest: readonly number[], contentBytes?: number): Uint8Array {
  const size = contentBytes === undefined ? [] : [...littleEndian(contentBytes), 0, 0, 0, 0];
  const descriptor = [0x40 | flags, 0x40, ...size];
  const checksum = (xxhash32(Uint8Array.from(descriptor)) >>> 8) & 0xff;
  return Uint8Array.from([0x04, 0x22, 0x4d, 0x18, ...descriptor, checksum, ...rest]);
}

const endMark = [0, 0, 0, 0];
const independent = 0x20;
/** Four literals, then a match of eight at distance four, then five literals. */
const soundBlock = [0x44, 0x61, 0x62, 0x63, 0x64, 4, 0, 0x50, 1, 2, 3, 4, 5];
const soundContent = [...text("abcdabcdabcd"), 1, 2, 3, 4, 5];

function block(bytes: readonly number[]): number[] {
  return [...littleEndian(bytes.length), ...bytes];
}

const anyBytes = fc
  .tuple(fc.uint8Array({ maxLength: 60 }), fc.nat(4_000), fc.uint8Array({ maxLength: 300 }))
  .map(([unit, times, tail]) => {
    const repeated = new Uint8Array(unit.length * times);
    for (let index = 0; index < times; index++) repeated.set(unit, index * unit.length);
    return Uint8Array.from([...repeated, ...tail]);
  });

it("gives back what it compressed at any level", () => {
  fc.assert(
    fc.property(anyBytes, fc.integer({ min: 1, max: 17 }), (bytes, level) => {
      const compressed = lz4Codec.compress(bytes, level);
      expect(lz4Codec.decompress(compressed, bytes.length)).toEqual(bytes);
    }),
    { numRuns: 60 },
  );
});

it("takes fewer bytes the higher the level, but for the default one, which is fast", () => {
  const words = ["order", "paid", "shipped", "customer", "Vienna", "Lisbon", "amount", "total"];
  const content = text(
    Array.from({ length: 9000 }, (_, index) => {
      return `${words[(index * index + (index >> 3)) % words.length]}${index % 97}`;
    }).join(" "),
  );
  const bytesAt = (level?: number): number => lz4Codec.compress(content, level).length;
  expect(bytesAt(9)).toBe(bytesAt());
  expect(bytesAt(3)).toBeLessThan(bytesAt(1));
  expect(bytesAt(8)).toBeLessThan(bytesAt(3));
  expect(bytesAt(1)).toBeLessThan(bytesAt(9));
});

it("gives back what it compressed", () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const compressed = lz4Codec.compress(bytes);
      expect(lz4Codec.decompress(compressed, bytes.length)).toEqual(bytes);
    }),
    { numRuns: 60 },
  );
});

it("makes repetitive bytes much smaller, and noise no larger than a header", () => {
  const bytes = text("the same words again and again; ".repeat(4_000));
  expect(lz4Codec.compress(bytes).length).toBeLessThan(bytes.length / 10);
  const noise = Uint8Array.from({ length: 1_000 }, (_, index) =>
    xxhash32(Uint8Array.of(index, index >>> 8)),
  );
  expect(lz4Codec.compress(noise).length).toBe(noise.length + 15);
});

it("declares independent blocks of 64 KiB, as Java's reader wants them", () => {
  const compressed = lz4Codec.compress(new Uint8Array(10));
  expect([...compressed.subarray(0, 7)]).toEqual([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
});

it("reads independent blocks, with and without the content's size", () => {
  const rest = [...block(soundBlock), ...block(soundBlock), ...endMark];
  const content = Uint8Array.from([...soundContent, ...soundContent]);
  expect(lz4Codec.decompress(frame(independent, rest), 34)).toEqual(content);
  expect(lz4Codec.decompress(frame(independent | 8, rest, 34), 34)).toEqual(content);
  expect(failureOf(frame(independent | 8, rest, 33))).toBe("corrupt");
});

it("reads linked blocks, whose matches reach into the block before", () => {
  const reaching = [0x04, 17, 0, 0x50, 6, 7, 8, 9, 10];
  const rest = [...block(soundBlock), ...block(reaching), ...endMark];
  const content = Uint8Array.from([...soundContent, ...text("abcdabcd"), 6, 7, 8, 9, 10]);
  expect(lz4Codec.decompress(frame(0, rest), maxBytes)).toEqual(content);
  expect(failureOf(frame(independent, rest))).toBe("corrupt");
});

it("reads a frame of the lz4 tool with linked blocks, checksums and the content's size", () => {
  const golden = readFileSync(new URL("../../golden/records/linked.lz4", import.meta.url));
  const lines = Array.from(
    { length: 6_000 },
    (_, index) => `line ${index % 50} of the linked frame\n`,
  );
  const content = text(lines.join(""));
  const read = lz4Codec.decompress(golden, maxBytes);
  expect(new TextDecoder().decode(read)).toBe(new TextDecoder().decode(content));
  expect(failureOf(golden, content.length - 1)).toBe("too-large");
});

it("verifies the checksums of blocks and content where a frame has them", () => {
  const content = Uint8Array.from(soundContent);
  const blockSum = littleEndian(xxhash32(Uint8Array.from(soundBlock)));
  const contentSum = littleEndian(xxhash32(content));
  const rest = [...block(soundBlock), ...blockSum, ...endMark, ...contentSum];
  expect(lz4Codec.decompress(frame(0x34, rest), maxBytes)).toEqual(content);
  for (const at of [rest.length - 1, soundBlock.length + 4]) {
    const wrong = rest.with(at, (rest[at] ?? 0) ^ 1);
    expect(failureOf(frame(0x34, wrong))).toBe("corrupt");
  }
});

it.each([
  ["a match before the beginning", [0x10, 0x61, 2, 0, 0x10, 0x61]],
  ["a match at distance 0", [0x10, 0x61, 0, 0, 0x10, 0x61]],
  ["literals past the block", [0x50, 0x61]],
  ["a length that goes on past the block", [0xf0, 255, 255]],
  ["a sequence without its distance", [0x10, 0x61, 1]],
  ["a match at its end", [0x10, 0x61, 1, 0]],
])("calls a block with %s corrupt", (_, bytes) => {
  expect(failureOf(frame(independent, [...block(bytes), ...endMark]))).toBe("corrupt");
});

it.each([
  ["bytes after its end", frame(independent, [...block(soundBlock), ...endMark, 0])],
  ["no end mark", frame(independent, block(soundBlock))],
  ["a dictionary", frame(independent | 1, [0, 0, 0, 0, ...endMark])],
  ["a reserved flag", frame(independent | 2, endMark)],
  ["another version", frame(0x80, endMark)],
  ["a bad header checksum", frame(independent, endMark).with(6, 0)],
  ["another magic", frame(independent, endMark).with(0, 0)],
])("calls a frame with %s corrupt", (_, bytes) => {
  expect(failureOf(bytes)).toBe("corrupt");
});

it("calls a block larger than its frame allows corrupt", () => {
  const bomb = [
    0x1f,
    0x61,
    1,
    0,
    ...Array.from({ length: 300 }, () => 255),
    0,
    0x50,
    1,
    2,
    3,
    4,
    5,
  ];
  expect(failureOf(frame(independent, [...block(bomb), ...endMark]))).toBe("corrupt");
});

it("refuses a frame that exceeds the limit, by its claim or by its blocks", () => {
  const bytes = new Uint8Array(200_000);
  const compressed = lz4Codec.compress(bytes);
  expect(failureOf(compressed, 199_999)).toBe("too-large");
  expect(failureOf(compressed, 200_000)).toBe("none");
  expect(failureOf(frame(independent | 8, endMark, 0xffffffff))).toBe("too-large");
});

it("calls every cut of a frame corrupt", () => {
  const compressed = lz4Codec.compress(text("abcdefgh".repeat(50)));
  for (let length = 0; length < compressed.length; length++) {
    expect(failureOf(compressed.subarray(0, length))).toBe("corrupt");
  }
});
