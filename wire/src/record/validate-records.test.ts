import { expect, it } from "vitest";
import { crc32c } from "../crc32c.ts";
import { buildBatch, type NewRecord } from "./batch-builder.ts";
import * as layout from "./layout.ts";
import { recordLimits } from "./limits.ts";
import { type RecordRules, type RecordsCheck, validateRecords } from "./validate-records.ts";

const rules: RecordRules = { codecs: {}, decompressedBytesMax: 100_000, requireKeys: false };
const key = Uint8Array.of(1);

function check(records: readonly NewRecord[], changed: Partial<RecordRules> = {}): RecordsCheck {
  return validateRecords(buildBatch(records, { crc32c }), 0, { ...rules, ...changed });
}

/** A batch whose body is given byte by byte. */
function checkBody(body: readonly number[], count: number): RecordsCheck {
  const bytes = new Uint8Array(layout.RECORDS_AT + body.length);
  bytes.set(buildBatch([], { crc32c }).subarray(0, layout.RECORDS_AT));
  bytes.set(body, layout.RECORDS_AT);
  const view = new DataView(bytes.buffer);
  view.setInt32(layout.BATCH_LENGTH_AT, bytes.length - layout.LENGTH_OVERHEAD_BYTES);
  view.setInt32(layout.RECORD_COUNT_AT, count);
  return validateRecords(bytes, 0, rules);
}

function invalid(index: number, reason: string): object {
  return { kind: "invalid", errors: [{ index, reason }] };
}

function unsound(index: number, reason: string): object {
  return { kind: "unsound", index, reason };
}

it("accepts sound records and tells the largest timestamp", () => {
  const records = [5, 9, 9, 1].map((timestamp) => ({ key, value: null, timestamp }));
  expect(check(records)).toEqual({ kind: "ok", maxTimestamp: 9 });
  const none = records.map((each) => ({ ...each, timestamp: -1 }));
  expect(check(none)).toEqual({ kind: "ok", maxTimestamp: -1 });
});

it("names each record without a key where keys are required", () => {
  const records = [null, key, null].map((each) => ({ key: each, value: null }));
  expect(check(records)).toMatchObject({ kind: "ok" });
  expect(check(records, { requireKeys: true })).toEqual({
    kind: "invalid",
    errors: [
      { index: 0, reason: "missing-key" },
      { index: 2, reason: "missing-key" },
    ],
  });
});

it("names the first record whose offset does not go up by one from the base", () => {
  const offsets = [0, 2, 2].map((offsetDelta) => ({ key, value: null, offsetDelta }));
  expect(check(offsets)).toEqual(unsound(1, "offset-delta"));
});

it("names records whose timestamps lie outside the range", () => {
  const records = [10, 20, 30].map((timestamp) => ({ key, value: null, timestamp }));
  expect(check(records, { timestamps: { min: 10, max: 30 } })).toMatchObject({ kind: "ok" });
  expect(check(records, { timestamps: { min: 10, max: 29 } })).toEqual(invalid(2, "timestamp"));
  expect(check(records, { timestamps: { min: 11, max: 30 } })).toEqual(invalid(0, "timestamp"));
  const without = [...records, { key, value: null, timestamp: -1 }];
  expect(check(without, { timestamps: { min: 10, max: 30 } })).toMatchObject({ kind: "ok" });
  expect(check(without, { timestamps: { min: 11, max: 30 } })).toEqual(invalid(0, "timestamp"));
});

it("tells of unsound records before all rules that the sound ones break", () => {
  const records = [null, key].map((each, index) => ({
    key: each,
    value: null,
    offsetDelta: 2 * index,
  }));
  expect(check(records, { requireKeys: true })).toEqual(unsound(1, "offset-delta"));
});

it("names a bounded number of records, however many are bad", () => {
  const records = Array.from({ length: 1_000 }, () => ({ key: null, value: null }));
  const outcome = check(records, { requireKeys: true });
  expect(outcome.kind === "invalid" && outcome.errors.length).toBe(recordLimits.recordErrorsMax);
});

/** Length, attributes, timestamp, offset, null key, null value, no headers. */
const sound = [12, 0, 0, 0, 1, 1, 0];

it("accepts a body of one record of the least size", () => {
  expect(checkBody(sound, 1)).toEqual({ kind: "ok", maxTimestamp: -1 });
});

it.each([
  ["no bytes for the record", [], 1, 0, "missing-records"],
  ["fewer records than the header says", sound, 2, 1, "missing-records"],
  ["more bytes than records", [...sound, 0], 1, 0, "trailing-bytes"],
  ["bytes and no records", [0], 0, -1, "trailing-bytes"],
  ["a record of length 0", [0], 1, 0, "record-length"],
  ["a record of negative length", [1, 0, 0, 0, 1, 1, 0], 1, 0, "record-length"],
  ["a record longer than the body", [14, 0, 0, 0, 1, 1, 0], 1, 0, "record-length"],
  ["a length without an end", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0], 1, 0, "number-range"],
  ["a byte after the record's fields", [14, 0, 0, 0, 1, 1, 0, 0], 1, 0, "record-fields"],
  ["fields past the record's length", [10, 0, 0, 0, 1, 1, 0], 1, 0, "record-fields"],
  ["a key past the record", [12, 0, 0, 0, 8, 1, 0], 1, 0, "record-fields"],
  ["a key of length -2", [12, 0, 0, 0, 3, 1, 0], 1, 0, "record-fields"],
  ["a value past the record", [12, 0, 0, 0, 1, 8, 0], 1, 0, "record-fields"],
  ["a negative header count", [12, 0, 0, 0, 1, 1, 1], 1, 0, "record-fields"],
  ["more headers than bytes", [12, 0, 0, 0, 1, 1, 2], 1, 0, "record-fields"],
  ["a header without a key", [16, 0, 0, 0, 1, 1, 2, 1, 1], 1, 0, "record-fields"],
  ["a fault in the second record", [...sound, 12, 0, 0, 2, 8, 1, 0], 2, 1, "record-fields"],
])("refuses %s", (_, body, count, index, reason) => {
  expect(checkBody(body, count)).toEqual(unsound(index, reason));
});

it("refuses a timestamp past 2^53 as a timestamp, and a delta without an end as none", () => {
  const nine = Array.from({ length: 9 }, () => 0xff);
  expect(checkBody([30, 0, ...nine, 1, 0, 1, 1, 0], 1)).toEqual(invalid(0, "timestamp"));
  const max = Number.MAX_SAFE_INTEGER;
  const apart = [max - 1, -max].map((timestamp) => ({ key, value: null, timestamp }));
  expect(check(apart)).toMatchObject({ kind: "invalid", errors: [{ index: 1 }] });
  const endless = [30, 0, ...nine, 0xff, 0, 1, 1, 0];
  expect(checkBody(endless, 1)).toEqual(unsound(0, "number-range"));
});

it("reads a header count that no body can hold without spending time on it", () => {
  const count = [0xfe, 0xff, 0xff, 0xff, 0x0f];
  expect(checkBody([20, 0, 0, 0, 1, 1, ...count], 1)).toEqual(unsound(0, "record-fields"));
});

it("refuses a number that some clients read and others do not", () => {
  const keyBytes = [0x82, 0x80, 0x80, 0x80, 0x10];
  const body = [22, 0, 0, 0, ...keyBytes, 7, 1, 0];
  expect(checkBody(body, 1)).toEqual(unsound(-1, "ambiguous-number"));
  const longForm = [22, 0, 0, 0, ...keyBytes.with(4, 0), 7, 1, 0];
  expect(checkBody(longForm, 1)).toMatchObject({ kind: "ok" });
});
