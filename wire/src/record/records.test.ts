import * as fc from "fast-check";
import { expect, it } from "vitest";
import { jsCodecs } from "../compression/js-codecs.ts";
import { crc32c } from "../crc32c.ts";
import { buildBatch, type NewRecord } from "./batch-builder.ts";
import { RecordReader } from "./record-reader.ts";
import { findMaxTimestamp, findTimestamp, openBatch, readRecords } from "./records.ts";

const rules = { codecs: jsCodecs, decompressedBytesMax: 1_048_576 };
const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 200 }));
const anyRecord: fc.Arbitrary<NewRecord> = fc.record({
  key: bytesOrNull,
  value: bytesOrNull,
  timestamp: fc.integer({ min: -1, max: 2 ** 50 }),
  headers: fc.array(fc.record({ key: fc.string({ unit: "grapheme" }), value: bytesOrNull }), {
    maxLength: 4,
  }),
});

it.each([undefined, jsCodecs.snappy, jsCodecs.lz4])(
  "reads back any records that a batch was built from (codec %#)",
  (codec) => {
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 20 }), (records) => {
        const fields = { crc32c, baseOffset: 1_000, ...(codec && { codec }) };
        const read = readRecords(buildBatch(records, fields), 0, rules);
        const expected = records.map((record, index) => ({ ...record, offset: 1_000 + index }));
        expect(read).toEqual({ kind: "records", records: expected });
      }),
    );
  },
);

it("reads the offsets of a batch from which compaction removed records", () => {
  const records = [3, 4, 90].map((offsetDelta) => ({ key: null, value: null, offsetDelta }));
  const batch = buildBatch(records, { crc32c, baseOffset: 100, lastOffsetDelta: 120 });
  const read = readRecords(batch, 0, rules);
  expect(read).toMatchObject({ records: [{ offset: 103 }, { offset: 104 }, { offset: 190 }] });
});

it("shows where each record lies, so that it can be copied without being parsed", () => {
  const records = [7, 100, 0].map((size) => ({
    key: null,
    value: new Uint8Array(size).fill(size),
  }));
  const batch = openBatch(buildBatch(records, { crc32c }), 0, rules);
  if (batch.kind === "fault") throw new Error(batch.fault);
  const reader = new RecordReader(batch.body, batch.recordCount);
  const pieces: number[] = [];
  while (reader.next() === "record") pieces.push(...batch.body.subarray(reader.start, reader.end));
  expect(reader.next()).toBe("end");
  expect(pieces).toEqual([...batch.body]);
});

it("gives the headers as often as asked, without losing its place", () => {
  const headers = [{ key: "a", value: Uint8Array.of(1) }];
  const record = { key: null, value: null, headers };
  const batch = openBatch(buildBatch([record, record], { crc32c }), 0, rules);
  if (batch.kind === "fault") throw new Error(batch.fault);
  const reader = new RecordReader(batch.body, 2);
  expect(reader.next()).toBe("record");
  expect(reader.headers()).toEqual(headers);
  expect(reader.headers()).toEqual(headers);
  expect(reader.next()).toBe("record");
  expect(reader.headers()).toEqual(headers);
});

it("finds the largest timestamp and the first record at or after a time", () => {
  const timestamps = [50, 10, 90, 90, 20];
  const records = timestamps.map((timestamp) => ({ key: null, value: null, timestamp }));
  const batch = openBatch(buildBatch(records, { crc32c, baseOffset: 1_000 }), 0, rules);
  if (batch.kind === "fault") throw new Error(batch.fault);
  expect(findMaxTimestamp(batch)).toEqual({ offset: 1_002, timestamp: 90 });
  const find = (timestamp: number, startOffset: number) =>
    findTimestamp(batch, { timestamp, startOffset });
  expect(find(0, 0)).toEqual({ offset: 1_000, timestamp: 50 });
  expect(find(51, 0)).toEqual({ offset: 1_002, timestamp: 90 });
  expect(find(51, 1_003)).toEqual({ offset: 1_003, timestamp: 90 });
  expect(find(15, 1_004)).toEqual({ offset: 1_004, timestamp: 20 });
  expect(find(91, 0)).toBeUndefined();
});

it("names a codec that is missing, and a compressed body over the limit", () => {
  const { lz4 } = jsCodecs;
  const records = [{ key: null, value: new Uint8Array(100) }];
  const batch = buildBatch(records, { crc32c, ...(lz4 && { codec: lz4 }) });
  const without = { ...rules, codecs: {} };
  expect(openBatch(batch, 0, without)).toEqual({ kind: "fault", fault: "unsupported-compression" });
  const small = { ...rules, decompressedBytesMax: 99 };
  expect(openBatch(batch, 0, small)).toEqual({ kind: "fault", fault: "too-large" });
  const plain = buildBatch(records, { crc32c });
  expect(openBatch(plain, 0, small)).toMatchObject({ kind: "open", recordCount: 1 });
});
