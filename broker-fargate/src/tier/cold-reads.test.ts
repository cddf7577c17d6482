import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { baseOffsetsIn } from "../../../test/fixtures/partition-log.ts";
import { bytesIn, smallLimits } from "./fixtures.ts";
import { ColdRig } from "../../../test/fixtures/cold-parts.ts";
import type { PartPlan } from "../../../test/fixtures/cold-parts.ts";

const steps = fc.array(
  fc.record({
    /** Offsets that compaction left free before the batch. */
    gap: fc.oneof(fc.constant(0), fc.nat(3)),
    span: fc.integer({ min: 1, max: 3 }),
    /** -1: no record, 61 bytes in all. */
    valueBytes: fc.oneof(fc.integer({ min: -1, max: 60 }), fc.integer({ min: -1, max: 400 })),
    timestamp: fc.integer({ min: 0, max: 20 }),
    /** What ends with this batch. */
    ends: fc.constantFrom("nothing", "nothing", "nothing", "segment", "packed"),
    /** Offsets that compaction left free at the end of the part. */
    hole: fc.nat(2),
  }),
  { minLength: 1, maxLength: 25 },
);

const ranges = fc.array(
  fc.record({
    from: fc.nat(90),
    maxBytes: fc.oneof(fc.nat(150), fc.nat(1_200)),
    upTo: fc.oneof(fc.constant(1_000), fc.nat(100)),
    atLeastOneBatch: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

describe("reads of cold parts", () => {
  it("give what a log on the disk gives, in whole batches, wherever they begin", async () => {
    await fc.assert(
      fc.asyncProperty(steps, ranges, fc.boolean(), async (plan, asked, overlaps) => {
        const rig = new ColdRig(plan satisfies PartPlan, { overlaps });
        for (const range of asked) {
          const cold = await rig.read({ ...range, from: Math.min(range.from, rig.endOffset) });
          const hot = rig.readHot({ ...range, from: Math.min(range.from, rig.endOffset) });
          if (cold.kind === "past") {
            expect(baseOffsetsIn(hot.records)).toEqual([]);
            continue;
          }
          if (cold.kind !== "ok") throw new Error(cold.kind);
          const offsets = baseOffsetsIn(cold.records);
          // A read ends where a part does, or where what is in memory does.
          expect(bytesIn(cold.records)).toEqual(
            bytesIn(hot.records).subarray(0, bytesIn(cold.records).length),
          );
          expect(offsets.length > 0).toBe(baseOffsetsIn(hot.records).length > 0);
          const rest = rig.readHot({ ...range, from: cold.nextOffset, atLeastOneBatch: true });
          const batchEnd = rig.endOf(offsets.at(-1)) ?? cold.nextOffset;
          const expected = rig.readHot({ ...range, from: batchEnd, atLeastOneBatch: true });
          expect(cold.nextOffset).toBeGreaterThanOrEqual(batchEnd);
          expect(bytesIn(rest.records)).toEqual(bytesIn(expected.records));
        }
        expect(rig.store.mostInFlight).toBeLessThanOrEqual(smallLimits.readsInFlightMax);
      }),
      { seed: 1, numRuns: 40 },
    );
  });

  it("lead a reader through everything, each batch once, with any number of bytes a read", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 900 }), async (plan, maxBytes) => {
        const rig = new ColdRig(plan);
        const seen: number[] = [];
        for (let from = 0; from < rig.endOffset; ) {
          const read = await rig.read({ from, maxBytes, upTo: 1_000, atLeastOneBatch: true });
          if (read.kind !== "ok" && read.kind !== "past") throw new Error(read.kind);
          if (read.kind === "ok") seen.push(...baseOffsetsIn(read.records));
          expect(read.nextOffset).toBeGreaterThan(from);
          from = read.nextOffset;
        }
        expect(seen).toEqual(rig.batches.map(({ summary }) => summary.baseOffset));
      }),
      { seed: 1, numRuns: 40 },
    );
  });

  it("find the first record of a time, as a search of all batches does", async () => {
    const queries = fc.array(fc.record({ timestamp: fc.nat(22), startOffset: fc.nat(90) }), {
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(steps, queries, fc.boolean(), async (plan, asked, overlaps) => {
        const rig = new ColdRig(plan, { overlaps });
        for (const query of asked) {
          const found = await rig.reads.findByTimestamp(query);
          const wanted = rig.batches.find(({ summary, timestamps }) => {
            const [timestamp = -1] = timestamps;
            return timestamp >= query.timestamp && summary.baseOffset >= query.startOffset;
          });
          expect(found === "failed" ? found : found?.offset).toBe(wanted?.summary.baseOffset);
        }
      }),
      { seed: 1, numRuns: 40 },
    );
  });
});

/** `count` batches of some 110 bytes in parts of `each`. */
function evenly(count: number, each: number): PartPlan {
  return Array.from({ length: count }, (_, i) => {
    const ends = (i + 1) % each === 0 ? "segment" : "nothing";
    return { gap: 0, span: 1, valueBytes: 40, timestamp: i, ends, hole: 0 };
  });
}

const all = { maxBytes: 300, upTo: 1_000, atLeastOneBatch: true };

describe("a reader of cold parts", () => {
  let rig: ColdRig;

  beforeEach(() => {
    rig = new ColdRig(evenly(100, 20));
  });

  it("is read ahead of, over the ends of parts, and only so far", async () => {
    const { chunkBytes, readAheadChunksMax } = smallLimits;
    let given = 0;
    for (let from = 0; from < rig.endOffset; ) {
      const read = await rig.read({ ...all, from });
      if (read.kind !== "ok") throw new Error(read.kind);
      given += bytesIn(read.records).length;
      from = read.nextOffset;
      await rig.settle();
      const fetched = rig.store.reads.reduce((sum, { bytes }) => sum + bytes, 0);
      // What is read is at most asked for, and begins in a chunk.
      expect(fetched - given).toBeLessThanOrEqual(
        all.maxBytes + (readAheadChunksMax + 2) * chunkBytes,
      );
    }
    // Every chunk once: no index was needed, and nothing was dropped before it was read.
    const keys = rig.store.reads.map(({ from, object }) => `${object} ${from}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("waits seldom when it goes on where it ended, since it is read ahead of", async () => {
    let waits = 0;
    for (let from = 0; from < rig.endOffset; ) {
      const read = rig.reads.read({ ...all, maxBytes: 110, from });
      if (read.kind === "pending") {
        waits += 1;
        await read.ready;
      }
      if (read.kind === "ok") from = read.nextOffset;
      await rig.settle();
    }
    expect(waits).toBeLessThanOrEqual(3);
  });

  it("is one of several at once, for each of whom every chunk is read once, and ahead", async () => {
    const readers = Array.from({ length: 3 }, (_, i) => {
      const beside = new ColdRig(evenly(60, 20), { beside: rig, name: `${i}-` });
      return { at: 0, waits: 0, rig: beside };
    });
    for (let left = readers; left.length > 0; left = left.filter(({ at }) => at < 60)) {
      for (const reader of left) {
        const read = reader.rig.reads.read({ ...all, maxBytes: 110, from: reader.at });
        if (read.kind === "ok") reader.at = read.nextOffset;
        else reader.waits += 1;
      }
      await rig.settle();
    }
    const keys = rig.store.reads.map(({ from, object }) => `${object} ${from}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(Math.max(...readers.map(({ waits }) => waits))).toBeLessThanOrEqual(6);
  });

  it("is one of more than are remembered, and each gets every batch once, in order", async () => {
    const readers = Array.from({ length: 3 * smallLimits.readCursorsMax }, (_, start) => {
      return { from: 7 * start, at: 7 * start, seen: [] as number[] };
    });
    for (let round = 0; round < 100; round += 1) {
      for (const reader of readers) {
        const read = await rig.read({ ...all, maxBytes: 1, from: reader.at });
        if (read.kind !== "ok") continue;
        reader.seen.push(...baseOffsetsIn(read.records));
        reader.at = read.nextOffset;
      }
    }
    for (const { from, seen } of readers) {
      expect(seen).toEqual(Array.from({ length: 100 - from }, (_, i) => from + i));
    }
  });

  it("is one of more than there are chunks kept, and none drives out what another one waits for", async () => {
    const { cachedBytesMax, chunkBytes } = smallLimits;
    const count = (3 * cachedBytesMax) / chunkBytes;
    const readers = Array.from({ length: count }, (_, i) => {
      return { at: 0, rig: new ColdRig(evenly(12, 12), { beside: rig, name: `${i}-` }) };
    });
    let given = 0;
    let rounds = 0;
    const fetched = (): number => rig.store.reads.reduce((sum, { bytes }) => sum + bytes, 0);
    for (let left = readers; left.length > 0; ) {
      const arriving: Promise<void>[] = [];
      for (const reader of left) {
        const read = reader.rig.reads.read({ ...all, from: reader.at });
        if (read.kind === "pending") arriving.push(read.ready);
        if (read.kind !== "ok") continue;
        given += bytesIn(read.records).length;
        reader.at = read.nextOffset;
      }
      left = left.filter(({ at }) => at < 12);
      if (arriving.length > 0) await Promise.race(arriving);
      rounds += 1;
      if (rounds > 5_000) throw new Error(`${given} of ${fetched()} bytes`);
    }
    // A batch is larger than a chunk here: its length has to be read first.
    expect(fetched() / given).toBeLessThan(2.5);
  });

  it("has nothing fetched as long as its fetch has no room left for it", () => {
    const read = rig.reads.read({ ...all, from: 3, maxBytes: 0, atLeastOneBatch: false });
    expect(read).toEqual({ kind: "ok", records: [], nextOffset: 3 });
    expect(rig.store.reads).toEqual([]);
  });

  it("jumps about in more parts than have their index kept", async () => {
    for (let round = 0; round < 40; round += 1) {
      const from = (round * 37) % 100;
      const read = await rig.read({ ...all, maxBytes: 1, from });
      expect(read.kind === "ok" && baseOffsetsIn(read.records)).toEqual([from]);
      expect(rig.tails.kept).toBeLessThanOrEqual(smallLimits.cachedIndexesMax);
    }
  });

  it("gets a batch that is larger than all that is kept", async () => {
    const batch = { gap: 0, span: 1, timestamp: 1, ends: "nothing", hole: 0 } as const;
    rig = new ColdRig([
      { ...batch, valueBytes: 10 },
      { ...batch, valueBytes: 2 * smallLimits.cachedBytesMax },
      { ...batch, valueBytes: 10 },
    ]);
    for (const from of [0, 1, 2]) {
      const read = await rig.read({ ...all, maxBytes: 1, from });
      expect(read.kind === "ok" && baseOffsetsIn(read.records)).toEqual([from]);
    }
  });

  it("is told that it failed while the store does not answer, and gets all when it does", async () => {
    for (const from of [0, 5]) {
      rig.store.mode = "fails";
      expect((await rig.read({ ...all, from })).kind).toBe("failed");
      expect(await rig.reads.findByTimestamp({ timestamp: 5, startOffset: 0 })).toBe("failed");
      rig.store.mode = "answers";
      rig.nowMs += 1_000;
      const read = await rig.read({ ...all, from });
      expect(read.kind === "ok" && baseOffsetsIn(read.records)[0]).toBe(from);
      rig = new ColdRig(evenly(100, 20));
    }
  });

  it("is told that it failed where an object is missing, and of all others gets the records", async () => {
    const [lost] = rig.cold.segments;
    const bytes = rig.store.objects.get(lost?.object ?? "");
    rig.store.objects.delete(lost?.object ?? "");
    expect((await rig.read({ ...all, from: 0 })).kind).toBe("failed");
    expect((await rig.read({ ...all, from: 3 })).kind).toBe("failed");
    const read = await rig.read({ ...all, from: 20 });
    expect(read.kind === "ok" && baseOffsetsIn(read.records)[0]).toBe(20);
    rig.store.objects.set(lost?.object ?? "", bytes ?? new Uint8Array());
    rig.nowMs += 1_000;
    expect((await rig.read({ ...all, from: 3 })).kind).toBe("ok");
  });

  it("is told that it failed where what is stored is no batch", async () => {
    const object = rig.cold.segments[1]?.object ?? "";
    // The length of the part's first batch.
    rig.store.objects.get(object)?.fill(0xff, 8, 12);
    expect((await rig.read({ ...all, from: 20 })).kind).toBe("failed");
    expect(rig.warnings).toHaveLength(1);
  });

  it("goes on after parts were replaced under it", async () => {
    const first = await rig.read({ ...all, from: 0 });
    if (first.kind !== "ok") throw new Error(first.kind);
    rig.cold.cutStart(20);
    rig.reads.forget();
    expect(await rig.read({ ...all, from: 100 })).toEqual({ kind: "past", nextOffset: 100 });
    const read = await rig.read({ ...all, from: 20 });
    expect(read.kind === "ok" && baseOffsetsIn(read.records)[0]).toBe(20);
  });
});
