import { DiskError, ObjectError } from "@millrace/core";
import type { TopicId } from "@millrace/core";
import type { MemoryObjectStore } from "@millrace/adapter-memory";
import { describe, expect, it } from "vitest";
import { batchOf, offsetOf, Rig, turn, valuesOf } from "../partition/fixtures.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { checked, tierLimits } from "./limits.ts";

const limits = checked({
  ...tierLimits,
  coldSegmentBytesMin: 1_000,
  coldSegmentBytesMax: 2_000,
  chunkBytes: 256,
  cachedBytesMax: 8_192,
  readsInFlightMax: 8,
  readAheadChunksMax: 16,
});

async function append(owner: PartitionOwner, values: readonly number[]): Promise<void> {
  for (const value of values) {
    const records = batchOf([value], { padding: 20 });
    offsetOf(await owner.append({ waitFor: "durable", records }));
  }
}

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function storeOf(rig: Rig): MemoryObjectStore {
  if (rig.objects === undefined) throw new Error("there is a store");
  return rig.objects;
}

async function opened(
  count = 1,
): Promise<{ rig: Rig; topic: TopicId; open: (partition?: number) => Promise<PartitionOwner> }> {
  const rig = await new Rig({ tierLimits: limits }).start();
  const configs = { "millrace.durability": "journal" };
  const topic = await rig.createTopic("t", { configs, partitions: count });
  return { rig, topic, open: (partition = 0) => rig.partitions.open(topic, partition) };
}

describe("a tiered partition whose start was moved", () => {
  it("goes into the object store from a start inside a batch", async () => {
    const { open, rig } = await opened();
    const owner = await open();
    offsetOf(await owner.append({ waitFor: "durable", records: batchOf(upTo(10)) }));
    await owner.deleteRecordsBefore(5);
    await rig.pass(70_000);
    expect(owner.latestTieredOffset).toBe(9);
    await rig.killAndLoseLogs();
    expect((await valuesOf(await open())).slice(-5)).toEqual([5, 6, 7, 8, 9]);
    expect((await open()).logStartOffset).toBe(5);
  });

  it("goes on after a death between the storing of a start and what follows", async () => {
    const { open, rig } = await opened();
    await append(await open(), upTo(40));
    await rig.pass(70_000);
    await append(await open(), upTo(20));
    const store = storeOf(rig);
    const remove = store.delete.bind(store);
    store.delete = () =>
      Promise.reject(new ObjectError("away", { retriable: false, applied: "no" }));
    await (await open()).deleteRecordsBefore(50);
    await turn();
    store.delete = remove;
    await rig.kill();
    const owner = await open();
    await append(owner, [7]);
    await rig.pass(140_000);
    expect(owner.latestTieredOffset).toBe(60);
    expect(await valuesOf(owner)).toEqual([...upTo(20).slice(10), 7]);
    const left = store.keys.filter((key) => key.includes("/data/"));
    expect(left).toHaveLength(owner.tiered?.cold.segments.length ?? -1);
  });
});

describe("a partition that is not in the object store yet", () => {
  it("goes there when it is loaded, without another append", async () => {
    const rig = await new Rig({ tierLimits: limits }).start();
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": "local" } });
    await append(await rig.partitions.open(topic, 0), [1, 2]);
    await rig.kill();
    const owner = await rig.partitions.open(topic, 0);
    await rig.pass(70_000);
    expect(owner.latestTieredOffset).toBe(1);
  });

  it("goes there when its topic is to be tiered from now on", async () => {
    const rig = await new Rig({ tierLimits: limits }).start();
    const configs = { "remote.storage.enable": "false" };
    const topic = await rig.createTopic("t", { configs });
    const owner = await rig.partitions.open(topic, 0);
    await append(owner, [1, 2]);
    await rig.pass(70_000);
    expect(owner.latestTieredOffset).toBe(-1);
    await rig.cluster.setTopicConfigs("t", () => ({ ok: true, configs: new Map() }), "perform");
    await rig.pass(70_000);
    expect(owner.latestTieredOffset).toBe(1);
  });
});

describe("a checkpoint", () => {
  it("is not held up by a partition whose log cannot be read", async () => {
    const { open, rig } = await opened(2);
    const [bad, good] = [await open(0), await open(1)];
    await append(bad, [1]);
    await append(good, [1]);
    const fail = (): never => {
      throw new DiskError("io", { path: "a", applied: "no" });
    };
    bad.log.read = fail;
    bad.log.bytesFrom = fail;
    await rig.pass(70_000);
    expect(good.latestTieredOffset).toBe(0);
    expect(bad.latestTieredOffset).toBe(-1);
  });

  it.each(["what is appended to", "another partition of the slot of"] as const)(
    "is not held up by a packed part that is missing, nor is %s its partition",
    async (which) => {
      const { open, rig } = await opened(9);
      await append(await open(0), [1, 2, 3]);
      await append(await open(1), [1]);
      await append(await open(8), [7]);
      await rig.pass(70_000);
      await rig.kill();
      const store = storeOf(rig);
      const read = store.readRange.bind(store);
      const lost = (await open(0)).tiered?.cold.packed[0];
      store.readRange = (key, range) => {
        const isLost = key === lost?.object && range.from === lost.position;
        return isLost ? Promise.resolve(undefined) : read(key, range);
      };
      const [bad, good] = [await open(which === "what is appended to" ? 0 : 8), await open(1)];
      const before = await valuesOf(bad);
      await append(bad, [4]);
      await append(good, [2]);
      await rig.pass(140_000);
      expect(good.latestTieredOffset).toBe(1);
      // The slot's section can't be written, but cold segments need none.
      expect(bad.latestTieredOffset).toBe(before.length);
      expect(rig.warnings.join()).toContain("its checkpoints stand still");
      expect(rig.partitions.journal.untrimmedBytes).toBe(0);
      store.readRange = read;
      await rig.killAndLoseLogs();
      expect(await valuesOf(await open(bad.partition))).toEqual([...before, 4]);
    },
  );

  it("deletes nothing that it names, though a start passed it while it was stored", async () => {
    const { open, rig } = await opened(9);
    const owner = await open(0);
    await append(await open(8), [1]);
    await append(owner, [1, 2, 3]);
    await rig.pass(70_000);
    await append(owner, [4]);
    const store = storeOf(rig);
    const put = store.putIfAbsent.bind(store);
    const gate = Promise.withResolvers<void>();
    store.putIfAbsent = async (key, parts) => {
      await gate.promise;
      return put(key, parts);
    };
    await rig.pass(61_000);
    await owner.deleteRecordsBefore(3);
    gate.resolve();
    await rig.pass(1_000);
    store.putIfAbsent = put;
    expect(owner.tiered?.cold.packed.map(({ baseOffset }) => baseOffset)).toEqual([3]);
    await rig.kill();
    // In the slot of the first one, which nobody touches in this life.
    const other = await open(8);
    await append(other, [2]);
    await rig.pass(140_000);
    expect(other.latestTieredOffset).toBe(1);
  });
});
