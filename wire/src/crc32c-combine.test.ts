import * as fc from "fast-check";
import { expect, it } from "vitest";
import { crc32c } from "./crc32c.ts";
import { combineCrc32c } from "./crc32c-combine.ts";

it("gives the CRC of two runs as if they were one", () => {
  const run = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(run, run, (first, second) => {
      const combined = combineCrc32c(crc32c(first), crc32c(second), second.length);
      expect(combined).toBe(crc32c(Uint8Array.of(...first, ...second)));
    }),
  );
});

it("holds for lengths of many bits, again and again", () => {
  const zeros = new Uint8Array(3_000_000);
  const first = crc32c(Uint8Array.of(1, 2, 3));
  for (const bytes of [1, 255, 4_096, 131_072, 131_072, 999_983, 2_999_999, 1]) {
    const second = zeros.subarray(0, bytes);
    expect(combineCrc32c(first, crc32c(second), bytes)).toBe(crc32c(second, first));
  }
});

it("takes a second run without bytes as none", () => {
  expect(combineCrc32c(0x12345678, 0, 0)).toBe(0x12345678);
});
