import type { MemoryObjectStore } from "@millrace/adapter-memory";
import type { TopicId } from "@millrace/core";
import { crc32c, decodeCheckpointIndex } from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { appendEach, Rig, valuesOf } from "../partition/fixtures.ts";
import { smallLimits } from "./fixtures.ts";
import { CheckpointDamagedError } from "./former-checkpoints.ts";
import { checkpointNumber } from "./object-keys.ts";

const checkpointMs = 70_000;

/** Sections of slots read from checkpoints have another byte; their indexes are what they were. */
function damageSections(store: MemoryObjectStore): () => void {
  const read = store.readRange.bind(store);
  store.readRange = async (key, range) => {
    const bytes = await read(key, range);
    const whole = await read(key, { from: 0, bytes: 1 << 20 });
    if (bytes === undefined || whole === undefined || !key.includes("/checkpoint/")) return bytes;
    const decoded = decodeCheckpointIndex(whole, { objectBytes: whole.length, crc32c });
    if (decoded.kind !== "ok") return bytes;
    const damaged = bytes.slice();
    for (const { checkpoint, position } of decoded.index.slots) {
      const at = position + 2 - range.from;
      const isRead = checkpoint === checkpointNumber(key) && at >= 0 && at < damaged.length;
      if (isRead) damaged[at] = (damaged[at] ?? 0) ^ 1;
    }
    return damaged;
  };
  return () => void (store.readRange = read);
}

interface Lives {
  readonly rig: Rig;
  readonly topic: TopicId;
  readonly store: MemoryObjectStore;
}

/** Partitions 0 and 8 are of one slot, and both have a packed part. */
async function packed(durability = "local"): Promise<Lives> {
  const rig = await new Rig({ tierLimits: smallLimits }).start();
  const configs = { "millrace.durability": durability };
  const topic = await rig.createTopic("t", { partitions: 9, configs });
  await appendEach(await rig.partitions.open(topic, 0), [1, 2]);
  await appendEach(await rig.partitions.open(topic, 8), [3, 4]);
  await rig.pass(checkpointMs);
  const { objects: store } = rig;
  if (store === undefined) throw new Error("there is a store");
  return { rig, topic, store };
}

describe("a slot whose section in a former checkpoint is damaged", () => {
  it("has those partitions that have their own files, and reports the others", async () => {
    const { rig, store, topic } = await packed();
    await rig.partitions.close();
    const restore = damageSections(store);
    rig.disk.loseFolder(`partitions/${topic}-8`);
    await rig.kill();
    const owner = await rig.partitions.open(topic, 0);
    expect(await valuesOf(owner)).toEqual([1, 2]);
    await expect(rig.partitions.open(topic, 8)).rejects.toBeInstanceOf(CheckpointDamagedError);
    await appendEach(owner, [5]);
    await rig.pass(2 * checkpointMs);
    // What one section says of a slot would be all: it says nothing while one part is not known.
    expect(owner.tiered?.cold.packed).toEqual([]);
    expect(owner.latestTieredOffset).toBe(2);
    expect(rig.warnings.filter((warning) => warning.includes("of slot"))).toHaveLength(1);
    restore();
    await rig.kill();
    expect(await valuesOf(await rig.partitions.open(topic, 8))).toEqual([3, 4]);
    expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual([1, 2, 5]);
  });

  it("does not keep the journal for ever, which is full in the end for all partitions", async () => {
    const { rig, store, topic } = await packed("journal");
    await rig.partitions.close();
    const restore = damageSections(store);
    await rig.kill();
    await appendEach(await rig.partitions.open(topic, 0), [5]);
    await appendEach(await rig.partitions.open(topic, 1), [6]);
    await rig.pass(3 * checkpointMs);
    expect(rig.partitions.journal.untrimmedBytes).toBe(0);
    restore();
    await rig.killAndLoseLogs();
    expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual([1, 2, 5]);
    expect(await valuesOf(await rig.partitions.open(topic, 8))).toEqual([3, 4]);
    expect(await valuesOf(await rig.partitions.open(topic, 1))).toEqual([6]);
  });

  it("has a partition with enough for cold segments in the object store", async () => {
    const { rig, store, topic } = await packed();
    await rig.partitions.close();
    damageSections(store);
    await rig.kill();
    const owner = await rig.partitions.open(topic, 0);
    const many = Array.from({ length: 20 }, (_, i) => 10 + i);
    await appendEach(owner, many);
    await rig.pass(2 * checkpointMs);
    expect(owner.latestTieredOffset).toBe(21);
    await rig.kill();
    expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual([1, 2, ...many]);
  });
});
