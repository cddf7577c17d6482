import * as fc from "fast-check";
import { expect, it } from "vitest";
import { crc32c } from "../crc32c.ts";
import {
  readBaseOffset,
  readBatchHeader,
  readLastOffset,
  readLastSequence,
  readPartitionLeaderEpoch,
  writeBaseOffset,
  writeMaxTimestamp,
  writePartitionLeaderEpoch,
} from "./batch.ts";
import { buildBatch } from "./batch-builder.ts";
import { readRecords } from "./records.ts";
import { validateBatch } from "./validate-batch.ts";

const records = [
  { key: null, value: Uint8Array.of(1), timestamp: 1_000 },
  { key: null, value: Uint8Array.of(2), timestamp: 2_000 },
];

function batch(fields: object = {}): { bytes: Uint8Array; view: DataView } {
  const bytes = buildBatch(records, { crc32c, ...fields });
  return { bytes, view: new DataView(bytes.buffer) };
}

const rules = { crc32c, origin: "client" } as const;

it("reads back every field that a batch was built with", () => {
  const timestamps = fc.integer({ min: -1, max: 2 ** 51 });
  const fields = fc.record({
    baseOffset: fc.maxSafeNat(),
    partitionLeaderEpoch: fc.integer(),
    producerId: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
    producerEpoch: fc.integer({ min: -1, max: 32_767 }),
    baseSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    isTransactional: fc.boolean(),
    isControl: fc.boolean(),
    lastOffsetDelta: fc.nat(2 ** 31 - 1),
  });
  fc.assert(
    fc.property(fields, timestamps, (given, timestamp) => {
      const bytes = buildBatch([{ key: null, value: null, timestamp }], { crc32c, ...given });
      const read = readBatchHeader(bytes, 0);
      expect(read).toMatchObject(given);
      expect(read).toMatchObject({ baseTimestamp: timestamp, maxTimestamp: timestamp });
    }),
  );
});

it("writes the base offset and the leader epoch without touching what the CRC covers", () => {
  const { bytes, view } = batch();
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(2 ** 31 - 1), (offset, epoch) => {
      writeBaseOffset(view, 0, offset);
      writePartitionLeaderEpoch(view, 0, epoch);
      expect(readBaseOffset(view, 0)).toBe(offset);
      expect(readLastOffset(view, 0)).toBe(offset + 1);
      expect(readPartitionLeaderEpoch(view, 0)).toBe(epoch);
      expect(validateBatch(bytes, view, 0, rules)).toBe("ok");
    }),
  );
});

it("keeps the CRC right when it sets the time of the append for all records", () => {
  const { bytes, view } = batch();
  const time = { type: "LogAppendTime", timestamp: 1_700_000_000_123, crc32c } as const;
  writeMaxTimestamp(bytes, view, 0, time);
  expect(validateBatch(bytes, view, 0, rules)).toBe("ok");
  expect(readBatchHeader(bytes, 0)).toMatchObject({
    timestampType: "LogAppendTime",
    maxTimestamp: 1_700_000_000_123,
    baseTimestamp: 1_000,
  });
  const read = readRecords(bytes, 0, { codecs: {}, decompressedBytesMax: 1_000 });
  expect(read).toMatchObject({
    records: [{ timestamp: 1_700_000_000_123 }, { timestamp: 1_700_000_000_123 }],
  });
});

it("keeps the CRC right when it corrects the largest timestamp of a client's batch", () => {
  const { bytes, view } = batch();
  writeMaxTimestamp(bytes, view, 0, { type: "LogAppendTime", timestamp: 7, crc32c });
  writeMaxTimestamp(bytes, view, 0, { type: "CreateTime", timestamp: 1_001, crc32c });
  expect(validateBatch(bytes, view, 0, rules)).toBe("ok");
  const { timestampType, maxTimestamp } = readBatchHeader(bytes, 0);
  expect({ timestampType, maxTimestamp }).toEqual({
    timestampType: "CreateTime",
    maxTimestamp: 1_001,
  });
});

it("keeps the CRC right without reading a large batch again", () => {
  const value = Uint8Array.from({ length: 20_000 }, (_, index) => index * 31);
  const bytes = buildBatch([{ key: null, value, timestamp: 5 }], { crc32c });
  const view = new DataView(bytes.buffer);
  const read: number[] = [];
  const counting: typeof crc32c = (part, initial) => {
    read.push(part.length);
    return crc32c(part, initial);
  };
  writeMaxTimestamp(bytes, view, 0, { type: "LogAppendTime", timestamp: 9, crc32c: counting });
  expect(validateBatch(bytes, view, 0, rules)).toBe("ok");
  expect(read).toEqual([40, 40]);
});

it("wraps the last sequence from 2^31 - 1 to 0", () => {
  const { view } = batch({ producerId: 1, producerEpoch: 0, baseSequence: 2 ** 31 - 1 });
  expect(readLastSequence(view, 0)).toBe(0);
  expect(readLastSequence(batch({ producerId: 1, baseSequence: 7 }).view, 0)).toBe(8);
  expect(readLastSequence(batch().view, 0)).toBe(-1);
});

it("reads a batch that lies anywhere in its memory", () => {
  const { bytes } = batch({ baseOffset: 77 });
  const around = new Uint8Array(bytes.length + 20).fill(0xee);
  around.set(bytes, 13);
  expect(readBatchHeader(around.subarray(5), 8)).toEqual(readBatchHeader(bytes, 0));
});
