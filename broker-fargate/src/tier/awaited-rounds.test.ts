import { epoch, type ObjectStore, slot } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { testBatch } from "../../../test/fixtures/partition-log.ts";
import {
  bytesIn,
  CheckpointerRig,
  clusterId,
  formerIncarnation,
  imageOf,
  smallLimits,
  topic,
} from "./fixtures.ts";
import { checkpointKey } from "./object-keys.ts";
import { SlotPacks } from "./slot-packs.ts";

const { checkpointBytesMax, checkpointDueMs, coldSegmentBytesMin } = smallLimits;
const theirs = new Set([slot(0)]);

/** A rig that tells what is asked of its object store. */
function watched(options: ConstructorParameters<typeof CheckpointerRig>[0] = {}) {
  const asked: string[] = [];
  const overObjects = (store: ObjectStore): ObjectStore => {
    return Object.assign(Object.create(store) as ObjectStore, {
      list: store.list.bind(store),
      putIfAbsent: store.putIfAbsent.bind(store),
      readRange: (...args: Parameters<ObjectStore["readRange"]>) => {
        asked.push("read");
        return store.readRange(...args);
      },
      delete: (names: readonly string[]) => {
        asked.push("delete");
        return store.delete(names);
      },
    });
  };
  return { rig: new CheckpointerRig({ ...options, overObjects }), asked };
}

describe("a round that others wait for", () => {
  it("takes what is new of their slots, and asks the object store for nothing", async () => {
    const { asked, rig } = watched();
    const owner = rig.owner(0);
    rig.append(owner, 1);
    await rig.run(rig.checkpointer.takeAll());
    // It has no hot copy any more: taken in, it would have to be read.
    owner.log.config = { ...owner.log.config, segmentBytes: 200 };
    rig.append(owner, 2);
    owner.log.removeLocalBefore(1);
    expect(owner.log.localStartOffset).toBe(1);
    // Another slot came from elsewhere, and what is packed of it has to move.
    const key = checkpointKey(clusterId, formerIncarnation, 0);
    const image = imageOf([testBatch({ baseOffset: 0 })], { baseOffset: 0, nextOffset: 1 });
    await rig.memory.putIfAbsent(key, [bytesIn(image.parts)]);
    const come = { topicId: topic, partition: 7, cold: { packed: [image.at(key, 0)] } };
    const packs = new SlotPacks(slot(7), epoch(1), { partitions: [come], isChanged: true });
    rig.slots.set(slot(7), packs);
    const other = rig.owner(1);
    rig.append(other, 1);
    asked.length = 0;
    await rig.run(rig.checkpointer.takeRest(theirs));
    expect(asked).toEqual([]);
    expect(owner.tiered.cold.packed.map(({ nextOffset }) => nextOffset)).toEqual([1, 3]);
    expect([other.tiered.cold.endOffset, packs.isChanged]).toEqual([undefined, true]);
    expect(rig.checkpointer.dirtyPartitions).toBe(1);
    // A round that tidies comes by itself.
    await rig.pass(checkpointDueMs);
    expect([other.tiered.cold.endOffset, packs.isChanged]).toEqual([1, false]);
  });

  it("leaves it to a later one to delete what nobody needs, which comes by itself", async () => {
    const { asked, rig } = watched();
    rig.append(rig.owner(0), 1);
    await rig.run(rig.checkpointer.takeAll());
    rig.slots.get(slot(0))?.remove(topic, 0);
    await rig.run(rig.checkpointer.takeRest(theirs));
    expect(asked).toEqual([]);
    expect(rig.keys("checkpoint")).toHaveLength(2);
    await rig.pass(checkpointDueMs);
    expect(rig.keys("checkpoint")).toHaveLength(1);
  });

  it("lets no other round begin beside it, however long it takes", async () => {
    let [underWay, most] = [0, 0];
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const rig = new CheckpointerRig({
      overObjects: (store) =>
        Object.assign(Object.create(store) as ObjectStore, {
          readRange: store.readRange.bind(store),
          list: store.list.bind(store),
          delete: store.delete.bind(store),
          putIfAbsent: async (key: string, parts: readonly Uint8Array[]) => {
            underWay += 1;
            most = Math.max(most, underWay);
            await held;
            underWay -= 1;
            return store.putIfAbsent(key, parts);
          },
        }),
    });
    const [owner, other] = [rig.owner(0), rig.owner(1)];
    rig.append(owner, 1);
    rig.append(other, 1);
    const round = rig.checkpointer.takeRest(theirs);
    await rig.pass(3 * checkpointDueMs);
    letGo();
    expect(await round).toBe("done");
    await rig.pass(checkpointDueMs);
    expect(most).toBe(1);
    expect([owner, other].map(({ tiered }) => tiered.cold.endOffset)).toEqual([1, 1]);
  });

  it("makes cold segments of what is enough for them, so that packs stay small", async () => {
    const { rig } = watched({ segmentBytes: 1_000_000 });
    const owner = rig.owner(0);
    rig.append(owner, 2);
    await rig.run(rig.checkpointer.takeAll());
    rig.append(owner, 200, 1_000);
    await rig.run(rig.checkpointer.takeRest(theirs));
    expect(owner.tiered.cold.endOffset).toBe(202);
    expect(owner.tiered.cold.packed).toEqual([]);
    const largest = Math.max(...rig.registered.map(({ bytes }) => bytes));
    expect(largest).toBeLessThan(checkpointBytesMax + coldSegmentBytesMin);
  });

  it("again and again leaves few packed parts, as long as others tidy in between", async () => {
    const limits = { ...smallLimits, coldSegmentBytesMin: 1e6, coldSegmentBytesMax: 4e6 };
    const { rig } = watched({ limits, segmentBytes: 1_000_000 });
    const owner = rig.owner(0);
    for (let round = 0; round < 64; round += 1) {
      rig.append(owner, 1, 100);
      await rig.run(rig.checkpointer.takeAll());
      expect(owner.tiered.cold.packed.length).toBeLessThan(16);
      rig.append(owner, 3, 100);
      await rig.run(rig.checkpointer.takeRest(theirs));
    }
  });
});
