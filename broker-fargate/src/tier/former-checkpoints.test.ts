import { epoch, keys, slot } from "@millrace/core";
import type { ColdPart, IncarnationId, ObjectRange, ObjectStore, Source } from "@millrace/core";
import { CHECKPOINT_FOOTER_BYTES, crc32c, TAIL_READ_BYTES } from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { testBatch } from "../../../test/fixtures/partition-log.ts";
import { CheckpointEnds } from "./checkpoint-ends.ts";
import { CheckpointWriter } from "./checkpoint-writer.ts";
import {
  CheckpointerRig,
  clusterId,
  formerIncarnation,
  imageOf,
  incarnation,
  smallLimits,
  topic,
  spoiledBuffers,
} from "./fixtures.ts";
import { CheckpointDamagedError, FormerCheckpoints } from "./former-checkpoints.ts";
import type { RegisteredCheckpoint } from "./former-checkpoints.ts";
import { packedPart } from "./slot-packs.ts";

const at = (of: IncarnationId, atEpoch: number): Source => {
  return { incarnation: of, epoch: epoch(atEpoch) };
};

describe("what former incarnations' checkpoints hold of slots", () => {
  let rig: CheckpointerRig;
  let former: FormerCheckpoints;

  beforeEach(() => {
    rig = new CheckpointerRig();
    const { clock, metadata: store, objects, random } = rig;
    const limits = smallLimits;
    const ends = new CheckpointEnds({ objects, limits });
    former = new FormerCheckpoints({ store, clock, random, ends, crc32c, clusterId, limits });
  });

  /** From now on over objects whose reads are counted. */
  function countReads(): { readonly count: number } {
    const reads = { count: 0 };
    const overObjects = (store: ObjectStore): ObjectStore => {
      return Object.assign(store, {
        readRange: (key: string, range: ObjectRange) => {
          reads.count += 1;
          return rig.memory.readRange(key, range);
        },
      });
    };
    rig = new CheckpointerRig({ overObjects });
    const { clock, metadata: store, objects, random } = rig;
    const limits = smallLimits;
    const ends = new CheckpointEnds({ objects, limits });
    former = new FormerCheckpoints({ store, clock, random, ends, crc32c, clusterId, limits });
    return reads;
  }

  function writerOf(of: IncarnationId, state: "open" | "closed" = "closed"): CheckpointWriter {
    const { objects, random } = rig;
    const ids = { clusterId, incarnation: of };
    const limits = smallLimits;
    const register = (checkpoint: RegisteredCheckpoint): Promise<void> =>
      name(of, checkpoint, state);
    return new CheckpointWriter({
      ...ids,
      objects,
      random,
      crc32c,
      limits,
      buffers: spoiledBuffers,
      register,
    });
  }

  async function name(
    of: IncarnationId,
    checkpoint?: RegisteredCheckpoint,
    state: "open" | "closed" = "closed",
  ): Promise<void> {
    const named = checkpoint === undefined ? {} : { checkpoint: { ...checkpoint } };
    const value = { state, trim: 0, ...named };
    await rig.metadata.transact([{ kind: "put", key: keys.incarnation(of), value }]);
  }

  /** Writes one packed part of the slot. */
  async function write(
    writer: CheckpointWriter,
    of: { readonly slot: number; readonly epoch: number },
  ): Promise<ColdPart> {
    const batches = [testBatch({ baseOffset: 0 })];
    const part = writer.addImage(imageOf(batches, { baseOffset: 0, nextOffset: 1 }));
    const partitions = [{ topicId: topic, partition: 5, parts: [packedPart(part)] }];
    writer.addSection({ slot: slot(of.slot), epoch: epoch(of.epoch), partitions });
    await writer.flush();
    return part;
  }

  it("is nothing for one that registered none, or that is not known", async () => {
    await name(formerIncarnation);
    expect(await former.holdsSlot(at(formerIncarnation, 1), slot(1))).toBe(false);
    expect(await former.holdsSlot(at(incarnation, 1), slot(1))).toBe(false);
    expect(await former.partitionsOf([at(formerIncarnation, 1)], slot(1))).toEqual([]);
    expect(await former.partitionsOf([], slot(1))).toEqual([]);
  });

  it("is told by the newest checkpoint, also of a slot whose section lies in an older one", async () => {
    const writer = writerOf(formerIncarnation);
    const part = await write(writer, { slot: 1, epoch: 3 });
    await write(writer, { slot: 2, epoch: 3 });
    const found = await former.partitionsOf([at(formerIncarnation, 3)], slot(1));
    expect(found).toEqual([{ topicId: topic, partition: 5, cold: { packed: [part] } }]);
    expect(await former.holdsSlot(at(formerIncarnation, 3), slot(2))).toBe(true);
    expect(await former.holdsSlot(at(formerIncarnation, 3), slot(3))).toBe(false);
  });

  it("counts only at the epoch that the slot's head names the source with", async () => {
    await write(writerOf(formerIncarnation), { slot: 1, epoch: 3 });
    expect(await former.holdsSlot(at(formerIncarnation, 2), slot(1))).toBe(false);
    expect(await former.partitionsOf([at(formerIncarnation, 4)], slot(1))).toEqual([]);
  });

  it("is taken from the newest source that tells of the slot", async () => {
    const older = await write(writerOf(formerIncarnation), { slot: 1, epoch: 3 });
    const newer = await write(writerOf(incarnation), { slot: 1, epoch: 4 });
    const sources = [at(formerIncarnation, 3), at(incarnation, 4)];
    const objects = async (of: readonly Source[]): Promise<unknown> => {
      const [found] = await former.partitionsOf(of, slot(1));
      return found?.cold.packed[0]?.object;
    };
    expect(await objects(sources)).toBe(newer.object);
    expect(await objects(sources.toReversed())).toBe(newer.object);
    // Of the newest nothing was registered in that epoch.
    expect(await objects([at(formerIncarnation, 3), at(incarnation, 5)])).toBe(older.object);
  });

  it("is read from an index that is larger than one read of an object's end", async () => {
    const writer = writerOf(formerIncarnation);
    const slots = Math.ceil(TAIL_READ_BYTES / 32) + 1;
    for (let number = 1; number < slots; number += 1) {
      writer.addSection({ slot: slot(number), epoch: epoch(1), partitions: [] });
    }
    await write(writer, { slot: 0, epoch: 1 });
    expect(await former.holdsSlot(at(formerIncarnation, 1), slot(0))).toBe(true);
    expect(await former.holdsSlot(at(formerIncarnation, 1), slot(slots - 1))).toBe(true);
  });

  it("is kept for a bounded number of slots; of one more it is read again", async () => {
    const reads = countReads();
    const writer = writerOf(formerIncarnation);
    for (const number of [0, 1, 2]) await write(writer, { slot: number, epoch: 3 });
    const readsFor = async (number: number): Promise<number> => {
      const before = reads.count;
      await former.partitionsOf([at(formerIncarnation, 3)], slot(number));
      return reads.count - before;
    };
    // The index comes with the first one, and the newest section lies beside it.
    expect([await readsFor(0), await readsFor(0), await readsFor(1)]).toEqual([2, 0, 1]);
    expect([await readsFor(2), await readsFor(1), await readsFor(0)]).toEqual([0, 0, 1]);
  });

  it("of one that goes on is read once, until there is a newer checkpoint", async () => {
    const reads = countReads();
    const writer = writerOf(formerIncarnation, "open");
    await write(writer, { slot: 1, epoch: 3 });
    const holds = (number: number): Promise<boolean> => {
      return former.holdsSlot(at(formerIncarnation, 3), slot(number));
    };
    expect([await holds(1), await holds(2), await holds(1), reads.count]).toEqual([
      true,
      false,
      true,
      1,
    ]);
    await write(writer, { slot: 2, epoch: 3 });
    expect([await holds(1), await holds(2), reads.count]).toEqual([true, true, 2]);
  });

  it("is told by the next checkpoint where the one that is read is replaced meanwhile", async () => {
    const asked: string[] = [];
    let onRead: (() => Promise<void>) | undefined;
    const overObjects = (store: ObjectStore): ObjectStore => {
      return Object.assign(store, {
        readRange: async (key: string, range: ObjectRange) => {
          asked.push(key);
          await onRead?.();
          return rig.memory.readRange(key, range);
        },
      });
    };
    rig = new CheckpointerRig({ overObjects });
    const { clock, metadata: store, objects, random } = rig;
    // Of one section the index takes no more, so that the section is another read.
    const limits = { ...smallLimits, checkpointEndBytes: CHECKPOINT_FOOTER_BYTES + 32 };
    const ends = new CheckpointEnds({ objects, limits });
    former = new FormerCheckpoints({ store, clock, random, ends, crc32c, clusterId, limits });
    const writer = writerOf(formerIncarnation, "open");
    await write(writer, { slot: 1, epoch: 3 });
    const [first] = rig.keys("checkpoint");
    // Between the index and the section, too.
    for (const reads of [1, 2]) {
      let left = reads;
      onRead = async () => {
        left -= 1;
        if (left !== 0) return;
        onRead = undefined;
        const before = rig.keys("checkpoint");
        await write(writer, { slot: 1, epoch: 3 });
        await rig.memory.delete(before);
      };
      expect(await former.partitionsOf([at(formerIncarnation, 3)], slot(1))).toHaveLength(1);
    }
    expect(asked[0]).toContain(first);
    expect(rig.keys("checkpoint")).toHaveLength(1);
  });

  it("is an error where the object is missing, short or damaged, and not for ever", async () => {
    const { object } = await write(writerOf(formerIncarnation), { slot: 1, epoch: 3 });
    const bytes = rig.memory.bytesOf(object) ?? new Uint8Array();
    const read = (): Promise<unknown> => {
      return former.partitionsOf([at(formerIncarnation, 3)], slot(1));
    };
    await rig.memory.delete([object]);
    await expect(read()).rejects.toThrow(CheckpointDamagedError);
    for (const left of [bytes.length - 1, 50, 0]) {
      await rig.memory.putIfAbsent(object, [bytes.subarray(0, left)]);
      await expect(read()).rejects.toThrow(CheckpointDamagedError);
      await rig.memory.delete([object]);
    }
    await rig.memory.putIfAbsent(object, [bytes]);
    rig.memory.flipBit(object, 8 * bytes.length - 1000);
    await expect(read()).rejects.toThrow(CheckpointDamagedError);
    rig.memory.flipBit(object, 8 * bytes.length - 1000);
    expect(await read()).toHaveLength(1);
  });

  it("is an error where the slot's section is damaged, and for that slot alone", async () => {
    const writer = writerOf(formerIncarnation);
    await write(writer, { slot: 1, epoch: 3 });
    const { object, bytes } = await write(writer, { slot: 2, epoch: 3 });
    rig.memory.flipBit(object, 8 * bytes + 5);
    const sources = [at(formerIncarnation, 3)];
    await expect(former.partitionsOf(sources, slot(2))).rejects.toThrow(CheckpointDamagedError);
    expect(await former.partitionsOf(sources, slot(1))).toHaveLength(1);
  });
});
