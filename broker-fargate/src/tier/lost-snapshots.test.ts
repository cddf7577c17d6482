import type { MemoryObjectStore } from "@millrace/adapter-memory";
import { ObjectError } from "@millrace/core";
import type { TopicId } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { batchOf, Rig } from "../partition/fixtures.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { smallLimits } from "./fixtures.ts";
import { CheckpointDamagedError } from "./former-checkpoints.ts";

const producer = 5;
const checkpointMs = 70_000;

async function append(owner: PartitionOwner, sequence: number): Promise<string> {
  const records = batchOf([sequence], { id: producer, sequence, padding: 20 });
  return (await owner.append({ records, waitFor: "durable" })).kind;
}

/** Every snapshot of the partition's producers loses a byte. */
function damageSnapshots(rig: Rig): number {
  const paths = rig.disk.paths().filter((path) => path.endsWith(".snapshot"));
  for (const path of paths) rig.disk.cut(path, rig.disk.bytesOf(path).length - 1);
  return paths.length;
}

describe.each(["local", "journal"] as const)("producers of a log under `%s`", (durability) => {
  it("are known by the object store where hot segments and the snapshots are gone", async () => {
    const rig = await new Rig({ tierLimits: smallLimits }).start();
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": durability } });
    const owner = await rig.partitions.open(topic, 0);
    for (let sequence = 0; sequence < 3; sequence += 1) {
      expect(await append(owner, sequence)).toBe("appended");
    }
    await rig.pass(checkpointMs);
    owner.log.config = { ...owner.log.config, segmentBytes: 1 };
    const other = batchOf([1], { padding: 20 });
    await owner.append({ records: other, waitFor: "durable" });
    await owner.log.sync();
    await rig.pass(checkpointMs);
    owner.log.removeLocalBefore(owner.latestTieredOffset + 1);
    expect(owner.earliestLocalOffset).toBeGreaterThan(2);
    owner.log.settle();
    expect(damageSnapshots(rig)).toBeGreaterThan(0);
    await rig.kill();
    const again = await rig.partitions.open(topic, 0);
    expect(await append(again, 2)).toBe("duplicate");
    expect(await append(again, 3)).toBe("appended");
  });

  it("are waited for where the object store does not answer: that is no damage", async () => {
    const rig = await new Rig({ tierLimits: smallLimits }).start();
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": durability } });
    const owner = await rig.partitions.open(topic, 0);
    for (let sequence = 0; sequence < 40; sequence += 1) await append(owner, sequence);
    await rig.partitions.close();
    const { objects } = rig;
    if (objects === undefined) throw new Error("topics are tiered");
    rig.objects = unreadable(objects, "/data/");
    await rig.killAndLoseLogs();
    const opening = rig.partitions.open(topic, 0);
    opening.catch(() => undefined);
    await rig.pass(checkpointMs);
    await expect(opening).rejects.toBeInstanceOf(ObjectError);
  });
});

describe("producers of which only batches in the object store tell", () => {
  async function stored(): Promise<{ readonly rig: Rig; readonly topic: TopicId }> {
    const rig = await new Rig({ tierLimits: { ...smallLimits, segmentsPerCommitMax: 1 } }).start();
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": "local" } });
    const owner = await rig.partitions.open(topic, 0);
    for (let sequence = 0; sequence < 40; sequence += 1) await append(owner, sequence);
    const { objects } = rig;
    if (objects === undefined) throw new Error("topics are tiered");
    const put = objects.putIfAbsent.bind(objects);
    // The end of the tail, which tells of the producers, never comes.
    objects.putIfAbsent = (key, parts) => {
      if (objects.keys.length > 0) {
        return Promise.reject(new ObjectError("away", { retriable: false, applied: "no" }));
      }
      return put(key, parts);
    };
    await rig.pass(checkpointMs);
    objects.putIfAbsent = put;
    return { rig, topic };
  }

  function only(rig: Rig): string {
    const [object, ...others] = rig.objects?.keys ?? [];
    if (object === undefined || others.length > 0) throw new Error("one object is stored");
    return object;
  }

  it("are known by them", async () => {
    const { rig, topic } = await stored();
    only(rig);
    await rig.killAndLoseLogs();
    const owner = await rig.partitions.open(topic, 0);
    const { highWatermark } = owner;
    expect([highWatermark > 5, highWatermark < 40]).toEqual([true, true]);
    expect(await append(owner, highWatermark - 2)).toBe("duplicate");
    expect(await append(owner, highWatermark)).toBe("appended");
  });

  it("are not taken from batches that are not what was stored", async () => {
    const { rig, topic } = await stored();
    // Of the first batch's producer id.
    rig.objects?.flipBit(only(rig), 50 * 8);
    await rig.killAndLoseLogs();
    const owner = await rig.partitions.open(topic, 0);
    expect(rig.warnings.join()).toContain("a damaged part knew of producers is forgotten");
    expect(await append(owner, owner.highWatermark - 1)).toBe("appended");
  });

  it("are waited for where the object is not there", async () => {
    const { rig, topic } = await stored();
    await rig.objects?.delete([only(rig)]);
    await rig.killAndLoseLogs();
    await expect(rig.partitions.open(topic, 0)).rejects.toBeInstanceOf(CheckpointDamagedError);
  });
});

/** Of these objects every read is refused. */
function unreadable(store: MemoryObjectStore, where: string): MemoryObjectStore {
  const readRange = store.readRange.bind(store);
  store.readRange = (key, range) => {
    if (!key.includes(where)) return readRange(key, range);
    return Promise.reject(new ObjectError("slow down", { retriable: true, applied: "no" }));
  };
  return store;
}
