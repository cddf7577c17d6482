import { epoch, slot } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { clusterId, formerIncarnation, partOf, topic } from "./fixtures.ts";
import { checkpointKey } from "./object-keys.ts";
import { packedOwner, packedPart, SlotPacks } from "./slot-packs.ts";
import type { PackedOwner } from "./slot-packs.ts";

function owner(partition: number, ...offsets: readonly number[]): PackedOwner {
  const packed = offsets.map((baseOffset) => partOf({ baseOffset, nextOffset: baseOffset + 1 }));
  return { topicId: topic, partition, cold: { packed } };
}

function packs(...partitions: readonly PackedOwner[]): SlotPacks {
  return new SlotPacks(slot(1), epoch(2), { partitions, isChanged: false });
}

describe("the packs of a slot", () => {
  it("are those that a checkpoint told, until the partition itself is there", () => {
    const first = owner(0, 1, 2);
    const slotPacks = packs(first, owner(1, 5));
    expect(slotPacks.find(topic, 0)).toBe(first.cold.packed);
    expect(slotPacks.find(topic, 2)).toEqual([]);
    const loaded = owner(0, 7);
    slotPacks.put(loaded);
    expect(slotPacks.find(topic, 0)).toBe(loaded.cold.packed);
    expect([...slotPacks.owners()].map(({ partition }) => partition)).toEqual([0, 1]);
    expect(slotPacks.isChanged).toBe(false);
  });

  it("change when a partition goes, if there is such a one", () => {
    const slotPacks = packs(owner(0, 1));
    slotPacks.remove(topic, 1);
    expect(slotPacks.isChanged).toBe(false);
    slotPacks.remove(topic, 0);
    expect(slotPacks.isChanged).toBe(true);
    expect([...slotPacks.owners()]).toEqual([]);
  });

  it("name a part by its checkpoint's number, and are found by it again", () => {
    const keyOf = (number: number): string => checkpointKey(clusterId, formerIncarnation, number);
    const leaderEpochs = [{ epoch: 1, startOffset: 5 }];
    const part = partOf({ baseOffset: 5, nextOffset: 9, object: keyOf(12), leaderEpochs });
    const named = packedPart(part);
    expect(named.checkpoint).toBe(12);
    const found = packedOwner({ topicId: topic, partition: 3, parts: [named] }, keyOf);
    expect(found).toEqual({ topicId: topic, partition: 3, cold: { packed: [part] } });
  });
});
