import type { SideOutcome } from "@millrace/core";
import { buildBatch, crc32c, jsCodecs, readBatchHeader, readRecords } from "@millrace/wire";
import { expect, it } from "vitest";
import type { ExamineAsk, ExamineSaid } from "./examine-batch.ts";
import { examineBatchName } from "./examine-batch.ts";
import { sideTasks } from "./tasks.ts";

const { lz4 } = jsCodecs;
const tasks = sideTasks({ codecs: jsCodecs, crc32c });
const value = new Uint8Array(500).fill(3);
const records = [1000, 3000, 2000].map((timestamp) => ({ key: null, value, timestamp }));
const rules: ExamineAsk = { requireKeys: false, decompressedBytesMax: 10_000 };

function examine(batch: Uint8Array, ask: Partial<ExamineAsk> = {}): SideOutcome {
  const task = tasks[examineBatchName];
  if (task === undefined) throw new Error("no task");
  return task({ told: { ...rules, ...ask }, bytes: [batch] });
}

function foundIn(batch: Uint8Array, ask: Partial<ExamineAsk> = {}): ExamineSaid["found"] {
  return (examine(batch, ask).says as unknown as ExamineSaid).found;
}

it("finds the same as a look at the batch in a turn would", () => {
  const batch = buildBatch(records, { crc32c, ...(lz4 && { codec: lz4 }) });
  expect(foundIn(batch)).toEqual({ batch: "ok", records: { kind: "ok", maxTimestamp: 3000 } });
  expect(foundIn(batch, { requireKeys: true })).toMatchObject({
    records: { kind: "invalid", errors: [{ index: 0 }, { index: 1 }, { index: 2 }] },
  });
  expect(foundIn(batch, { timestamps: { min: 0, max: 2500 } })).toMatchObject({
    records: { kind: "invalid", errors: [{ index: 1, reason: "timestamp" }] },
  });
  expect(foundIn(batch, { decompressedBytesMax: 1000 })).toEqual({
    ...{ batch: "ok", records: { kind: "fault", fault: "too-large" } },
  });
  const corrupt = batch.slice();
  corrupt.fill(77, -1);
  expect(foundIn(corrupt)).toEqual({ batch: "bad-crc" });
});

it("compresses anew what is right, with header and records as they were", () => {
  const fields = { crc32c, producerId: 7, producerEpoch: 1, baseSequence: 5 };
  const batch = buildBatch(records, fields);
  const reencode = { to: "lz4", level: 9, bytesMax: 10_000 } as const;
  const { bytes, says } = examine(batch, { reencode });
  const [rebuilt = new Uint8Array(0)] = bytes;
  expect(says).toMatchObject({ rebuiltBytes: rebuilt.length });
  expect(rebuilt.length).toBeLessThan(batch.length / 5);
  expect(readBatchHeader(rebuilt, 0)).toMatchObject({
    ...{ compressionId: 3, producerId: 7, baseSequence: 5, maxTimestamp: 3000 },
  });
  const opening = { codecs: jsCodecs, decompressedBytesMax: 10_000 };
  expect(readRecords(rebuilt, 0, opening)).toEqual(readRecords(batch, 0, opening));
  const refused = examine(batch, { reencode, requireKeys: true });
  expect([refused.bytes, refused.says]).toMatchObject([[], { found: { batch: "ok" } }]);
  expect(refused.says).not.toHaveProperty("rebuiltBytes");
});

it("tells the size alone of what is too large to be kept, and names a codec that is missing", () => {
  const batch = buildBatch(records, { crc32c, ...(lz4 && { codec: lz4 }) });
  const plain = examine(batch, { reencode: { to: "uncompressed", bytesMax: 1000 } });
  expect([plain.bytes, plain.says]).toMatchObject([[], { rebuiltBytes: expect.any(Number) }]);
  const missing = examine(batch, { reencode: { to: "zstd", bytesMax: 1000 } });
  expect([missing.bytes, missing.says]).toMatchObject([[], { rebuiltBytes: "unsupported" }]);
});
