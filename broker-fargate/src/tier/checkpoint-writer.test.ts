import { epoch, ObjectError, slot } from "@millrace/core";
import type { ColdPart } from "@millrace/core";
import { crc32c, decodeCheckpointIndex } from "@millrace/wire";
import type { CheckpointIndex, PackedPartition } from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { testBatch } from "../../../test/fixtures/partition-log.ts";
import {
  CheckpointerRig,
  clusterId,
  formerIncarnation,
  imageOf,
  incarnation,
  partOf,
  smallLimits,
  topic,
} from "./fixtures.ts";
import type { WrittenImage } from "./image-writer.ts";
import { objectTriesMax } from "./limits.ts";
import { checkpointKey, checkpointNumber } from "./object-keys.ts";
import { packedPart } from "./slot-packs.ts";

const keyOf = (number: number): string => checkpointKey(clusterId, incarnation, number);

function image(valueBytes = 20): WrittenImage {
  return imageOf([testBatch({ baseOffset: 0, valueBytes })], { baseOffset: 0, nextOffset: 1 });
}

function manyTimes<const Fault>(fault: Fault, times: number): readonly Fault[] {
  return Array.from({ length: times }, () => fault);
}

describe("the writer of checkpoints", () => {
  let rig: CheckpointerRig;

  beforeEach(() => {
    rig = new CheckpointerRig();
  });

  /** One image of the slot, and its section. */
  function add(slotNumber: number, ...more: readonly ColdPart[]): ColdPart {
    const part = rig.writer.addImage(image());
    const parts = [...more, part].map(packedPart);
    const partitions: PackedPartition[] = [{ topicId: topic, partition: slotNumber, parts }];
    rig.writer.addSection({ slot: slot(slotNumber), epoch: epoch(1), partitions });
    return part;
  }

  /** As `slot:checkpoint`, by the newest registered checkpoint. */
  function indexed(): readonly string[] {
    const { bytes = 0, number = -1 } = rig.registered.at(-1) ?? {};
    const object = rig.memory.bytesOf(keyOf(number)) ?? new Uint8Array();
    const decoded = decodeCheckpointIndex(object, { objectBytes: bytes, crc32c });
    if (decoded.kind !== "ok") throw new Error(decoded.kind);
    const { slots }: CheckpointIndex = decoded.index;
    return slots.map((line) => `${line.slot}:${line.checkpoint}`);
  }

  it("writes nothing when nothing has collected", async () => {
    await rig.run(rig.writer.flush());
    expect([
      rig.memory.keys,
      rig.registered,
      rig.writer.count,
      [...rig.writer.checkpoints()][0]?.number ?? -1,
    ]).toEqual([[], [], 0, -1]);
  });

  it("stores first, registers then, and the newest leads to the sections of all slots", async () => {
    const stored: boolean[] = [];
    rig.onRegister = ({ number }) => void stored.push(rig.memory.keys.includes(keyOf(number)));
    add(1);
    add(2);
    await rig.run(rig.writer.flush());
    expect(indexed()).toEqual(["1:0", "2:0"]);
    add(2);
    await rig.run(rig.writer.flush());
    expect(indexed()).toEqual(["1:0", "2:1"]);
    expect(stored).toEqual([true, true]);
    expect(rig.writer.slotsBefore(1)).toEqual([slot(1)]);
    expect([rig.writer.count, [...rig.writer.checkpoints()][0]?.number ?? -1]).toEqual([2, 0]);
  });

  it("gives parts that lie where the object has them", async () => {
    const first = image(20);
    const parts = [rig.writer.addImage(first), rig.writer.addImage(image(50))];
    await rig.run(rig.writer.flush());
    expect(parts.map(({ object, position }) => [object, position])).toEqual([
      [keyOf(0), 0],
      [keyOf(0), first.bytes],
    ]);
    for (const { bytes, position } of parts) {
      const found = await rig.memory.readRange(keyOf(0), { from: position, bytes });
      expect(found?.length).toBe(bytes);
    }
  });

  it("gives the memory of runs back once they are stored, could not be, or are dropped", async () => {
    const { givenBack, writer } = rig;
    const images = [image(20), image(30), image(40), image(50)] as const;
    const [first, second, third, fourth] = images.map(({ runs }) => runs);
    const [expected] = first ?? [];
    const copy = expected?.slice();
    writer.addImage(images[0]);
    writer.addImage(images[1]);
    await rig.run(writer.flush());
    expect(givenBack.splice(0)).toEqual([...(first ?? []), ...(second ?? [])]);
    // Whoever had it again wrote into it at once.
    const range = { from: 0, bytes: copy?.length ?? 0 };
    expect(await rig.memory.readRange(keyOf(0), range)).toEqual(copy);
    writer.addImage(images[2]);
    rig.objectFaults.plan("put", ...manyTimes("requestLost", objectTriesMax));
    await expect(rig.run(writer.flush())).rejects.toBeInstanceOf(ObjectError);
    expect(givenBack.splice(0)).toEqual(third);
    writer.addImage(images[3]);
    writer.drop();
    await rig.run(writer.flush());
    expect(givenBack).toEqual(fourth);
  });

  it("is full when another image would pass the limit, and never for the first one", () => {
    expect(rig.writer.isFullFor(10 * smallLimits.checkpointBytesMax)).toBe(false);
    const { bytes } = image();
    rig.writer.addImage(image());
    expect(rig.writer.isFullFor(smallLimits.checkpointBytesMax - bytes)).toBe(false);
    expect(rig.writer.isFullFor(smallLimits.checkpointBytesMax - bytes + 1)).toBe(true);
  });

  it("uses no number again whose object may be there, and no line of one that failed", async () => {
    add(1);
    await rig.run(rig.writer.flush());
    add(2);
    // It is there in the end, and nobody is told.
    rig.objectFaults.plan("put", ...manyTimes("requestLost", objectTriesMax - 1), "replyLost");
    rig.objectFaults.plan("read", ...manyTimes("slowDown", objectTriesMax));
    await expect(rig.run(rig.writer.flush())).rejects.toThrow(ObjectError);
    expect(rig.keys("checkpoint")).toEqual([keyOf(0), keyOf(1)]);
    expect(rig.registered).toHaveLength(1);
    add(3);
    await rig.run(rig.writer.flush());
    expect(indexed()).toEqual(["1:0", "3:2"]);
    await rig.run(rig.writer.deleteUnused(new Set()));
    expect(rig.keys("checkpoint")).toEqual([keyOf(0), keyOf(2)]);
  });

  it("uses no number again whose object was stored and not registered", async () => {
    add(1);
    await rig.run(rig.writer.flush());
    add(2);
    rig.onRegister = () => {
      throw new ObjectError("fenced, for what the writer knows", {
        retriable: false,
        applied: "no",
      });
    };
    await expect(rig.run(rig.writer.flush())).rejects.toThrow();
    rig.onRegister = () => undefined;
    const part = add(3);
    await rig.run(rig.writer.flush());
    expect(checkpointNumber(part.object)).toBe(2);
    expect(indexed()).toEqual(["1:0", "3:2"]);
    expect(rig.keys("checkpoint")).toEqual([keyOf(0), keyOf(1), keyOf(2)]);
    await rig.run(rig.writer.deleteUnused(new Set()));
    expect(rig.keys("checkpoint")).toEqual([keyOf(0), keyOf(2)]);
  });

  it("forgets what it dropped, whose parts are never found in a later object", async () => {
    const dropped = add(1);
    rig.writer.drop();
    await rig.run(rig.writer.flush());
    expect(rig.registered).toEqual([]);
    const part = add(2);
    await rig.run(rig.writer.flush());
    expect(part.object).not.toBe(dropped.object);
    expect(indexed()).toEqual([`2:${checkpointNumber(part.object)}`]);
    rig.writer.drop();
    add(3);
    await rig.run(rig.writer.flush());
    expect(indexed()).toHaveLength(2);
  });

  it("deletes nothing that is named, as a section or as a part, nor the newest", async () => {
    add(1);
    await rig.run(rig.writer.flush());
    const part = add(2);
    await rig.run(rig.writer.flush());
    add(2, part);
    await rig.run(rig.writer.flush());
    await rig.run(rig.writer.deleteUnused(new Set([part.object])));
    expect(rig.keys("checkpoint")).toEqual([keyOf(0), keyOf(1), keyOf(2)]);
    add(2);
    await rig.run(rig.writer.flush());
    await rig.run(rig.writer.deleteUnused(new Set()));
    expect(rig.keys("checkpoint")).toEqual([keyOf(0), keyOf(3)]);
    expect([rig.writer.count, [...rig.writer.checkpoints()][0]?.number ?? -1]).toEqual([2, 0]);
    add(1);
    await rig.run(rig.writer.flush());
    await rig.run(rig.writer.deleteUnused(new Set()));
    expect(rig.keys("checkpoint")).toEqual([keyOf(3), keyOf(4)]);
    expect([...rig.writer.checkpoints()][0]?.number ?? -1).toBe(3);
  });

  it("knows its own checkpoints from a number on, and no other's", () => {
    const partAt = (object: string): ColdPart => partOf({ baseOffset: 0, nextOffset: 1, object });
    expect(rig.writer.holds(partAt(keyOf(3)), 3)).toBe(true);
    expect(rig.writer.holds(partAt(keyOf(3)), 4)).toBe(false);
    expect(rig.writer.holds(partAt(checkpointKey(clusterId, formerIncarnation, 3)), 0)).toBe(false);
    expect(rig.writer.holds(partAt(`${clusterId}/data/x`), 0)).toBe(false);
  });
});
