import { epoch, MetadataError, ObjectError, slot } from "@millrace/core";
import type { ColdPart } from "@millrace/core";
import { crc32c, decodeCheckpointIndex, decodeSlotSection } from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { testBatch } from "../../../test/fixtures/partition-log.ts";
import {
  bytesIn,
  CheckpointerRig,
  clusterId,
  formerIncarnation,
  imageOf,
  incarnation,
  partOf,
  smallLimits,
  topic,
} from "./fixtures.ts";
import type { TestOwner } from "./fixtures.ts";
import { CheckpointDamagedError } from "./former-checkpoints.ts";
import type { WrittenImage } from "./image-writer.ts";
import { objectTriesMax } from "./limits.ts";
import { checkpointKey } from "./object-keys.ts";
import { PackRound } from "./pack-round.ts";
import { SlotPacks } from "./slot-packs.ts";

const keyOf = (number: number): string => checkpointKey(clusterId, incarnation, number);

/** Of the offsets from `baseOffset` to before `nextOffset`. */
function image(baseOffset: number, nextOffset: number, valueBytes = 20): WrittenImage {
  const batch = testBatch({ baseOffset, lastOffsetDelta: nextOffset - baseOffset - 1, valueBytes });
  return imageOf([batch], { baseOffset, nextOffset });
}

describe("a round of packs", () => {
  let rig: CheckpointerRig;
  let owner: TestOwner;

  beforeEach(() => {
    rig = new CheckpointerRig();
    owner = rig.owner(0);
  });

  const begin = (keptFrom = 0): PackRound => new PackRound(rig.writer, rig.objects, keptFrom);

  /** Stores one image of the owner in a checkpoint of its own. */
  async function pack(baseOffset: number, nextOffset: number): Promise<void> {
    const round = begin();
    round.addTail(owner.tiered, image(baseOffset, nextOffset));
    await round.addSlot(owner.tiered.packs);
    await rig.run(round.flush());
  }

  function packed(of: { readonly packed: readonly ColdPart[] } = owner.tiered.cold): unknown {
    return of.packed.map(({ baseOffset, nextOffset, object }) => {
      return `${baseOffset}-${nextOffset} in ${Number(object.slice(-20))}`;
    });
  }

  /** A slot as a former incarnation left it: one packed part of one partition, of slot 4 number 9. */
  async function formerSlot(number: number, bytes = image(0, 5)): Promise<SlotPacks> {
    const object = checkpointKey(clusterId, formerIncarnation, number);
    await rig.memory.putIfAbsent(object, [new Uint8Array(7), ...bytes.parts]);
    const cold = { packed: [bytes.at(object, 7)] };
    const partitions = [{ topicId: topic, partition: number + 5, cold }];
    const packs = new SlotPacks(slot(number), epoch(2), { partitions, isChanged: true });
    rig.slots.set(slot(number), packs);
    return packs;
  }

  /** What the section of the newest checkpoint says of the slot, as `packed`. */
  function sectionOf(packs: SlotPacks): readonly string[] {
    const { bytes: objectBytes = 0, number = -1 } = rig.registered.at(-1) ?? {};
    const object = rig.memory.bytesOf(keyOf(number)) ?? new Uint8Array();
    const decoded = decodeCheckpointIndex(object, { objectBytes, crc32c });
    if (decoded.kind !== "ok") throw new Error(decoded.kind);
    const line = decoded.index.slots.find((found) => found.slot === packs.slot);
    if (line === undefined) throw new Error("the slot has no section");
    const holder = rig.memory.bytesOf(keyOf(line.checkpoint)) ?? new Uint8Array();
    const bytes = holder.subarray(line.position, line.position + line.bytes);
    const section = decodeSlotSection(bytes, line, crc32c);
    if (section.kind !== "ok") throw new Error(section.reason);
    return section.section.partitions.flatMap(({ parts }) => {
      return parts.map((part) => `${part.baseOffset}-${part.nextOffset} in ${part.checkpoint}`);
    });
  }

  it("changes a partition's list when the checkpoint is registered, and not before", async () => {
    const round = begin();
    round.addTail(owner.tiered, image(0, 5));
    await round.addSlot(owner.tiered.packs);
    expect(packed()).toEqual([]);
    rig.onRegister = () => expect(packed()).toEqual([]);
    await rig.run(round.flush());
    expect(packed()).toEqual(["0-5 in 0"]);
    expect(sectionOf(owner.tiered.packs)).toEqual(["0-5 in 0"]);
    expect(owner.tiered.packs.isChanged).toBe(false);
    expect([...round.registered]).toEqual([owner.tiered.packs]);
  });

  it("puts an image in the place of those that it takes in", async () => {
    await pack(0, 5);
    await pack(5, 6);
    expect(packed()).toEqual(["0-5 in 0", "5-6 in 1"]);
    await pack(5, 9);
    expect(packed()).toEqual(["0-5 in 0", "5-9 in 2"]);
    expect(sectionOf(owner.tiered.packs)).toEqual(["0-5 in 0", "5-9 in 2"]);
  });

  it("copies a former incarnation's images, byte for byte, for partitions nobody loaded", async () => {
    const former = image(0, 5);
    const packs = await formerSlot(4, former);
    const round = begin();
    await rig.run(round.addSlot(packs));
    await rig.run(round.flush());
    const [part = partOf({ baseOffset: 0, nextOffset: 1 })] = packs.find(topic, 9);
    expect(packed({ packed: packs.find(topic, 9) })).toEqual(["0-5 in 0"]);
    expect(sectionOf(packs)).toEqual(["0-5 in 0"]);
    const { bytes, position } = part;
    const moved = await rig.memory.readRange(part.object, { from: position, bytes });
    expect(moved).toEqual(bytesIn(former.parts));
  });

  it("moves images out of its own checkpoints that are to go", async () => {
    await pack(0, 5);
    await pack(5, 7);
    const round = begin(1);
    await rig.run(round.addSlot(owner.tiered.packs));
    await rig.run(round.flush());
    expect(packed()).toEqual(["0-5 in 2", "5-7 in 1"]);
    expect(sectionOf(owner.tiered.packs)).toEqual(["0-5 in 2", "5-7 in 1"]);
  });

  it("spreads what it moves over checkpoints of the bounded size, each registered", async () => {
    const large = image(0, 5, smallLimits.checkpointBytesMax / 2);
    const slots = [
      await formerSlot(1, large),
      await formerSlot(2, large),
      await formerSlot(3, large),
    ];
    const round = begin();
    for (const packs of slots) await rig.run(round.addSlot(packs));
    await rig.run(round.flush());
    expect(rig.registered.map(({ number }) => number)).toEqual([0, 1, 2]);
    for (const [number, packs] of slots.entries()) {
      expect(sectionOf(packs)).toEqual([`0-5 in ${number}`]);
    }
    for (const { bytes } of rig.registered) expect(bytes).toBeLessThan(2 * large.bytes);
  });

  it("that fails leaves every list as it was, and every slot to be written again", async () => {
    await pack(0, 5);
    const packs = await formerSlot(4);
    for (const breakIt of [
      () => rig.objectFaults.plan("put", ...Array(objectTriesMax).fill("slowDown")),
      () => {
        rig.onRegister = () => {
          throw new MetadataError("lost", { retriable: false, applied: "maybe" });
        };
      },
    ]) {
      const round = begin();
      round.addTail(owner.tiered, image(5, 9));
      await rig.run(round.addSlot(owner.tiered.packs));
      await rig.run(round.addSlot(packs));
      breakIt();
      await expect(rig.run(round.flush())).rejects.toThrow();
      round.giveUp();
      expect(packed()).toEqual(["0-5 in 0"]);
      expect(packs.find(topic, 9)[0]?.object).toContain(formerIncarnation);
      expect([owner.tiered.packs.isChanged, packs.isChanged]).toEqual([true, true]);
      rig.onRegister = () => undefined;
    }
    const round = begin();
    await rig.run(round.addSlot(packs));
    await rig.run(round.flush());
    expect(sectionOf(packs)).toEqual([`0-5 in ${rig.registered.at(-1)?.number}`]);
  });

  it("leaves a slot out whose image is missing, and takes the others", async () => {
    const packs = await formerSlot(4);
    await rig.memory.delete([packs.find(topic, 9)[0]?.object ?? ""]);
    const round = begin();
    round.addTail(owner.tiered, image(0, 5));
    await expect(rig.run(round.addSlot(packs))).rejects.toThrow(CheckpointDamagedError);
    await rig.run(round.addSlot(owner.tiered.packs));
    await rig.run(round.flush());
    expect(packed()).toEqual(["0-5 in 0"]);
    expect(packs.isChanged).toBe(true);
    expect([...round.leftOut]).toEqual([packs]);
    expect([...round.registered]).toEqual([owner.tiered.packs]);
  });

  it("fails as the store does where what is to move can't be read", async () => {
    const packs = await formerSlot(4);
    rig.objectFaults.plan("read", ...Array(objectTriesMax).fill("slowDown"));
    const adding = begin().addSlot(packs);
    await expect(rig.run(adding)).rejects.toThrow(ObjectError);
    expect(packs.isChanged).toBe(true);
  });

  it("takes what a start has passed meanwhile out of the list, and has it written again", async () => {
    await pack(0, 5);
    const round = begin();
    round.addTail(owner.tiered, image(5, 9));
    await round.addSlot(owner.tiered.packs);
    rig.onRegister = () => void owner.tiered.cutStart(6);
    await rig.run(round.flush());
    expect(packed()).toEqual(["5-9 in 1"]);
    expect(sectionOf(owner.tiered.packs)).toEqual(["0-5 in 0", "5-9 in 1"]);
    expect(owner.tiered.packs.isChanged).toBe(true);
    expect([...owner.tiered.packs.named]).toEqual([keyOf(0), keyOf(1)]);
  });

  it("forgets a partition whose topic went while it collected", async () => {
    const round = begin();
    round.addTail(owner.tiered, image(0, 5));
    await round.addSlot(owner.tiered.packs);
    rig.onRegister = () => owner.tiered.packs.remove(topic, 0);
    await rig.run(round.flush());
    expect(owner.tiered.packs.find(topic, 0)).toEqual([]);
    expect(owner.tiered.packs.isChanged).toBe(true);
  });
});
