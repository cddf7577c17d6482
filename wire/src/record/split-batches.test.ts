import * as fc from "fast-check";
import { expect, it } from "vitest";
import { crc32c } from "../crc32c.ts";
import { buildBatch } from "./batch-builder.ts";
import { splitBatches } from "./split-batches.ts";

const sizes = [1, 300, 0, 20];
const batches = sizes.map((size) =>
  buildBatch([{ key: null, value: new Uint8Array(size) }], { crc32c }),
);
const field = Uint8Array.from(batches.flatMap((batch) => [...batch]));
const starts = batches.map((_, index) =>
  batches.slice(0, index).reduce((sum, batch) => sum + batch.length, 0),
);

it("finds every batch of a records field", () => {
  expect(splitBatches(field)).toEqual({ starts, end: field.length, rest: "nothing" });
  expect(splitBatches(new Uint8Array(0))).toEqual({ starts: [], end: 0, rest: "nothing" });
});

it("stops at the last whole batch of a piece that was cut anywhere", () => {
  for (let length = 0; length < field.length; length++) {
    const split = splitBatches(field.subarray(0, length));
    const ends = batches.map((batch, index) => (starts[index] ?? 0) + batch.length);
    const whole = ends.filter((end) => end <= length);
    expect(split.starts).toEqual(starts.slice(0, whole.length));
    expect(split.end).toBe(whole.at(-1) ?? 0);
    expect(split.rest).toBe(split.end === length ? "nothing" : "truncated");
  }
});

it("names a length field that no batch has, and keeps the batches before it", () => {
  const bytes = Uint8Array.from(field);
  new DataView(bytes.buffer).setInt32((starts[1] ?? 0) + 8, 48);
  expect(splitBatches(bytes)).toEqual({ starts: [0], end: starts[1], rest: "bad-length" });
});

it("stays inside any bytes at all", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const split = splitBatches(bytes);
      expect(split.end).toBeLessThanOrEqual(bytes.length);
      expect(split.starts.length).toBeLessThanOrEqual(bytes.length / 61);
    }),
  );
});
