import type { ColdPart, ObjectStore } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { appendEach, Rig } from "../partition/fixtures.ts";
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
  ])("is lost where a %s is wrong, and what lies above is tiered", async (_, byte) => {
    for (const more of [2, 4, 20]) {
      const { owner, part, rig } = await packed();
      const batchBytes = part.batchesBytes / 2;
      rig.memory.flipBit(part.object, (part.position + batchBytes + byte) * 8);
      const other = rig.owner(1);
      rig.append(owner, more);
      rig.append(other, 2);
      await rig.pass(20 * checkpointDueMs);
      const { cold, proofs } = owner.tiered;
      const [first, ...others] = cold.parts();
      expect(first).toMatchObject({ baseOffset: 0, nextOffset: 2, isLost: true });
      expect(others.length).toBeGreaterThan(0);
      for (const each of others) expect(await proofs.isWhole(each)).toBe(true);
      expect(cold.endOffset).toBe(2 + more);
      expect(other.tiered.cold.endOffset).toBe(2);
      expect(rig.lost).toEqual(["0: 0-2"]);
      expect(rig.warnings).toEqual([expect.stringMatching(/tail could not/)]);
      // What waited for it, as the journal does, is let go.
      expect(rig.covered.at(-1)).toBe("end 0");
      // A start knows it.
      expect((await rig.manifest.segments(owner.tiered.at))[0]).toEqual(first);
    }
  });

  it("is lost up to where the hot log goes on, and no further", async () => {
    const rig = new CheckpointerRig();
    const owner = rig.owner(0);
    owner.log.config = { ...owner.log.config, segmentBytes: 200 };
    rig.append(owner, 4);
    await rig.pass(checkpointDueMs);
    const [part] = owner.tiered.cold.packed;
    if (part === undefined) throw new Error("nothing is packed");
    owner.log.removeLocalBefore(2);
    expect([part.nextOffset, owner.log.localStartOffset]).toEqual([4, 2]);
    rig.memory.flipBit(part.object, (part.position + 75) * 8);
    rig.append(owner, 6);
    await rig.pass(4 * checkpointDueMs);
    const { cold, reads } = owner.tiered;
    expect(cold.endOffset).toBe(10);
    expect(rig.lost).toEqual(["0: 0-2"]);
    const range = { maxBytes: 1_000, upTo: 10, atLeastOneBatch: true };
    for (const from of [0, 1]) expect(reads.read({ ...range, from })).toEqual({ kind: "failed" });
    expect(reads.read({ ...range, from: 2 }).kind).toBe("pending");
    const query = { timestamp: 1, startOffset: 0 };
    expect(await rig.run(reads.findByTimestamp(query))).toBe("failed");
    const later = await rig.run(reads.findByTimestamp({ ...query, timestamp: 9 }));
    expect(later).toMatchObject({ offset: 9 });
  });

  it("is packed again from the hot log where that still has it", async () => {
    const rig = new CheckpointerRig();
    const owner = rig.owner(0);
    rig.append(owner, 2);
    await rig.pass(checkpointDueMs);
    for (const { object, position } of owner.tiered.cold.packed) {
      rig.memory.flipBit(object, (position + 75) * 8);
    }
    rig.append(owner, 2);
    await rig.pass(checkpointDueMs);
    const parts = [...owner.tiered.cold.parts()];
    expect(parts.at(-1)?.nextOffset).toBe(4);
    for (const part of parts) expect(await owner.tiered.proofs.isWhole(part)).toBe(true);
    expect([rig.lost, rig.warnings]).toEqual([[], []]);
  });

  it("is not lost where the second look finds it whole", async () => {
    const { owner, part, rig } = await packed();
    const bit = (part.position + 75) * 8;
    rig.memory.flipBit(part.object, bit);
    rig.append(owner, 4);
    await rig.pass(checkpointDueMs);
    rig.memory.flipBit(part.object, bit);
    await rig.pass(checkpointDueMs);
    expect([rig.lost, owner.tiered.cold.endOffset]).toEqual([[], 6]);
    for (const each of owner.tiered.cold.parts()) {
      expect(await owner.tiered.proofs.isWhole(each)).toBe(true);
    }
  });

  it("is lost alone: what the same image would have held below it stays", async () => {
    const { owner, rig } = await packed();
    rig.append(owner, 1, 100);
    await rig.pass(checkpointDueMs);
    const [, second] = owner.tiered.cold.packed;
    if (second === undefined) throw new Error("there are two packed parts");
    owner.log.config = { ...owner.log.config, segmentBytes: 100 };
    rig.append(owner, 1);
    owner.log.removeLocalBefore(3);
    expect(owner.log.localStartOffset).toBe(3);
    rig.memory.flipBit(second.object, (second.position + 75) * 8);
    rig.append(owner, 5);
    await rig.pass(4 * checkpointDueMs);
    expect(rig.lost).toEqual(["0: 2-3"]);
    const parts = [...owner.tiered.cold.parts()];
    expect(parts.map(({ nextOffset }) => nextOffset).slice(0, 2)).toEqual([2, 3]);
    expect(parts.at(-1)?.nextOffset).toBe(9);
    for (const part of parts) {
      expect(await owner.tiered.proofs.isWhole(part)).toBe(part.isLost !== true);
    }
  });

  it("is lost where its pack is gone altogether", async () => {
    const { owner, part, rig } = await packed();
    await rig.memory.delete([part.object]);
    rig.append(owner, 20);
    await rig.pass(4 * checkpointDueMs);
    expect([rig.lost, owner.tiered.cold.endOffset]).toEqual([["0: 0-2"], 22]);
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

it("a part is whole by what the store has of it now, whatever was read when its slot was opened", async () => {
  const rig = await new Rig({ tierLimits: smallLimits }).start();
  const topic = await rig.createTopic("t", { configs: { "millrace.durability": "journal" } });
  await appendEach(await rig.partitions.open(topic, 0), [1, 2]);
  await rig.pass(checkpointDueMs);
  await rig.partitions.close();
  await rig.kill();
  const { tiered } = await rig.partitions.open(topic, 0);
  const [part] = tiered?.cold.parts() ?? [];
  if (part === undefined) throw new Error("nothing is packed");
  rig.objects?.flipBit(part.object, 8 * (part.position + part.batchesBytes + 3));
  expect(await tiered?.proofs.isWhole(part)).toBe(false);
});
