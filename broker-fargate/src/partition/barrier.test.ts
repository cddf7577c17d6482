import { describe, expect, it } from "vitest";
import { Rig, batchOf, offsetOf, readAllRecords, turn } from "./fixtures.ts";

const append = (values: readonly number[]) =>
  ({ records: batchOf(values), waitFor: "durable" }) as const;

describe("a change of millrace.durability on a live topic", () => {
  it("to journal makes everything below durable before any reply makes the new promise", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": "local" } });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append(append([1, 2, 3]));
    expect(owner.log.recoveryPoint).toBe(0);
    const changing = rig.setDurability("t", "journal");
    await changing;
    const result = await owner.append(append([4]));
    expect(owner.durability).toBe("journal");
    expect(owner.log.recoveryPoint).toBeGreaterThanOrEqual(offsetOf(result));
    await rig.crash();
    const again = await rig.partitions.open(topic, 0);
    expect(readAllRecords(again).map(({ value }) => value)).toEqual([1, 2, 3, 4]);
  });

  it("to local keeps what was appended since, though the journal still has older entries", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": "journal" } });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append(append([1, 2]));
    await rig.setDurability("t", "local");
    await owner.append(append([3, 4]));
    expect(owner.durability).toBe("local");
    expect(rig.partitions.journal.trim).toBe(0);
    await rig.kill();
    const again = await rig.partitions.open(topic, 0);
    expect(readAllRecords(again).map(({ value }) => value)).toEqual([1, 2, 3, 4]);
  });

  it("there and back in one life replays only what was journaled last", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": "journal" } });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append(append([1]));
    await rig.setDurability("t", "local");
    await owner.append(append([2]));
    await rig.setDurability("t", "journal");
    await owner.append(append([3]));
    await rig.crash();
    const again = await rig.partitions.open(topic, 0);
    expect(readAllRecords(again).map(({ value }) => value)).toEqual([1, 2, 3]);
  });

  it("lets appends wait, and decides them in order when it is over", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": "local" } });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append(append([1]));
    await rig.setDurability("t", "journal");
    const waiting = [owner.append(append([2])), owner.append(append([3]))];
    expect(owner.highWatermark).toBe(1);
    const results = await Promise.all(waiting);
    expect(results.map(offsetOf)).toEqual([1, 2]);
    await turn();
    expect(readAllRecords(owner).map(({ value }) => value)).toEqual([1, 2, 3]);
  });

  it("makes no promise when the sync below it fails", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": "local" } });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append(append([1]));
    rig.disk.failNext({ operation: "sync", matches: (path) => path.startsWith("partitions/") });
    await rig.setDurability("t", "journal");
    expect(await owner.append(append([2]))).toMatchObject({ reason: "diskFailed" });
    expect(owner.durability).toBe("local");
  });

  it("is put off while the disk is full, and the old policy goes on", async () => {
    const rig = await new Rig().start();
    const topic = await rig.createTopic("t", { configs: { "millrace.durability": "local" } });
    const owner = await rig.partitions.open(topic, 0);
    await owner.append(append([1]));
    rig.disk.setCapacity(1);
    await rig.setDurability("t", "journal");
    await turn();
    expect(owner.durability).toBe("local");
    expect(await owner.append(append([2]))).toMatchObject({ reason: "diskFull" });
    expect(rig.failures).toEqual([]);
  });
});
