import { crc32c, decodeImageTail } from "@millrace/wire";
import type { ImageTail } from "@millrace/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { testBatch } from "../../../test/fixtures/partition-log.ts";
import type { TestBatch } from "../../../test/fixtures/partition-log.ts";
import { bytesIn, imageOf, topic, wire } from "./fixtures.ts";
import { ImageWriter } from "./image-writer.ts";
import type { WrittenImage } from "./image-writer.ts";

/** Decoded from all of its bytes. */
function tailOf(image: WrittenImage): ImageTail {
  const bytes = bytesIn(image.parts);
  expect(bytes.length).toBe(image.bytes);
  const decoded = decodeImageTail(bytes, { objectBytes: bytes.length, crc32c });
  if (decoded.kind !== "ok") throw new Error(decoded.kind);
  return decoded.tail;
}

const steps = fc.array(
  fc.record({
    gap: fc.nat(3),
    span: fc.integer({ min: 1, max: 3 }),
    valueBytes: fc.nat(300),
    timestamp: fc.integer({ min: -1, max: 50 }),
    epochsOn: fc.constantFrom(0, 0, 0, 1, 3),
    isRunEnd: fc.boolean(),
  }),
  { maxLength: 20 },
);

describe("an image", () => {
  it("is read by its footer, index and epochs, in whatever runs its batches came", () => {
    fc.assert(
      fc.property(steps, fc.nat(5), (plan, hole) => {
        const baseOffset = 100;
        const batches: TestBatch[] = [];
        const runs: Uint8Array[][] = [[]];
        const epochs: { readonly epoch: number; readonly startOffset: number }[] = [];
        let next = baseOffset;
        let epoch = 1;
        for (const { epochsOn, gap, isRunEnd, span, timestamp, valueBytes } of plan) {
          epoch += epochsOn;
          const fields = { timestamps: [timestamp], valueBytes, partitionLeaderEpoch: epoch };
          const begin = next + gap;
          const batch = testBatch({ ...fields, baseOffset: begin, lastOffsetDelta: span - 1 });
          if (epochs.at(-1)?.epoch !== epoch) epochs.push({ epoch, startOffset: begin });
          next = batch.summary.lastOffset + 1;
          batches.push(batch);
          runs.at(-1)?.push(batch.bytes);
          if (isRunEnd) runs.push([]);
        }
        const writer = new ImageWriter({ topicId: topic, partition: 7, baseOffset }, wire);
        for (const run of runs) if (run.length > 0) writer.add(bytesIn(run));
        expect(writer.nextOffset).toBe(next);
        const nonce = new Uint8Array(16).fill(3);
        const producers = Uint8Array.of(1, 2, 3);
        const nextOffset = next + hole + 1;
        const image = writer.finish({ nextOffset, producers, nonce });
        const tail = tailOf(image);
        const batchesBytes = bytesIn(batches.map(({ bytes }) => bytes));
        const timestamps = batches.map(({ summary }) => summary.maxTimestamp);
        expect(tail.footer).toMatchObject({
          ...{ topicId: topic, partition: 7, baseOffset, nextOffset, nonce },
          batchesBytes: batchesBytes.length,
          batchesCrc: crc32c(batchesBytes),
          maxTimestamp: Math.max(-1, ...timestamps),
          recordCount: batches.length,
        });
        expect(tail.leaderEpochs).toEqual(epochs);
        expect(tail.producers).toEqual(producers);
        expect(bytesIn(image.parts).subarray(0, batchesBytes.length)).toEqual(batchesBytes);
        expect(image.at("o", 5)).toEqual({
          ...{ object: "o", position: 5, bytes: image.bytes, batchesBytes: batchesBytes.length },
          ...{ baseOffset, nextOffset, leaderEpochs: epochs },
          maxTimestamp: Math.max(-1, ...timestamps),
        });
      }),
      { seed: 1, numRuns: 40 },
    );
  });

  it("keeps the runs that it is given, and copies none", () => {
    const batch = testBatch({ baseOffset: 0 });
    const image = imageOf([batch], { baseOffset: 0, nextOffset: 1 });
    expect(image.parts[0]).toBe(batch.bytes);
    expect(image.parts).toHaveLength(2);
  });

  it("of nothing tells where the next one begins", () => {
    const image = imageOf([], { baseOffset: 5, nextOffset: 9 });
    const { footer, index } = tailOf(image);
    expect([footer.baseOffset, footer.nextOffset, footer.batchesBytes]).toEqual([5, 9, 0]);
    expect([index.floorByOffset(7), index.floorByTimestamp(7)]).toEqual([0, 0]);
  });

  it("takes no batch that does not follow those before", () => {
    const one = testBatch({ baseOffset: 3 });
    expect(() => imageOf([one, one], { baseOffset: 0, nextOffset: 4 })).toThrow(RangeError);
    expect(() => imageOf([one], { baseOffset: 4, nextOffset: 5 })).toThrow(RangeError);
  });
});
