import * as fc from "fast-check";
import { afterEach, expect, it, vi } from "vitest";
import { jsCodecs } from "../compression/js-codecs.ts";
import { crc32c } from "../crc32c.ts";
import { computeBatchCrc, readBatchBytes } from "./batch.ts";
import { buildBatch } from "./batch-builder.ts";
import * as layout from "./layout.ts";
import { readRecords } from "./records.ts";
import { validateBatch } from "./validate-batch.ts";
import { validateRecords } from "./validate-records.ts";

/** Batches that a client broke on purpose: whatever it sends, the answer is a named outcome. */

const decompressedBytesMax = 20_000;
const rules = { codecs: jsCodecs, decompressedBytesMax, requireKeys: true };

const records = Array.from({ length: 40 }, (_, index) => ({
  key: Uint8Array.of(index),
  value: new TextEncoder().encode(`value ${index % 5} `.repeat(index)),
  timestamp: 1_700_000_000_000 + index,
  headers: [{ key: "header", value: index % 2 === 0 ? null : Uint8Array.of(index) }],
}));

const { snappy, lz4 } = jsCodecs;
const originals = [
  buildBatch(records, { crc32c }),
  buildBatch(records, { crc32c, ...(snappy && { codec: snappy }) }),
  buildBatch(records, { crc32c, ...(lz4 && { codec: lz4 }) }),
];

const mutations = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });

/** Breaks the batch, then seals it as a client could: length and CRC right, so that all is read. */
function broken(original: Uint8Array, edits: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = original.slice();
  for (const [at, byte] of edits) {
    const body = bytes.length - layout.RECORD_COUNT_AT;
    bytes[layout.RECORD_COUNT_AT + (at % body)] = byte;
  }
  return bytes;
}

function seal(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setInt32(layout.BATCH_LENGTH_AT, bytes.length - layout.LENGTH_OVERHEAD_BYTES);
  expect(readBatchBytes(view, 0)).toBe(bytes.length);
  view.setUint32(layout.CRC_AT, computeBatchCrc(bytes, view, 0, crc32c));
  return bytes;
}

afterEach(() => vi.unstubAllGlobals());

/** Records the size of every array that is made while `work` runs. */
function largestAllocation(work: () => void): number {
  let largest = 0;
  const counting = new Proxy(Uint8Array, {
    construct(target, given: [number]) {
      const made = new target(...given);
      largest = Math.max(largest, made.byteLength);
      return made;
    },
  });
  vi.stubGlobal("Uint8Array", counting);
  work();
  vi.unstubAllGlobals();
  return largest;
}

it("accepts the batches that the mutations start from", () => {
  for (const original of originals) {
    expect(validateRecords(original, 0, rules)).toMatchObject({ kind: "ok" });
  }
});

it.each([0, 1, 2])("names an outcome for every mutation of batch %d", (which) => {
  const original = originals[which] ?? new Uint8Array(0);
  const outcomes = new Set<string>();
  fc.assert(
    fc.property(mutations, (edits) => {
      const bytes = seal(broken(original, edits));
      const largest = largestAllocation(() => {
        outcomes.add(validateRecords(bytes, 0, rules).kind);
        outcomes.add(readRecords(bytes, 0, rules).kind);
      });
      expect(largest).toBeLessThanOrEqual(decompressedBytesMax);
    }),
    { numRuns: 1_500 },
  );
  expect(outcomes).toContain("unsound");
  expect(outcomes).toContain("fault");
});

it.each([0, 1, 2])("refuses every truncation of batch %d that is sealed again", (which) => {
  const original = originals[which] ?? new Uint8Array(0);
  for (let length = layout.BATCH_HEADER_BYTES; length < original.length; length++) {
    const bytes = seal(original.slice(0, length));
    expect(validateRecords(bytes, 0, rules).kind).not.toBe("ok");
  }
});

it("names an outcome for any bytes in place of a batch", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom("client", "log"),
      (bytes, origin) => {
        if (bytes.length > layout.MAGIC_AT) bytes[layout.MAGIC_AT] = layout.MAGIC_V2;
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        expect(validateBatch(bytes, view, 0, { crc32c, origin })).not.toBe("ok");
      },
    ),
  );
});
