import { topicId } from "@millrace/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../crc32c.ts";
import { decodeImageFooter, decodeImageTail } from "./decode-image.ts";
import { encodeImageTail, imageTailBytes } from "./encode-image.ts";
import { type ImageBatch, ImageIndexBuilder } from "./image-index.ts";
import type { ImageDraft, ImageTail } from "./image.ts";
import {
  END_CRC_BEFORE,
  END_VERSION_BEFORE,
  IMAGE_BATCHES_BYTES_MAX,
  IMAGE_FOOTER_BYTES,
  IMAGE_OFFSET_SPAN_MAX,
  INDEX_INTERVAL_BYTES,
} from "./layout.ts";

/** A batch and how many offsets lie free before it, as after a compaction. */
const batchSteps = fc.array(
  fc.record({
    gap: fc.oneof(fc.constant(0), fc.nat(50)),
    span: fc.nat(99),
    bytes: fc.oneof(fc.integer({ min: 61, max: 40_000 }), fc.integer({ min: 61, max: 500 })),
    maxTimestamp: fc.integer({ min: -1, max: 1000 }),
  }),
  { minLength: 1, maxLength: 60 },
);
type Steps = readonly {
  readonly gap: number;
  readonly span: number;
  readonly bytes: number;
  readonly maxTimestamp: number;
}[];

function batchesFrom(baseOffset: number, steps: Steps): readonly ImageBatch[] {
  let next = baseOffset;
  return steps.map(({ gap, span, bytes, maxTimestamp }) => {
    const first = next + gap;
    next = first + span + 1;
    const recordCount = span + 1;
    return { bytes, baseOffset: first, lastOffset: next - 1, maxTimestamp, recordCount };
  });
}

function indexOf(baseOffset: number, batches: readonly ImageBatch[]): ImageIndexBuilder {
  const builder = new ImageIndexBuilder(baseOffset);
  for (const batch of batches) builder.add(batch);
  return builder;
}

function draftOf(
  batches: readonly ImageBatch[],
  other: { readonly baseOffset?: number; readonly producers?: Uint8Array } = {},
): ImageDraft {
  const baseOffset = other.baseOffset ?? 0;
  const builder = indexOf(baseOffset, batches);
  return {
    topicId: topicId("0123456789abcdef".repeat(2)),
    partition: 7,
    baseOffset,
    nextOffset: builder.nextOffset,
    maxTimestamp: builder.maxTimestamp,
    maxTimestampOffset: builder.maxTimestampOffset,
    recordCount: builder.recordCount,
    batchesBytes: builder.batchesBytes,
    batchesCrc: 0xdead_beef,
    nonce: new Uint8Array(16).fill(9),
    index: builder.entries,
    leaderEpochs: [
      { epoch: 3, startOffset: baseOffset },
      { epoch: 5, startOffset: baseOffset + 1 },
    ],
    producers: other.producers ?? new Uint8Array(),
  };
}

function decoded(draft: ImageDraft): ImageTail {
  const tail = encodeImageTail(draft, crc32c);
  const objectBytes = draft.batchesBytes + tail.length;
  const found = decodeImageTail(tail, { objectBytes, crc32c });
  if (found.kind !== "ok") throw new Error(JSON.stringify(found));
  return found.tail;
}

/** What the index must lead to: where the wanted batch begins, found by looking at all of them. */
function positions(batches: readonly ImageBatch[]): readonly (ImageBatch & { at: number })[] {
  let at = 0;
  return batches.map((batch) => {
    at += batch.bytes;
    return { ...batch, at: at - batch.bytes };
  });
}

describe("an image's tail", () => {
  it("comes back as it was written", () => {
    const property = fc.property(
      batchSteps,
      fc.nat(1e15),
      fc.uint8Array({ maxLength: 300 }),
      (steps, baseOffset, producers) => {
        const batches = batchesFrom(baseOffset, steps);
        const draft = draftOf(batches, { baseOffset, producers });
        const { footer, index, leaderEpochs, producers: readProducers } = decoded(draft);
        const { index: entries, leaderEpochs: epochs, producers: _, ...fields } = draft;
        expect(footer).toMatchObject(fields);
        expect(Array.from(entries, (_entry, i) => index.entryAt(i))).toEqual(entries);
        expect(index.entryAt(entries.length)).toBeUndefined();
        expect(index.sizeBytes).toBe(footer.indexBytes);
        expect(leaderEpochs).toEqual(epochs);
        expect(readProducers).toEqual(producers);
        expect(encodeImageTail(draft, crc32c).length).toBe(imageTailBytes(draft));
      },
    );
    fc.assert(property, { numRuns: 60 });
  });

  it("is refused after any change of any one of its bytes", () => {
    const batches = batchesFrom(4, fc.sample(batchSteps, { numRuns: 1, seed: 3 })[0] ?? []);
    const draft = draftOf(batches, { producers: new Uint8Array(20).fill(1) });
    const tail = encodeImageTail(draft, crc32c);
    const objectBytes = draft.batchesBytes + tail.length;
    // Long enough for any length that a damaged footer can claim of itself.
    const padded = new Uint8Array(70_000 + tail.length);
    for (let at = 0; at < tail.length; at += 1) {
      for (const flip of [0x01, 0x80, 0xff]) {
        padded.set(tail, 70_000);
        padded[70_000 + at] = (tail[at] as number) ^ flip;
        expect(decodeImageTail(padded, { objectBytes, crc32c }).kind).toBe("invalid");
      }
    }
  });

  it("says how many of the last bytes it takes, and takes no fewer", () => {
    const draft = draftOf(batchesFrom(0, [{ gap: 0, span: 9, bytes: 900, maxTimestamp: 5 }]));
    const tail = encodeImageTail(draft, crc32c);
    const reading = { objectBytes: draft.batchesBytes + tail.length, crc32c };
    for (let length = 0; length < tail.length; length += 1) {
      const last = tail.subarray(tail.length - length);
      const needBytes = length < IMAGE_FOOTER_BYTES ? IMAGE_FOOTER_BYTES : tail.length;
      expect(decodeImageTail(last, reading)).toEqual({ kind: "short", needBytes });
    }
    const footer = decodeImageFooter(tail.subarray(-IMAGE_FOOTER_BYTES), reading);
    expect(footer.kind === "ok" && footer.footer.batchesBytes).toBe(900);
  });

  it("is told apart from an object that is too long or too short for it", () => {
    const draft = draftOf(batchesFrom(0, [{ gap: 0, span: 0, bytes: 200, maxTimestamp: 5 }]));
    const tail = encodeImageTail(draft, crc32c);
    for (const objectBytes of [tail.length + 199, tail.length + 201]) {
      const read = decodeImageTail(tail, { objectBytes, crc32c });
      expect(read).toEqual({ kind: "invalid", reason: "otherLength" });
    }
    const short = decodeImageTail(tail, { objectBytes: 100, crc32c });
    expect(short).toEqual({ kind: "invalid", reason: "notAnObject" });
    const zeros = decodeImageTail(new Uint8Array(500), { objectBytes: 500, crc32c });
    expect(zeros).toEqual({ kind: "invalid", reason: "notAnObject" });
  });

  it("of a newer format is told apart from damage", () => {
    const tail = encodeImageTail(draftOf([]), crc32c);
    const view = new DataView(tail.buffer);
    view.setUint16(tail.length - END_VERSION_BEFORE, 2);
    const reading = { objectBytes: tail.length, crc32c };
    expect(decodeImageTail(tail, reading)).toEqual({ kind: "invalid", reason: "footerDamaged" });
    const footer = tail.subarray(-IMAGE_FOOTER_BYTES, tail.length - END_CRC_BEFORE);
    view.setUint32(tail.length - END_CRC_BEFORE, crc32c(footer));
    expect(decodeImageTail(tail, reading)).toEqual({ kind: "invalid", reason: "newerFormat" });
  });

  it("may be of a range without a batch", () => {
    const { footer, index } = decoded({ ...draftOf([]), nextOffset: 50 });
    expect([footer.batchesBytes, index.length, index.floorByOffset(20)]).toEqual([0, 0, 0]);
  });

  it("keeps nothing of the bytes that it was read from", () => {
    const draft = draftOf(batchesFrom(0, [{ gap: 0, span: 9, bytes: 900, maxTimestamp: 5 }]));
    const tail = encodeImageTail(draft, crc32c);
    const reading = { objectBytes: draft.batchesBytes + tail.length, crc32c };
    const read = decodeImageTail(tail, reading);
    tail.fill(0xff);
    expect(read.kind === "ok" && read.tail.index.entryAt(0)).toEqual(draft.index[0]);
    expect(read.kind === "ok" && read.tail.footer.nonce).toEqual(draft.nonce);
  });
});

describe("an image's index", () => {
  it("has an entry for the first batch, and then at least every 32 KiB, but for longer batches", () => {
    const property = fc.property(batchSteps, (steps) => {
      const batches = positions(batchesFrom(0, steps));
      const { entries, batchesBytes } = indexOf(0, batches);
      expect(entries[0]?.position).toBe(0);
      entries.forEach(({ position }, i) => {
        const end = entries[i + 1]?.position ?? batchesBytes;
        const within = batches.filter(({ at }) => at >= position && at < end);
        expect(end - position <= INDEX_INTERVAL_BYTES || within.length === 1).toBe(true);
      });
    });
    fc.assert(property);
  });

  it("leads to the first batch that ends at or after an offset", () => {
    const property = fc.property(batchSteps, fc.nat(5000), (steps, offset) => {
      const batches = positions(batchesFrom(0, steps));
      const { index } = decoded(draftOf(batches));
      const wanted = batches.find(({ lastOffset }) => lastOffset >= offset);
      if (wanted === undefined) return;
      const from = index.floorByOffset(offset);
      expect(from).toBeLessThanOrEqual(wanted.at);
      // One batch may lie between: an entry's own, which ends below an offset in a gap.
      const between = batches.filter(({ at }) => at >= from && at < wanted.at);
      const bytes = between.reduce((sum, batch) => sum + batch.bytes, 0);
      expect(bytes <= INDEX_INTERVAL_BYTES || between.length === 1).toBe(true);
    });
    fc.assert(property);
  });

  it("leads to the first batch with a timestamp at or after a given one", () => {
    const property = fc.property(
      batchSteps,
      fc.integer({ min: -1, max: 1001 }),
      (steps, timestamp) => {
        const batches = positions(batchesFrom(0, steps));
        const { index } = decoded(draftOf(batches));
        const from = index.floorByTimestamp(timestamp);
        const before = batches.filter(({ at }) => at < from);
        expect(before.every(({ maxTimestamp }) => maxTimestamp < timestamp)).toBe(true);
        const wanted = batches.find(({ maxTimestamp }) => maxTimestamp >= timestamp);
        if (wanted !== undefined) expect(index.nextAfter(from)).toBeGreaterThan(wanted.at);
      },
    );
    fc.assert(property);
  });

  it("knows the first batch that has the largest timestamp", () => {
    const builder = indexOf(10, [
      { bytes: 100, baseOffset: 12, lastOffset: 13, maxTimestamp: 4, recordCount: 2 },
      { bytes: 100, baseOffset: 14, lastOffset: 14, maxTimestamp: 9, recordCount: 1 },
      { bytes: 100, baseOffset: 15, lastOffset: 19, maxTimestamp: 9, recordCount: 5 },
    ]);
    expect([builder.maxTimestamp, builder.maxTimestampOffset]).toEqual([9, 14]);
    expect([builder.nextOffset, builder.recordCount, builder.batchesBytes]).toEqual([20, 8, 300]);
  });

  it("does not count the time of a batch without records: compaction left its header only", () => {
    const builder = indexOf(10, [
      { bytes: 100, baseOffset: 10, lastOffset: 11, maxTimestamp: 4, recordCount: 2 },
      { bytes: 61, baseOffset: 12, lastOffset: 13, maxTimestamp: 9, recordCount: 0 },
    ]);
    expect([builder.maxTimestamp, builder.maxTimestampOffset]).toEqual([4, 10]);
  });

  it("refuses batches out of order, and those that an image has no room for", () => {
    const batch = { bytes: 100, baseOffset: 5, lastOffset: 9, maxTimestamp: 1, recordCount: 5 };
    const builder = indexOf(0, [batch]);
    expect(() => builder.add(batch)).toThrow(RangeError);
    const far = { ...batch, baseOffset: 10, lastOffset: IMAGE_OFFSET_SPAN_MAX + 1 };
    expect(builder.hasRoomFor(far)).toBe(false);
    expect(() => builder.add(far)).toThrow(RangeError);
    const large = { ...batch, baseOffset: 10, lastOffset: 10, bytes: IMAGE_BATCHES_BYTES_MAX };
    expect(builder.hasRoomFor(large)).toBe(false);
    expect(builder.hasRoomFor({ ...large, bytes: IMAGE_BATCHES_BYTES_MAX - 100 })).toBe(true);
  });
});
