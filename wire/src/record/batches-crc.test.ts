import * as fc from "fast-check";
import { expect, it } from "vitest";
import { crc32c } from "../crc32c.ts";
import { buildBatch } from "./batch-builder.ts";
import { crcOfBatches } from "./batches-crc.ts";

it("gives the CRC of the batches' bytes, large and small ones", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 5 });
  fc.assert(
    fc.property(sizes, fc.nat(255), (lengths, byte) => {
      const batches = lengths.map((length, index) =>
        buildBatch([{ key: null, value: new Uint8Array(length).fill(byte) }], {
          crc32c,
          baseOffset: index,
        }),
      );
      const bytes = new Uint8Array(batches.reduce((sum, batch) => sum + batch.length, 0));
      let at = 0;
      for (const batch of batches) {
        bytes.set(batch, at);
        at += batch.length;
      }
      expect(crcOfBatches(bytes, crc32c)).toBe(crc32c(bytes));
    }),
    { numRuns: 50 },
  );
});
