import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import {
  buildBatch,
  type Codec,
  DecompressError,
  jsCodecs,
  lz4Codec,
  type NewRecord,
  openBatch,
  type OpenRules,
  type ReadRecord,
  readRecords,
  snappyCodec,
  validateRecords,
} from "@millrace/wire";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { gzipCodec, loadCodecs, nativeSnappyCodec, zstdCodec } from "./codecs.ts";
import { crc32c } from "./crc32c.ts";

const require = createRequire(import.meta.url);
const nativeSnappy = nativeSnappyCodec(require("snappy"));
const { codecs } = loadCodecs();
const rules = { codecs, decompressedBytesMax: 1_048_576 };

const implementations: readonly (readonly [string, Codec])[] = [
  ["gzip", gzipCodec],
  ["zstd", zstdCodec],
  ["snappy in JavaScript", snappyCodec],
  ["native snappy", nativeSnappy],
  ["lz4", lz4Codec],
];

const anyBytes = fc
  .tuple(fc.uint8Array({ maxLength: 80 }), fc.nat(2_000), fc.uint8Array({ maxLength: 300 }))
  .map(([unit, times, tail]) => {
    const repeated = new Uint8Array(unit.length * times);
    for (let index = 0; index < times; index++) repeated.set(unit, index * unit.length);
    return Uint8Array.from([...repeated, ...tail]);
  });

function failureOf(codec: Codec, bytes: Uint8Array, maxBytes: number): string {
  try {
    const read = codec.decompress(bytes, maxBytes);
    return read.length <= maxBytes ? "none" : "past the limit";
  } catch (error) {
    if (error instanceof DecompressError) return error.failure;
    throw error;
  }
}

function golden(name: string): Uint8Array {
  return readFileSync(new URL(`../../../wire/golden/records/${name}.bin`, import.meta.url));
}

function recordsOf(batch: Uint8Array, open: OpenRules): readonly ReadRecord[] {
  const read = readRecords(batch, 0, open);
  if (read.kind === "fault") throw new Error(read.fault);
  return read.records;
}

/** Plain arrays, so that the comparison does not depend on which class of view holds the bytes. */
function plain(record: Required<NewRecord> | ReadRecord): object {
  const list = (bytes: Uint8Array | null) => bytes && [...bytes];
  return {
    key: list(record.key),
    value: list(record.value),
    timestamp: record.timestamp,
    headers: record.headers.map(({ key, value }) => [key, list(value)]),
  };
}

function bodyOf(name: string): Uint8Array {
  const batch = openBatch(golden(name), 0, rules);
  if (batch.kind === "fault") throw new Error(batch.fault);
  return batch.body;
}

it("has all five codecs, each under its own id", () => {
  expect(Object.entries(codecs).map(([name, codec]) => [name, codec.name, codec.id])).toEqual([
    ["gzip", "gzip", 1],
    ["zstd", "zstd", 4],
    ["snappy", "snappy", 2],
    ["lz4", "lz4", 3],
  ]);
});

it.each(["gzip", "snappy", "lz4", "zstd"])("reads what Java's client compressed by %s", (name) => {
  expect([...bodyOf(`mixed-${name}`)]).toEqual([...bodyOf("mixed-none")]);
  const read = recordsOf(golden(`mixed-${name}`), rules);
  expect(read.map(plain)).toEqual(recordsOf(golden("mixed-none"), rules).map(plain));
  expect(Buffer.compare(bodyOf(`repetitive-${name}`), bodyOf("repetitive-gzip"))).toBe(0);
  const check = { ...rules, requireKeys: true };
  expect(validateRecords(golden(`repetitive-${name}`), 0, check)).toMatchObject({ kind: "ok" });
});

it.each(implementations)("%s gives back what it compressed", (_, codec) => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const read = codec.decompress(codec.compress(bytes), bytes.length);
      expect(Buffer.compare(read, bytes)).toBe(0);
    }),
    { numRuns: 50 },
  );
});

it("snappy in JavaScript and native read each other's output", () => {
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const { length } = bytes;
      const js = snappyCodec.compress(bytes);
      const native = nativeSnappy.compress(bytes);
      expect(Buffer.compare(nativeSnappy.decompress(js, length), bytes)).toBe(0);
      expect(Buffer.compare(snappyCodec.decompress(native, length), bytes)).toBe(0);
    }),
    { numRuns: 50 },
  );
});

/** An independent implementation to compare with. */
interface Lz4Package {
  compressFrameSync(bytes: Uint8Array, options: object): Uint8Array;
  decompressFrameSync(bytes: Uint8Array): Uint8Array;
}

it("lz4 and the encoder and decoder of another implementation read each other's output", () => {
  const lz4: Lz4Package = require("lz4-napi");
  const options = fc.record({ contentChecksum: fc.boolean(), blockChecksums: fc.boolean() });
  fc.assert(
    fc.property(anyBytes, options, (bytes, checksums) => {
      const theirs = lz4.compressFrameSync(bytes, checksums);
      expect(Buffer.compare(lz4Codec.decompress(theirs, bytes.length), bytes)).toBe(0);
      const ours = Buffer.from(lz4Codec.compress(bytes));
      expect(Buffer.compare(lz4.decompressFrameSync(ours), bytes)).toBe(0);
    }),
    { numRuns: 50 },
  );
});

it.each(implementations)("%s refuses a bomb by the limit, to the byte", (_, codec) => {
  const bomb = codec.compress(new Uint8Array(3_000_000));
  expect(failureOf(codec, bomb, 1_000)).toBe("too-large");
  expect(failureOf(codec, bomb, 2_999_999)).toBe("too-large");
  expect(failureOf(codec, bomb, 3_000_000)).toBe("none");
  expect(failureOf(codec, codec.compress(Uint8Array.of(1)), 0)).toBe("too-large");
  expect(failureOf(codec, codec.compress(new Uint8Array(0)), 0)).toBe("none");
});

it.each(implementations)("%s refuses bytes after the stream", (_, codec) => {
  const sound = codec.compress(Buffer.from("words and numbers 123, again and again; ".repeat(50)));
  for (const tail of [Uint8Array.of(0), Uint8Array.of(7, 8, 9)]) {
    expect(failureOf(codec, Buffer.concat([sound, tail]), 10_000)).toBe("corrupt");
  }
});

it.each(implementations)("%s names a failure for every broken stream", (_, codec) => {
  const sound = codec.compress(Buffer.from("words and numbers 123, again and again; ".repeat(50)));
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(edits, fc.nat(sound.length), (changes, length) => {
      const broken = Uint8Array.from(sound).subarray(0, length);
      for (const [at, byte] of changes) if (length > 0) broken[at % length] = byte;
      expect(["none", "corrupt", "too-large"]).toContain(failureOf(codec, broken, 2_000));
    }),
    { numRuns: 500 },
  );
  expect(failureOf(codec, sound.subarray(0, sound.length - 1), 2_000)).toBe("corrupt");
  expect(failureOf(codec, Uint8Array.of(1, 2, 3, 4, 5), 2_000)).toBe("corrupt");
});

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 200 }));
const anyRecords = fc.array(
  fc.record({
    key: bytesOrNull,
    value: bytesOrNull,
    timestamp: fc.integer({ min: -1, max: 2 ** 50 }),
    headers: fc.array(fc.record({ key: fc.string({ unit: "grapheme" }), value: bytesOrNull }), {
      maxLength: 4,
    }),
  }),
  { minLength: 1, maxLength: 20 },
);

it.each(implementations)("%s carries any records through a batch", (_, codec) => {
  const own = { ...rules, codecs: { ...jsCodecs, [codec.name]: codec } };
  fc.assert(
    fc.property(anyRecords, (records) => {
      const batch = buildBatch(records, { crc32c, codec, baseOffset: 50 });
      const read = recordsOf(batch, own);
      const given = records.map((each) => plain({ offsetDelta: 0, ...each }));
      expect(read.map(plain)).toEqual(given);
      expect(read.map(({ offset }) => offset)).toEqual(records.map((_, at) => 50 + at));
    }),
    { numRuns: 40 },
  );
});

it("gzip, zstd and lz4 take the levels that Kafka's topics have, and give back the same", () => {
  const content = new TextEncoder().encode(
    Array.from({ length: 5000 }, (_, index) => `record ${(index * 7919) % 4001}`).join("\n"),
  );
  const levels: readonly (readonly [Codec, readonly number[]])[] = [
    [gzipCodec, [-1, 1, 9]],
    [zstdCodec, [-131_072, -5, 1, 19, 22]],
    [lz4Codec, [1, 9, 17]],
  ];
  for (const [codec, numbers] of levels) {
    const sizes = numbers.map((level) => {
      const compressed = codec.compress(content, level);
      expect(Buffer.compare(codec.decompress(compressed, content.length), content)).toBe(0);
      return compressed.length;
    });
    expect(new Set(sizes).size, codec.name).toBeGreaterThan(1);
  }
  expect(gzipCodec.compress(content, 9).length).toBeLessThan(gzipCodec.compress(content, 1).length);
  const fastest = zstdCodec.compress(content, -131_072);
  expect(zstdCodec.compress(content).length).toBeLessThan(fastest.length);
});
