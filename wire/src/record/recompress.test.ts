import fc from "fast-check";
import { expect, it } from "vitest";
import type { CodecName } from "../compression/codec.ts";
import { jsCodecs } from "../compression/js-codecs.ts";
import { crc32c } from "../crc32c.ts";
import { readBatchHeader, writeMaxTimestamp } from "./batch.ts";
import { buildBatch } from "./batch-builder.ts";
import { recompressBatch } from "./recompress.ts";
import { type OpenBatch, openBatch, readRecords } from "./records.ts";
import { validateBatch } from "./validate-batch.ts";

const rules = { codecs: jsCodecs, decompressedBytesMax: 100_000 };
const codecs = [undefined, jsCodecs.lz4, jsCodecs.snappy];

function opened(bytes: Uint8Array): OpenBatch {
  const batch = openBatch(bytes, 0, rules);
  if (batch.kind === "fault") throw new Error(batch.fault);
  return batch;
}

it("keeps records and header, whatever codec a batch had and gets", () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 40 }));
  const record = fc.record({ key: bytes, value: bytes, timestamp: fc.nat() });
  const fields = fc.record({
    producerId: fc.nat(),
    producerEpoch: fc.nat(99),
    baseSequence: fc.nat(),
    isTransactional: fc.boolean(),
  });
  const records = fc.array(record, { minLength: 1, maxLength: 30 });
  const codec = fc.constantFrom(...codecs);
  fc.assert(
    fc.property(records, fields, codec, codec, (written, header, from, to) => {
      const sent = buildBatch(written, { crc32c, ...header, ...(from && { codec: from }) });
      const batch = recompressBatch(sent, opened(sent), { codec: to, crc32c });
      const view = new DataView(batch.buffer);
      expect(validateBatch(batch, view, 0, { crc32c, origin: "client" })).toBe("ok");
      const { batchLength, compressionId, crc, ...kept } = readBatchHeader(batch, 0);
      expect(readBatchHeader(sent, 0)).toMatchObject(kept);
      expect([batchLength, compressionId, crc]).toEqual([
        ...[batch.length - 12, to?.id ?? 0, readBatchHeader(batch, 0).crc],
      ]);
      expect(readRecords(batch, 0, rules)).toEqual(readRecords(sent, 0, rules));
    }),
  );
});

it("lets records say the time that their batch gave them all", () => {
  const written = [900, 5, 70_000].map((timestamp) => {
    return { key: null, value: Uint8Array.of(timestamp), timestamp };
  });
  const time = { timestampType: "LogAppendTime", logAppendTimestamp: 12_345 } as const;
  const sent = buildBatch(written, { crc32c, ...time });
  const batch = recompressBatch(sent, opened(sent), { codec: jsCodecs.lz4, crc32c });
  const view = new DataView(batch.buffer);
  expect(readRecords(batch, 0, rules)).toEqual(readRecords(sent, 0, rules));
  writeMaxTimestamp(batch, view, 0, { type: "CreateTime", timestamp: 12_345, crc32c });
  expect(validateBatch(batch, view, 0, { crc32c, origin: "client" })).toBe("ok");
  expect(readRecords(batch, 0, rules)).toMatchObject({
    records: [900, 5, 70_000].map((value) => {
      return { timestamp: 12_345, value: Uint8Array.of(value) };
    }),
  });
});

it("hands the level to the codec", () => {
  const sent = buildBatch([{ key: null, value: Uint8Array.of(1) }], { crc32c });
  const levels: (number | undefined)[] = [];
  const name: CodecName = "zstd";
  const codec = {
    ...{ name, id: 4 },
    compress: (bytes: Uint8Array, level?: number) => {
      levels.push(level);
      return bytes.slice();
    },
    decompress: (bytes: Uint8Array) => bytes,
  };
  recompressBatch(sent, opened(sent), { codec, level: 19, crc32c });
  recompressBatch(sent, opened(sent), { codec, crc32c });
  expect(levels).toEqual([19, undefined]);
});
