import { crc32c, Reader, readRecordsBatch } from "@platformatic/kafka";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Compression, WireRecord } from "../transport.ts";
import {
  type BatchSequence,
  compressRecordBatch,
  recordBatchBound,
  writeRecordBatch,
} from "./record-batch.ts";

const bytes = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null });
const record: fc.Arbitrary<WireRecord> = fc.record({
  key: bytes,
  value: bytes,
  headers: fc.array(fc.tuple(fc.string({ maxLength: 20, unit: "grapheme" }), bytes), {
    maxLength: 4,
  }),
  timestampMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
});

function read(batch: Buffer) {
  const header = readRecordsBatch(Reader.from(batch));
  const records = header.records.map(({ key, value, headers, offsetDelta, timestampDelta }) => ({
    key: key === null ? null : new Uint8Array(key),
    value: value === null ? null : new Uint8Array(value),
    headers: headers.map(([name, header]) => [
      name?.toString() ?? "",
      header === null ? null : new Uint8Array(header),
    ]),
    timestampMs: Number(header.firstTimestamp + timestampDelta),
    offsetDelta,
  }));
  return { header, records };
}

function plainBatch(records: readonly WireRecord[], sequence?: BatchSequence): Buffer {
  return writeRecordBatch(Buffer.alloc(recordBatchBound(records), 0xff), records, sequence);
}

test("what is written is what another implementation reads", () => {
  const property = fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
    const batch = plainBatch(records);
    const { header, records: back } = read(batch);
    expect(back).toEqual(records.map((one, offsetDelta) => ({ ...one, offsetDelta })));
    expect(Number(header.maxTimestamp)).toBe(Math.max(...records.map((one) => one.timestampMs)));
    expect(batch.readUInt32BE(17)).toBe(crc32c(batch.subarray(21)));
    expect(header.length).toBe(batch.length - 12);
  });
  fc.assert(property, { seed: 7, numRuns: 200 });
});

test.for(["gzip", "snappy", "lz4", "zstd"] satisfies Exclude<Compression, "none">[])(
  "a batch is smaller and the same with %s",
  async (compression) => {
    const value = new Uint8Array(Buffer.from("the same again and again ".repeat(100)));
    const one: WireRecord = { key: null, value, headers: [], timestampMs: 1 };
    const sequence = { identity: { producerId: 5n, producerEpoch: 3 }, first: 17 };
    const batch = await compressRecordBatch(plainBatch([one, one], sequence), compression);
    expect(batch.length).toBeLessThan(value.length);
    const { header, records } = read(batch);
    expect(records.map((back) => back.value)).toEqual([value, value]);
    expect(header).toMatchObject({ producerId: 5n, producerEpoch: 3, firstSequence: 17 });
  },
);
