import type { ColdPart, ObjectStore } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { CheckpointerRig, smallLimits } from "./fixtures.ts";
import type { TestOwner } from "./fixtures.ts";

const { checkpointDueMs } = smallLimits;

/** Two batches are packed, and on the disk no more. */
async function packed(): Promise<{ rig: CheckpointerRig; owner: TestOwner; part: ColdPart }> {
  const rig = new CheckpointerRig();
  const owner = rig.owner(0);
  owner.log.config = { ...owner.log.config, segmentBytes: 200 };
  rig.append(owner, 2);
  await rig.pass(checkpointDueMs);
  const [part] = owner.tiered.cold.packed;
  if (part === undefined) throw new Error("nothing is packed");
  owner.log.removeLocalBefore(part.nextOffset);
  expect(owner.log.localStartOffset).toBe(2);
  return { rig, owner, part };
}

describe("what was packed and is packed again", () => {
  it.each([2, 4, 12])("is read back from the pack, with %i batches behind it", async (more) => {
    const { owner, rig } = await packed();
    rig.append(owner, more);
    await rig.pass(checkpointDueMs);
    const { cold } = owner.tiered;
    expect([cold.startOffset, cold.endOffset]).toEqual([0, 2 + more]);
    const [first] = cold.parts();
    expect(first?.nextOffset).toBeGreaterThan(2);
    for (const part of cold.parts()) expect(await owner.tiered.proofs.isWhole(part)).toBe(true);
    expect(rig.warnings).toEqual([]);
  });

  it.each([
    ["value", 75],
    ["batch's length", 10],
    ["offset", 7],
    ["offset that is far away", 3],
  ])("is left as it is where a %s is wrong, which is said once", async (_, byte) => {
    for (const more of [2, 4]) {
      const { owner, part, rig } = await packed();
      const batchBytes = part.batchesBytes / 2;
      rig.memory.flipBit(part.object, (part.position + batchBytes + byte) * 8);
      const other = rig.owner(1);
      rig.append(owner, more);
      rig.append(other, 2);
      await rig.pass(20 * checkpointDueMs);
      expect(owner.tiered.cold.endOffset).toBe(2);
      expect(other.tiered.cold.endOffset).toBe(2);
      expect(rig.warnings.filter((warning) => warning.includes("tail could not"))).toHaveLength(1);
      expect(rig.warnings).toHaveLength(1);
    }
  });
});

it("an object that went between two tries of its put is put again by the next round", async () => {
  let isGone = true;
  const rig = new CheckpointerRig({
    overObjects: (store) =>
      Object.assign(Object.create(store) as ObjectStore, {
        readRange: store.readRange.bind(store),
        delete: store.delete.bind(store),
        // As a store says that had it, and of which a sweep has deleted it since.
        putIfAbsent: (key: string, parts: readonly Uint8Array[]) => {
          if (key.includes("/data/") && isGone) return Promise.resolve("exists");
          return store.putIfAbsent(key, parts);
        },
      }),
  });
  const owner = rig.owner(0);
  rig.append(owner, 20);
  await rig.pass(checkpointDueMs);
  expect(owner.tiered.cold.isEmpty).toBe(true);
  expect(rig.warnings.length).toBeGreaterThan(0);
  isGone = false;
  await rig.pass(checkpointDueMs);
  expect(owner.tiered.cold.endOffset).toBe(20);
});
