import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsCodecs } from "../compression/js-codecs.ts";
import { crc32c } from "../crc32c.ts";
import { readBatchHeader } from "./batch.ts";
import { type BatchFields, buildBatch } from "./batch-builder.ts";
import { openBatch, readRecords } from "./records.ts";
import { emptyBatch, retainRecords } from "./retain-records.ts";
import { validateBatch } from "./validate-batch.ts";

const rules = { codecs: jsCodecs, decompressedBytesMax: 1_000_000 };

function recordsOf(batch: Uint8Array): readonly object[] {
  const read = readRecords(batch, 0, rules);
  if (read.kind === "fault") throw new Error(read.fault);
  return read.records;
}

function retain(bytes: Uint8Array, kept: readonly number[], deleteHorizonMs?: number): Uint8Array {
  const open = openBatch(bytes, 0, rules);
  if (open.kind === "fault") throw new Error(open.fault);
  const how = { kept: Uint8Array.from(kept), deleteHorizonMs, codecs: jsCodecs, crc32c };
  const batch = retainRecords(bytes, 0, open, how);
  expect(validateBatch(batch, viewOf(batch), 0, { crc32c, origin: "log" })).toBe("ok");
  return batch;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const text = fc.option(fc.uint8Array({ maxLength: 40 }));
const record = fc.record({
  key: text,
  value: text,
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 5 }), value: text }), { maxLength: 2 }),
  timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 2e12 })),
});
const codecName = fc.constantFrom("none", "snappy", "lz4");

describe("retainRecords", () => {
  test("keeps the chosen records with all they have, and what the batch is", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(record, fc.boolean()), { minLength: 1, maxLength: 12 }),
        codecName,
        fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined }),
        (pairs, codec, horizonMs) => {
          const kept = pairs.map(([, stays], i) => (stays || i === 0 ? 1 : 0));
          const fields: BatchFields = {
            ...{ crc32c, baseOffset: 1000, partitionLeaderEpoch: 7, producerId: 5 },
            ...{ producerEpoch: 2, baseSequence: 9, isTransactional: true },
            ...(codec === "none" ? {} : { codec: jsCodecs[codec] }),
          };
          const records = pairs.map(([each]) => each);
          const before = buildBatch(records, fields);
          const after = retain(before, kept, horizonMs);
          const all = recordsOf(before);
          expect(recordsOf(after)).toEqual(all.filter((_, i) => kept[i] === 1));
          const [old, now] = [readBatchHeader(before, 0), readBatchHeader(after, 0)];
          const times = records.filter((_, i) => kept[i] === 1).map((each) => each.timestamp);
          expect(now).toEqual({
            ...old,
            batchLength: now.batchLength,
            crc: now.crc,
            recordCount: times.length,
            maxTimestamp: Math.max(...times),
            hasDeleteHorizon: horizonMs !== undefined,
            baseTimestamp: horizonMs ?? old.baseTimestamp,
          });
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });

  test("keeps a horizon that is there, and the deltas that count from it", () => {
    const records = [1, 2, 3].map((timestamp) => ({ key: null, value: null, timestamp }));
    const first = retain(buildBatch(records, { crc32c }), [1, 1, 1], 5000);
    const second = retain(first, [0, 1, 1]);
    expect(readBatchHeader(second, 0)).toMatchObject({
      ...{ hasDeleteHorizon: true, baseTimestamp: 5000, lastOffsetDelta: 2, recordCount: 2 },
    });
    expect(recordsOf(second)).toMatchObject([{ timestamp: 2 }, { timestamp: 3 }]);
  });

  test("leaves the largest timestamp of a batch that has the append's", () => {
    const fields = { crc32c, timestampType: "LogAppendTime", logAppendTimestamp: 77 } as const;
    const records = [1, 2].map((timestamp) => ({ key: null, value: null, timestamp }));
    const batch = retain(buildBatch(records, fields), [1, 0], 90);
    expect(readBatchHeader(batch, 0)).toMatchObject({ maxTimestamp: 77, hasDeleteHorizon: true });
    expect(recordsOf(batch)).toMatchObject([{ timestamp: 77 }]);
  });

  test("leaves out a horizon that is too far from a record's time to be told from", () => {
    const timestamp = 2 ** 53 - 1;
    const batch = buildBatch([{ key: null, value: null, timestamp }], { crc32c });
    const after = retain(batch, [1], 1000);
    expect(readBatchHeader(after, 0)).toMatchObject({ hasDeleteHorizon: false });
    expect(recordsOf(after)).toMatchObject([{ timestamp }]);
  });
});

test("an empty batch tells what the full one did, but for its records", () => {
  const fields = { baseOffset: 40, producerId: 3, producerEpoch: 1, baseSequence: 6 };
  const codec = jsCodecs.snappy;
  const records = [10, 30, 20].map((timestamp) => ({ key: null, value: null, timestamp }));
  const full = buildBatch(records, {
    ...{ ...fields, crc32c, partitionLeaderEpoch: 4 },
    ...(codec === undefined ? {} : { codec }),
  });
  const horizon = retain(full, [1, 1, 1], 99);
  const empty = emptyBatch(horizon, 0, crc32c);
  expect(validateBatch(empty, viewOf(empty), 0, { crc32c, origin: "log" })).toBe("ok");
  expect(recordsOf(empty)).toEqual([]);
  expect(readBatchHeader(empty, 0)).toMatchObject({
    ...fields,
    ...{ partitionLeaderEpoch: 4, lastOffsetDelta: 2, maxTimestamp: 30, baseTimestamp: -1 },
    ...{ compressionId: 0, hasDeleteHorizon: false, recordCount: 0 },
  });
});
