import { MemoryMetadataStore, SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import { epoch, slot } from "@millrace/core";
import type { ColdPart } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { FencedError } from "../cluster/slot-claims.ts";
import type { MarkedPartition } from "../partition/partition-items.ts";
import { SlotWrites } from "../partition/slot-writes.ts";
import { headWrite, partOf, topic } from "./fixtures.ts";
import { ManifestItems } from "./manifest-items.ts";

function rig(): { readonly store: MemoryMetadataStore; readonly manifest: ManifestItems } {
  const store = new MemoryMetadataStore();
  void store.transact([headWrite(slot(3), 1)]);
  const access = { store, clock: new VirtualClock(), random: new SeededRandom(1) };
  return { store, manifest: new ManifestItems(access, new SlotWrites(access)) };
}

function placeOf(partition: number, atEpoch = 1): MarkedPartition {
  const openSlot = { epoch: epoch(atEpoch) };
  return { topicId: topic, partition, slot: slot(3), openSlot };
}

function segment(baseOffset: number, nextOffset: number): ColdPart {
  const leaderEpochs = [
    { epoch: 1, startOffset: baseOffset },
    { epoch: 4, startOffset: baseOffset + 1 },
  ];
  return partOf({ baseOffset, nextOffset, leaderEpochs, maxTimestamp: 77 });
}

describe("a partition's manifest", () => {
  it("gives back the segments that it was given, oldest first", async () => {
    const { manifest } = rig();
    const segments = [segment(0, 9), segment(9, 10), segment(10, 100), segment(100, 2 ** 40)];
    await manifest.add(placeOf(1), segments.slice(2));
    await manifest.add(placeOf(1), segments.slice(0, 2));
    expect(await manifest.segments(placeOf(1))).toEqual(segments);
  });

  it("is its own: others of the slot, and whose number begins with its number, have theirs", async () => {
    const { manifest } = rig();
    await manifest.add(placeOf(1), [segment(0, 9)]);
    await manifest.add(placeOf(11), [segment(0, 5)]);
    expect((await manifest.segments(placeOf(1))).map(({ nextOffset }) => nextOffset)).toEqual([9]);
    expect(await manifest.segments(placeOf(2))).toEqual([]);
  });

  it("says which object a base offset names", async () => {
    const { manifest } = rig();
    await manifest.add(placeOf(1), [segment(5, 9)]);
    expect(await manifest.objectAt(placeOf(1), 5)).toBe("at-5");
    expect(await manifest.objectAt(placeOf(1), 6)).toBeUndefined();
  });

  it("forgets more segments than one transaction holds", async () => {
    const { manifest } = rig();
    const segments = Array.from({ length: 150 }, (_, i) => segment(i, i + 1));
    for (let from = 0; from < 150; from += 50) {
      await manifest.add(placeOf(1), segments.slice(from, from + 50));
    }
    await manifest.remove(placeOf(1), segments.slice(0, 149));
    expect(await manifest.segments(placeOf(1))).toEqual(segments.slice(149));
  });

  it("has segments take the place of others at once, and says which are clean", async () => {
    const { manifest, store } = rig();
    const segments = [segment(0, 9), segment(9, 20), segment(20, 30)];
    await manifest.add(placeOf(1), segments);
    const cleaned = { ...segment(0, 20), object: "cleaned", isCleaned: true };
    let transactions = 0;
    const transact = store.transact.bind(store);
    store.transact = (writes) => {
      transactions += 1;
      return transact(writes);
    };
    await manifest.replace(placeOf(1), segments.slice(0, 2), [cleaned]);
    expect(transactions).toBe(1);
    expect(await manifest.segments(placeOf(1))).toEqual([cleaned, segments[2]]);
    expect(await manifest.objectAt(placeOf(1), 9)).toBeUndefined();
    const [last = cleaned] = segments.slice(2);
    await manifest.replace(placeOf(1), [last], [{ ...last, isCleaned: true }]);
    expect(await manifest.segments(placeOf(1))).toEqual([cleaned, { ...last, isCleaned: true }]);
  });

  it("is not changed by an owner whose slot has a newer epoch", async () => {
    const { manifest, store } = rig();
    await manifest.add(placeOf(1), [segment(0, 9)]);
    await store.transact([headWrite(slot(3), 2)]);
    await expect(manifest.add(placeOf(1), [segment(9, 10)])).rejects.toThrow(FencedError);
    await expect(manifest.remove(placeOf(1), [segment(0, 9)])).rejects.toThrow(FencedError);
    expect(await manifest.segments(placeOf(1))).toEqual([segment(0, 9)]);
    await manifest.add(placeOf(1, 2), [segment(9, 10)]);
    expect(await manifest.segments(placeOf(1))).toHaveLength(2);
  });
});
