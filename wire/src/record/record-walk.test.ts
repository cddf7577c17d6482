import { readdirSync, readFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { jsCodecs } from "../compression/js-codecs.ts";
import { crc32c } from "../crc32c.ts";
import { readBaseTimestamp, readRecordCount } from "./batch.ts";
import { buildBatch, type NewRecord } from "./batch-builder.ts";
import { RECORDS_AT } from "./layout.ts";
import { RecordWalk } from "./record-walk.ts";
import { openBatch } from "./records.ts";

/** What the walk should say, by another way: a parser of its own for each record, in BigInt. */
class SlowParser {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isDone(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(count: bigint): Uint8Array {
    if (count < 0n || count > BigInt(this.#bytes.length - this.#at)) {
      throw new RangeError("past the end");
    }
    const from = this.#at;
    this.#at += Number(count);
    return this.#bytes.slice(from, this.#at);
  }

  varint(bits: 32n | 64n): bigint {
    let raw = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (shift >= bits) throw new RangeError("a number without an end");
      const [byte = 0] = this.take(1n);
      raw |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (raw >= 1n << bits) throw new RangeError("more bits than there are");
    return raw % 2n === 0n ? raw / 2n : -(raw + 1n) / 2n;
  }

  nullable(): boolean {
    const length = this.varint(32n);
    if (length !== -1n) this.take(length);
    return length === -1n;
  }
}

interface SlowRecords {
  readonly timestamps: readonly number[];
  readonly keylessCount: number;
}

function parse(body: Uint8Array, count: number, baseTimestamp: number): SlowRecords {
  const parser = new SlowParser(body);
  const timestamps: number[] = [];
  let keylessCount = 0;
  for (let index = 0; index < count; index++) {
    const record = new SlowParser(parser.take(parser.varint(32n)));
    record.take(1n);
    const timestamp = Number(BigInt(baseTimestamp) + record.varint(64n));
    if (!Number.isSafeInteger(timestamp)) throw new RangeError("a timestamp past 2^53");
    timestamps.push(timestamp);
    if (record.varint(32n) !== BigInt(index)) throw new RangeError("another offset");
    if (record.nullable()) keylessCount++;
    record.nullable();
    const headers = record.varint(32n);
    if (headers < 0n || headers > body.length) throw new RangeError("no number of headers");
    for (let header = 0n; header < headers; header++) {
      record.take(record.varint(32n));
      record.nullable();
    }
    if (!record.isDone) throw new RangeError("bytes after the fields");
  }
  if (!parser.isDone) throw new RangeError("bytes after the records");
  return { timestamps, keylessCount };
}

type Outcome = "unsound" | { readonly max: number; readonly min: number; readonly keyless: number };

function walked(body: Uint8Array, count: number, baseTimestamp: number): Outcome {
  const walk = new RecordWalk();
  if (!walk.isSound(body, count, baseTimestamp)) return "unsound";
  return { max: walk.maxTimestamp, min: walk.minTimestamp, keyless: walk.keylessCount };
}

function parsed(body: Uint8Array, count: number, baseTimestamp: number): Outcome {
  let records: SlowRecords;
  try {
    records = parse(body, count, baseTimestamp);
  } catch (error) {
    if (error instanceof RangeError) return "unsound";
    throw error;
  }
  const { timestamps, keylessCount } = records;
  const known = timestamps.filter((timestamp) => timestamp !== -1);
  return { max: Math.max(-1, ...timestamps), min: Math.min(...known), keyless: keylessCount };
}

const nullableBytes = fc.option(
  fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.constantFrom(64, 8_192).map((size) => new Uint8Array(size)),
  ),
);
const anyRecord: fc.Arbitrary<NewRecord> = fc.record({
  key: nullableBytes,
  value: nullableBytes,
  timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: -100, max: 9_000 }), fc.nat(2 ** 50)),
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 9 }), value: nullableBytes }), {
    maxLength: 3,
  }),
});
const anyRecords = fc.array(anyRecord, { minLength: 1, maxLength: 6 });

interface Body {
  readonly bytes: Uint8Array;
  readonly baseTimestamp: number;
}

function bodyOf(records: readonly NewRecord[]): Body {
  const baseTimestamp = records[0]?.timestamp ?? -1;
  return { bytes: buildBatch(records, { crc32c }).subarray(RECORDS_AT), baseTimestamp };
}

it("takes every batch that the writer makes, and tells of its records what a slow parser does", () => {
  fc.assert(
    fc.property(anyRecords, (records) => {
      const { bytes, baseTimestamp } = bodyOf(records);
      const outcome = walked(bytes, records.length, baseTimestamp);
      expect(outcome).not.toBe("unsound");
      expect(outcome).toEqual(parsed(bytes, records.length, baseTimestamp));
    }),
    { numRuns: 200 },
  );
});

it("takes 2,000 records, whose offsets need more than one byte", () => {
  const records = Array.from({ length: 2_000 }, () => ({ key: null, value: null, timestamp: 7 }));
  const { bytes, baseTimestamp } = bodyOf(records);
  expect(walked(bytes, 2_000, baseTimestamp)).toEqual({ max: 7, min: 7, keyless: 2_000 });
  expect(walked(bytes, 1_999, baseTimestamp)).toBe("unsound");
  expect(walked(bytes, 2_001, baseTimestamp)).toBe("unsound");
});

it("takes every batch that Java's client wrote", () => {
  const folder = new URL("../../golden/records/", import.meta.url);
  const rules = { codecs: jsCodecs, decompressedBytesMax: 10_000_000 };
  let seen = 0;
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".bin"))) {
    const bytes = new Uint8Array(readFileSync(new URL(name, folder)));
    const open = openBatch(bytes, 0, rules);
    // Without Node's codecs gzip and zstd stay closed here.
    if (open.kind === "fault") continue;
    const view = new DataView(bytes.buffer);
    expect(walked(open.body, readRecordCount(view, 0), readBaseTimestamp(view, 0))).toEqual(
      parsed(open.body, open.recordCount, open.baseTimestamp),
    );
    seen++;
  }
  expect(seen).toBeGreaterThan(5);
});

/** Small bodies, so that every byte of the format is hit often. */
const smallRecords = fc.array(
  fc.record({
    key: fc.option(fc.uint8Array({ maxLength: 2 })),
    value: fc.option(fc.uint8Array({ maxLength: 70 })),
    timestamp: fc.integer({ min: -1, max: 200 }),
    headers: fc.array(fc.record({ key: fc.string({ maxLength: 1 }), value: fc.constant(null) }), {
      maxLength: 2,
    }),
  }),
  { minLength: 1, maxLength: 3 },
);

it("says of a batch with one byte or one number changed what a slow parser says", () => {
  const seen = { sound: 0, unsound: 0 };
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 3, 0x7f, 0x80, 0xff));
  const longer = fc.array(byte, { maxLength: 11 });
  fc.assert(
    fc.property(smallRecords, fc.nat(), longer, fc.nat(1), (records, where, put, cut) => {
      const { bytes, baseTimestamp } = bodyOf(records);
      const at = where % bytes.length;
      const changed = Uint8Array.from([...bytes.slice(0, at), ...put, ...bytes.slice(at + cut)]);
      const outcome = walked(changed, records.length, baseTimestamp);
      expect(outcome).toEqual(parsed(changed, records.length, baseTimestamp));
      seen[outcome === "unsound" ? "unsound" : "sound"]++;
    }),
    { numRuns: 4_000, seed: 1 },
  );
  expect(seen.sound).toBeGreaterThan(100);
  expect(seen.unsound).toBeGreaterThan(1_000);
});

it("says of a batch with any one bit changed what a slow parser says", () => {
  fc.assert(
    fc.property(smallRecords, (records) => {
      const { bytes, baseTimestamp } = bodyOf(records);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const changed = bytes.slice();
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const outcome = walked(changed, records.length, baseTimestamp);
        expect(outcome).toEqual(parsed(changed, records.length, baseTimestamp));
      }
    }),
    { numRuns: 30, seed: 1 },
  );
});

/** Length, attributes, timestamp, offset, null key, null value, no headers. */
function recordWith(timestampDelta: readonly number[]): Uint8Array {
  return Uint8Array.of((5 + timestampDelta.length) * 2, 0, ...timestampDelta, 0, 1, 1, 0);
}

it("takes timestamps within 2^53, in however many bytes", () => {
  const max = Number.MAX_SAFE_INTEGER;
  const zero = [...Array.from({ length: 9 }, () => 0x80), 0];
  expect(walked(recordWith(zero), 1, max)).toEqual({ max, min: max, keyless: 1 });
  expect(walked(recordWith([2]), 1, max - 1)).toEqual({ max, min: max, keyless: 1 });
  expect(walked(recordWith([2]), 1, max)).toBe("unsound");
  expect(walked(recordWith([1]), 1, 1 - max)).toEqual({ max: -1, min: -max, keyless: 1 });
  expect(walked(recordWith([1]), 1, -max)).toBe("unsound");
  expect(walked(recordWith([...zero.slice(0, 9), 0x80, 0]), 1, 0)).toBe("unsound");
});

it("says of any bytes, and of every truncation, what a slow parser says", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(3), (bytes, count) => {
      expect(walked(bytes, count, 1_000)).toEqual(parsed(bytes, count, 1_000));
    }),
    { numRuns: 1_000 },
  );
  const { bytes, baseTimestamp } = bodyOf([
    { key: Uint8Array.of(1), value: new Uint8Array(70), timestamp: 5 },
    { key: null, value: null, timestamp: 100_000 },
  ]);
  for (let length = 0; length < bytes.length; length++) {
    expect(walked(bytes.subarray(0, length), 2, baseTimestamp)).toBe("unsound");
  }
});
