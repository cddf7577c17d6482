import { expect, it } from "vitest";
import { crc32c } from "../crc32c.ts";
import { computeBatchCrc } from "./batch.ts";
import { buildBatch, type NewRecord } from "./batch-builder.ts";
import * as layout from "./layout.ts";
import { validateBatch } from "./validate-batch.ts";

const records: readonly NewRecord[] = [
  { key: null, value: Uint8Array.of(1) },
  { key: null, value: Uint8Array.of(2) },
];
const producer = { producerId: 9, producerEpoch: 0, baseSequence: 0 };

function built(fields: object = {}, from: readonly NewRecord[] = records): Uint8Array {
  return buildBatch(from, { crc32c, ...fields });
}

/** The batch with one change, sealed again, so that only the change can be at fault. */
function altered(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const view = new DataView(bytes.buffer);
  change(view);
  view.setUint32(layout.CRC_AT, computeBatchCrc(bytes, view, 0, crc32c));
  return bytes;
}

function check(bytes: Uint8Array, origin: "client" | "log" = "client"): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return validateBatch(bytes, view, 0, { crc32c, origin });
}

it("accepts what producers send: plain, idempotent and transactional batches", () => {
  expect(check(built())).toBe("ok");
  expect(check(built(producer))).toBe("ok");
  expect(check(built({ ...producer, isTransactional: true }))).toBe("ok");
  expect(check(built({ producerEpoch: 0, baseSequence: 0 }))).toBe("ok");
});

it("refuses every cut of a batch as truncated", () => {
  const bytes = built();
  for (let length = 0; length < bytes.length; length++) {
    expect(check(bytes.subarray(0, length))).toBe("truncated");
  }
});

it.each([0, 1, 3, -1])("refuses magic %d before it looks at anything else", (magic) => {
  const message = new Uint8Array(34);
  new DataView(message.buffer).setInt8(layout.MAGIC_AT, magic);
  expect(check(message)).toBe("unsupported-magic");
});

it.each([0, -1, 48, -(2 ** 31)])("refuses a length field of %d, less than a header", (length) => {
  const bytes = built();
  new DataView(bytes.buffer).setInt32(layout.BATCH_LENGTH_AT, length);
  expect(check(bytes)).toBe("bad-length");
});

it("refuses a length field that claims more than is left", () => {
  const bytes = built();
  new DataView(bytes.buffer).setInt32(layout.BATCH_LENGTH_AT, 2 ** 31 - 1);
  expect(check(bytes)).toBe("truncated");
});

it("sees any flipped bit of what the CRC covers", () => {
  const bytes = built();
  for (let at: number = layout.CRC_AT; at < bytes.length; at++) {
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    expect(check(bytes)).toBe("bad-crc");
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  }
});

it.each([5, 6, 7])("refuses compression id %d, which no version has", (id) => {
  expect(check(altered(built(), (view) => view.setInt16(layout.ATTRIBUTES_AT, id)))).toBe(
    "unknown-compression",
  );
});

it("refuses a record count that is not one for each offset", () => {
  expect(check(built({}, []))).toBe("record-count");
  expect(check(built({ lastOffsetDelta: 2 }))).toBe("record-count");
  const negative = altered(built(), (view) => view.setInt32(layout.RECORD_COUNT_AT, -1));
  expect(check(negative)).toBe("record-count");
});

it("refuses a record count that the bytes cannot hold", () => {
  const bytes = altered(built(), (view) => {
    view.setInt32(layout.RECORD_COUNT_AT, 2 ** 31 - 1);
    view.setInt32(layout.LAST_OFFSET_DELTA_AT, 2 ** 31 - 2);
  });
  expect(check(bytes)).toBe("record-count");
  expect(check(bytes, "log")).toBe("record-count");
});

it("refuses from clients what only the broker writes, and accepts it in the log", () => {
  const control = built({ ...producer, isControl: true });
  expect(check(control)).toBe("control-batch");
  expect(check(control, "log")).toBe("ok");
  const setHorizon = (view: DataView) =>
    view.setInt16(layout.ATTRIBUTES_AT, layout.DELETE_HORIZON_BIT);
  expect(check(altered(built(), setHorizon))).toBe("delete-horizon");
  expect(check(altered(built(), setHorizon), "log")).toBe("ok");
});

it("refuses producer fields that contradict each other", () => {
  expect(check(built({ isTransactional: true }))).toBe("producer-fields");
  expect(check(built({ ...producer, baseSequence: -1 }))).toBe("producer-fields");
  expect(check(built({ ...producer, producerEpoch: -1 }))).toBe("producer-fields");
  expect(check(built({ ...producer, producerId: -2 }))).toBe("producer-fields");
});

it.each([
  ["producer id", layout.PRODUCER_ID_AT],
  ["base timestamp", layout.BASE_TIMESTAMP_AT],
  ["max timestamp", layout.MAX_TIMESTAMP_AT],
])("refuses a %s past 2^53", (_, at) => {
  const past = (value: bigint) => altered(built(producer), (view) => view.setBigInt64(at, value));
  expect(check(past(2n ** 53n))).toBe("number-range");
  expect(check(past(2n ** 63n - 1n))).toBe("number-range");
  expect(check(past(2n ** 53n - 1n))).toBe("ok");
});

it("accepts in the log what compaction leaves: fewer records than offsets, or none", () => {
  expect(check(built({ lastOffsetDelta: 10 }), "log")).toBe("ok");
  expect(check(built({ lastOffsetDelta: 10 }, []), "log")).toBe("ok");
  expect(check(built({ lastOffsetDelta: 0 }), "log")).toBe("record-count");
  expect(check(built({ baseOffset: -1 }), "log")).toBe("number-range");
});
