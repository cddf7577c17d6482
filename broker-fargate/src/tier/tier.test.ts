import { ObjectError, type TopicId } from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { batchOf, offsetOf, Rig, valuesOf } from "../partition/fixtures.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { checked, tierLimits } from "./limits.ts";

const limits = checked({
  ...tierLimits,
  coldSegmentBytesMin: 1_000,
  // Uploads wait for no clock.
  uploadReadBytesPerTurn: Number.POSITIVE_INFINITY,
  coldSegmentBytesMax: 2_000,
  checkpointBytesMax: 4_000,
  checkpointDueBytes: 1_000_000,
  chunkBytes: 256,
  cachedBytesMax: 8_192,
  readsInFlightMax: 8,
  readAheadChunksMax: 16,
  checkpointsMax: 4,
});

async function append(owner: PartitionOwner, values: readonly number[]): Promise<void> {
  const request = { waitFor: "durable" } as const;
  for (const value of values) {
    const records = batchOf([value], { padding: 20 });
    offsetOf(await owner.append({ ...request, records }));
  }
}

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

describe.each(["local", "journal"] as const)("a tiered partition under `%s`", (durability) => {
  let rig: Rig;
  let topic: TopicId;

  beforeEach(async () => {
    rig = await new Rig({ tierLimits: limits }).start();
    topic = await rig.createTopic("t", { configs: { "millrace.durability": durability } });
  });

  const open = (): Promise<PartitionOwner> => rig.partitions.open(topic, 0);

  it("is served from the object store after a graceful end, when its files are lost", async () => {
    await append(await open(), upTo(40));
    await rig.partitions.close();
    await rig.killAndLoseLogs();
    expect(await valuesOf(await open())).toEqual(upTo(40));
  });

  it("goes into cold segments where it is large, and into packs where it is small", async () => {
    const owner = await open();
    await append(owner, upTo(3));
    await rig.pass(70_000);
    expect(owner.tiered?.cold.segments).toHaveLength(0);
    expect(owner.tiered?.cold.packed).toHaveLength(1);
    expect(owner.latestTieredOffset).toBe(2);
    await append(owner, upTo(40));
    await rig.pass(70_000);
    expect(owner.tiered?.cold.segments.length).toBeGreaterThan(1);
    expect(owner.tiered?.cold.packed).toHaveLength(0);
    expect(owner.latestTieredOffset).toBe(42);
  });

  it("loses nothing below the last checkpoint when it is killed and its files are lost", async () => {
    await append(await open(), upTo(30));
    await rig.pass(70_000);
    await append(await open(), [100, 101]);
    await rig.killAndLoseLogs();
    const values = await valuesOf(await open());
    expect(values.slice(0, 30)).toEqual(upTo(30));
    if (durability === "journal") expect(values.slice(30)).toEqual([100, 101]);
    await append(await open(), [200]);
    expect((await valuesOf(await open())).at(-1)).toBe(200);
  });

  it("moves packs from life to life, and leaves no object behind that nobody names", async () => {
    const all: number[] = [];
    for (let life = 0; life < 8; life += 1) {
      await append(await open(), [life, life]);
      all.push(life, life);
      await rig.pass(70_000);
      await rig.killAndLoseLogs();
      expect(await valuesOf(await open())).toEqual(all);
    }
    await rig.pass(200_000);
    await append(await open(), [8]);
    await rig.pass(200_000);
    expect(await valuesOf(await open())).toEqual([...all, 8]);
    const checkpoints = rig.objects?.keys.filter((key) => key.includes("/checkpoint/")) ?? [];
    const lives = new Set(checkpoints.map((key) => key.split("/")[2]));
    expect(lives.size).toBe(1);
  });

  it("loses objects that a crash left without a name, and no others", async () => {
    await append(await open(), upTo(60));
    await rig.pass(70_000);
    const named = rig.objects?.keys.filter((key) => key.includes("/data/")) ?? [];
    const orphan = named[0]?.replace(/[0-9a-f]{16}$/, "0123456789abcdef") ?? "";
    await rig.objects?.putIfAbsent(orphan, [new Uint8Array(10)]);
    await rig.pass(200_000);
    // Of the present epoch: its owner may be about to name it.
    expect(rig.objects?.keys).toContain(orphan);
    await rig.kill();
    await append(await open(), [1]);
    await rig.pass(200_000);
    expect(rig.objects?.keys).not.toContain(orphan);
    expect(rig.objects?.keys.filter((key) => key.includes("/data/"))).toEqual(named);
    expect(await valuesOf(await open())).toEqual([...upTo(60), 1]);
  });

  it("is read from the object store where the local copy was removed", async () => {
    const owner = await open();
    await append(owner, upTo(60));
    await rig.pass(70_000);
    await append(owner, [1_000]);
    await rig.pass(70_000);
    owner.log.config = { ...owner.log.config, segmentBytes: 1 };
    await append(owner, [1_001]);
    owner.log.removeLocalBefore(owner.latestTieredOffset + 1);
    expect(owner.earliestLocalOffset).toBeGreaterThan(50);
    expect(owner.logStartOffset).toBe(0);
    expect(await valuesOf(owner)).toEqual([...upTo(60), 1_000, 1_001]);
    await rig.kill();
    expect(await valuesOf(await open())).toEqual([...upTo(60), 1_000, 1_001]);
  });

  it("is deleted with its objects", async () => {
    await append(await open(), upTo(60));
    await rig.pass(70_000);
    expect(rig.objects?.keys.some((key) => key.includes("/data/"))).toBe(true);
    const outcome = await rig.cluster.deleteTopic("t");
    expect(outcome.kind).toBe("done");
    await rig.pass(10_000);
    expect(rig.objects?.keys.filter((key) => key.includes("/data/"))).toEqual([]);
  });

  it("is deleted later where the object store is away", async () => {
    await append(await open(), upTo(60));
    await rig.pass(70_000);
    const { objects } = rig;
    if (objects === undefined) throw new Error("no object store");
    const remove = objects.delete.bind(objects);
    objects.delete = () => {
      return Promise.reject(new ObjectError("away", { retriable: true, applied: "no" }));
    };
    await rig.cluster.deleteTopic("t");
    await rig.pass(25_000);
    objects.delete = remove;
    expect(objects.keys.some((key) => key.includes("/data/"))).toBe(true);
    expect(await rig.cluster.pendingDeletions()).toHaveLength(1);
    await rig.pass(90_000);
    expect(objects.keys.filter((key) => key.includes("/data/"))).toEqual([]);
    expect(await rig.cluster.pendingDeletions()).toEqual([]);
  });
});
