import fc from "fast-check";
import { expect, test } from "vitest";
import { jsCodecs } from "../compression/js-codecs.ts";
import { crc32c } from "../crc32c.ts";
import { buildBatch } from "./batch-builder.ts";
import { KeyWalk } from "./key-walk.ts";
import { RecordReader } from "./record-reader.ts";
import { type OpenBatch, openBatch } from "./records.ts";

interface Found {
  readonly offset: number;
  readonly key: string | null;
  readonly hasValue: boolean;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function walked(open: OpenBatch, atOnce = 3): readonly Found[] | "damaged" {
  const offsets = new Float64Array(atOnce);
  const [keyAts, keyBytes] = [new Int32Array(atOnce), new Int32Array(atOnce)];
  const hasValue = new Uint8Array(atOnce);
  const walk = new KeyWalk(open, { offsets, keyAts, keyBytes, hasValue });
  const found: Found[] = [];
  for (;;) {
    const count = walk.next();
    if (count === 0 || count === "damaged") return count === 0 ? found : "damaged";
    for (let i = 0; i < count; i++) {
      const [at = 0, length = 0] = [keyAts[i], keyBytes[i]];
      const key = length < 0 ? null : hex(open.body.subarray(at, at + length));
      found.push({ offset: offsets[i] ?? -1, key, hasValue: hasValue[i] === 1 });
    }
  }
}

function readOneByOne(open: OpenBatch): readonly Found[] | "damaged" {
  const reader = new RecordReader(open.body, open.recordCount);
  const found: Found[] = [];
  for (let step = reader.next(); step !== "end"; step = reader.next()) {
    if (step !== "record") return "damaged";
    const key = reader.key();
    found.push({
      offset: open.baseOffset + reader.offsetDelta,
      key: key === null ? null : hex(key),
      hasValue: reader.valueBytes >= 0,
    });
  }
  return found;
}

function open(batch: Uint8Array): OpenBatch {
  const opened = openBatch(batch, 0, { codecs: jsCodecs, decompressedBytesMax: 10_000_000 });
  if (opened.kind === "fault") throw new Error(opened.fault);
  return opened;
}

const bytes = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 30 }),
  fc.constantFrom(63, 64, 65, 8191, 8192, 20_000).map((length) => new Uint8Array(length).fill(9)),
);
const record = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc.array(fc.record({ key: fc.string({ maxLength: 4 }), value: bytes }), { maxLength: 2 }),
  ),
  timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 2e12 })),
});
const records = fc.array(record, { minLength: 1, maxLength: 8 });

test("finds what a reader finds that reads one record after another", () => {
  fc.assert(
    fc.property(records, fc.integer({ min: 1, max: 9 }), (given, atOnce) => {
      const opened = open(buildBatch(given, { crc32c, baseOffset: 1000 }));
      expect(walked(opened, atOnce)).toEqual(readOneByOne(opened));
    }),
    { seed: 1, numRuns: 300 },
  );
});

test("knows offsets with gaps, however far they lie apart", () => {
  const deltas = [0, 1, 63, 64, 8191, 8192, 1_048_575, 1_048_576, 2_000_000_000];
  const value = new Uint8Array(40);
  const given = deltas.map((offsetDelta) => ({ key: value, value, timestamp: 5, offsetDelta }));
  const opened = open(buildBatch(given, { crc32c, baseOffset: 7 }));
  const found = walked(opened);
  expect(found).toEqual(readOneByOne(opened));
  expect(found).toHaveLength(deltas.length);
});

test("takes a timestamp past the safe integers for damaged, and a far one for none", () => {
  const value = new Uint8Array(40);
  const far = [2 ** 40, 2 ** 45, 2 ** 48, 2 ** 49, 2 ** 51].map((timestamp) => {
    return { key: value, value, timestamp };
  });
  const opened = open(buildBatch([{ key: value, value, timestamp: 0 }, ...far], { crc32c }));
  expect(walked(opened)).toHaveLength(far.length + 1);
  for (const continued of [7, 8, 9, 10]) {
    const timestamp = [...new Uint8Array(continued).fill(0xff), 0x01];
    const rest = [0, 2, 7, 60, ...new Uint8Array(30), 0];
    const body = Uint8Array.from([
      2 * (1 + timestamp.length + rest.length),
      0,
      ...timestamp,
      ...rest,
    ]);
    const wrong = { ...opened, body, recordCount: 1 };
    expect([continued, walked(wrong)]).toEqual([continued, readOneByOne(wrong)]);
  }
});

test("takes for damaged what a reader takes for damaged, wherever a byte is wrong", () => {
  const damage = fc.record({
    at: fc.nat(400),
    to: fc.integer({ min: 0, max: 255 }),
    cut: fc.nat(20),
    more: fc.integer({ min: -1, max: 1 }),
  });
  const short = fc.array(
    fc.record({
      key: fc.option(fc.uint8Array({ maxLength: 6 })),
      value: fc.option(fc.uint8Array({ maxLength: 30 })),
      timestamp: fc.integer({ min: 0, max: 2e12 }),
    }),
    { minLength: 1, maxLength: 8 },
  );
  let damaged = 0;
  fc.assert(
    fc.property(short, damage, (given, { at, cut, more, to }) => {
      const opened = open(buildBatch(given, { crc32c }));
      const body = opened.body.slice(0, Math.max(0, opened.body.length - (more === 0 ? 0 : cut)));
      if (body.length > 0) body[at % body.length] = to;
      const wrong = { ...opened, body, recordCount: opened.recordCount + more };
      const expected = readOneByOne(wrong);
      if (expected === "damaged") damaged += 1;
      expect(walked(wrong)).toEqual(expected);
    }),
    { seed: 1, numRuns: 3000 },
  );
  expect(damaged).toBeGreaterThan(500);
});
