import { ObjectError } from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { batchOf, offsetOf, Rig, valuesOf } from "../partition/fixtures.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { checked, tierLimits } from "./limits.ts";

/** No checkpoint comes by itself, as when the object store is away. */
const soon = checked({ ...tierLimits, checkpointDueMs: 10_000 });
const patient = checked({ ...tierLimits, checkpointDueMs: 3_600_000 });

async function append(owner: PartitionOwner, values: readonly number[]): Promise<void> {
  for (const value of values) {
    offsetOf(await owner.append({ waitFor: "durable", records: batchOf([value]) }));
  }
}

async function set(rig: Rig, topic: string, name: string, value: string): Promise<void> {
  const outcome = await rig.cluster.setTopicConfigs(
    topic,
    (before) => ({ ok: true, configs: new Map(before).set(name, value) }),
    "perform",
  );
  expect(outcome.kind).toBe("done");
}

const journal = { "millrace.durability": "journal" };
const notTiered = { ...journal, "remote.storage.enable": "false" };

describe("a former journal that is kept until the object store has what it holds", () => {
  let rig: Rig;

  beforeEach(async () => {
    rig = await new Rig({ tierLimits: patient }).start();
  });

  it("takes nothing from a partition that is not tiered, killed again after a trim", async () => {
    const tiered = await rig.createTopic("tiered", { configs: journal });
    const other = await rig.createTopic("other", { configs: notTiered });
    await append(await rig.partitions.open(tiered, 0), [1]);
    await append(await rig.partitions.open(other, 0), [10, 11]);
    await rig.kill();
    await append(await rig.partitions.open(other, 0), [12, 13]);
    await rig.pass(130_000);
    expect(rig.partitions.journal.trim).toBeGreaterThan(0);
    await rig.kill();
    expect(await valuesOf(await rig.partitions.open(other, 0))).toEqual([10, 11, 12, 13]);
    expect(await valuesOf(await rig.partitions.open(tiered, 0))).toEqual([1]);
  });

  it("takes nothing from it after a graceful end at which the store was away", async () => {
    const tiered = await rig.createTopic("tiered", { configs: journal });
    const other = await rig.createTopic("other", { configs: notTiered });
    await append(await rig.partitions.open(tiered, 0), [1]);
    await append(await rig.partitions.open(other, 0), [10, 11]);
    await rig.kill();
    await append(await rig.partitions.open(other, 0), [12, 13]);
    const { objects } = rig;
    if (objects === undefined) throw new Error("there is a store");
    const put = objects.putIfAbsent.bind(objects);
    objects.putIfAbsent = () =>
      Promise.reject(new ObjectError("away", { retriable: false, applied: "no" }));
    await rig.partitions.close();
    objects.putIfAbsent = put;
    await rig.kill();
    expect(await valuesOf(await rig.partitions.open(other, 0))).toEqual([10, 11, 12, 13]);
  });

  it("takes nothing from a partition that went over to `local` meanwhile", async () => {
    const topic = await rig.createTopic("t", { configs: journal });
    await append(await rig.partitions.open(topic, 0), [1, 2]);
    await rig.kill();
    await set(rig, "t", "millrace.durability", "local");
    await append(await rig.partitions.open(topic, 0), [3, 4]);
    await rig.pass(1_000);
    await append(await rig.partitions.open(topic, 0), [5]);
    await rig.kill();
    expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual([1, 2, 3, 4, 5]);
  });

  it("takes nothing from a partition that is not tiered any more", async () => {
    const topic = await rig.createTopic("t", { configs: journal });
    const tiered = await rig.createTopic("tiered", { configs: journal });
    await append(await rig.partitions.open(topic, 0), [1, 2]);
    await append(await rig.partitions.open(tiered, 0), [1]);
    await rig.kill();
    await set(rig, "t", "remote.storage.enable", "false");
    await append(await rig.partitions.open(topic, 0), [3, 4]);
    await rig.pass(130_000);
    await rig.kill();
    expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual([1, 2, 3, 4]);
  });

  it("gives the records back when the logs are lost in a later life", async () => {
    const topic = await rig.createTopic("t", { configs: journal });
    for (let life = 0; life < 4; life += 1) {
      await append(await rig.partitions.open(topic, 0), [life, life]);
      await rig.kill();
    }
    await rig.killAndLoseLogs();
    expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
  });

  it("does not keep the broker from its start, however many there are", async () => {
    const topic = await rig.createTopic("t", { configs: journal });
    const all: number[] = [];
    for (let life = 0; life < 8; life += 1) {
      await append(await rig.partitions.open(topic, 0), [life]);
      all.push(life);
      await rig.kill();
    }
    expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual(all);
  });

  it("does not keep the broker from its start where one of its partitions is offline", async () => {
    const topic = await rig.createTopic("t", { configs: notTiered });
    const other = await rig.createTopic("other", { configs: journal });
    await append(await rig.partitions.open(topic, 0), [1, 2]);
    await rig.pass(130_000);
    await set(rig, "t", "remote.storage.enable", "true");
    await append(await rig.partitions.open(topic, 0), [3]);
    await append(await rig.partitions.open(other, 0), [1]);
    await rig.killAndLoseLogs();
    await expect(rig.partitions.open(topic, 0)).rejects.toThrow("");
    expect(await valuesOf(await rig.partitions.open(other, 0))).toEqual([1]);
  });
});

describe("a disk that is full while records are journaled", () => {
  async function stalled(): Promise<{ rig: Rig; owner: PartitionOwner }> {
    const rig = await new Rig({ tierLimits: soon }).start();
    const topic = await rig.createTopic("t", { configs: journal });
    const owner = await rig.partitions.open(topic, 0);
    await append(owner, [1]);
    rig.disk.setCapacity(rig.disk.usedBytes + 10);
    const second = await owner.append({ waitFor: "durable", records: batchOf([2]) });
    expect(second).toMatchObject({ reason: "diskFull" });
    expect(owner.isStalled).toBe(true);
    return { rig, owner };
  }

  it("does not let the journal go before the object store has them", async () => {
    const { owner, rig } = await stalled();
    await rig.pass(12_000);
    expect(owner.latestTieredOffset).toBe(0);
    const store = rig.objects;
    if (store === undefined) throw new Error("there is a store");
    store.putIfAbsent = () =>
      Promise.reject(new ObjectError("away", { retriable: false, applied: "no" }));
    rig.disk.setCapacity(1 << 30);
    await rig.pass(200_000);
    expect(owner.isStalled).toBe(false);
    expect(rig.partitions.journal.untrimmedBytes).toBeGreaterThan(0);
  });

  it("lets the journal go where the topic is not to be tiered any more", async () => {
    const { owner, rig } = await stalled();
    await rig.pass(12_000);
    await set(rig, "t", "remote.storage.enable", "false");
    rig.disk.setCapacity(1 << 30);
    await rig.pass(200_000);
    expect(owner.isStalled).toBe(false);
    expect(rig.partitions.journal.untrimmedBytes).toBe(0);
  });
});
