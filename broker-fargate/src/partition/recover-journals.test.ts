import { keysUnder } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { Rig, batchOf, readAllRecords, smallLimits } from "./fixtures.ts";

async function incarnations(rig: Rig): Promise<readonly string[]> {
  const { items } = await rig.store.range(keysUnder("incarnation", 1000));
  return items.map(({ key }) => key.slice("incarnation/".length));
}

describe("a start", () => {
  it("forgets closed incarnations, but never one that a slot's head names", async () => {
    const rig = await new Rig({ limits: { ...smallLimits, closedIncarnationsMax: 3 } }).start();
    const topic = await rig.createTopic("t");
    const first = rig.cluster.incarnation;
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf([1]), waitFor: "durable" });
    let most = 0;
    for (let life = 2; life <= 20; life++) {
      await rig.kill();
      most = Math.max(most, (await incarnations(rig)).length);
    }
    expect(most).toBe(4);
    expect(await incarnations(rig)).toContain(first);
    const again = await rig.partitions.open(topic, 0);
    expect(readAllRecords(again)).toEqual([{ offset: 0, value: 1 }]);
    for (let life = 0; life < 8; life++) await rig.kill();
    expect(await incarnations(rig)).not.toContain(first);
  });

  it("puts a partition offline whose synced records are gone, alone, and keeps the rest", async () => {
    const rig = await new Rig().start();
    const journal = { "millrace.durability": "journal" };
    const topic = await rig.createTopic("t", { partitions: 4, configs: journal });
    const append = async (partition: number, value: number): Promise<void> => {
      const owner = await rig.partitions.open(topic, partition);
      const result = await owner.append({ records: batchOf([value]), waitFor: "durable" });
      expect(result.kind).toBe("appended");
    };
    for (let i = 0; i < 8; i++) await append(i % 4, i);
    // The trim passes these: only segments have them.
    await rig.pass(2 * rig.limits.journalTrimAgeMs);
    for (let i = 8; i < 16; i++) await append(i % 4, i);
    const lost = `partitions/${topic}-1`;
    rig.disk.cut(`${lost}/${"0".repeat(20)}.log`, 0);
    for (let life = 0; life < 3; life++) {
      await rig.kill();
      const [file = "", ...others] = rig.disk.list(lost).filter((name) => /unpl/.test(name));
      expect([file, others]).toEqual([`${"0".repeat(19)}2.unplaced`, []]);
      const whole = [batchOf([9]), batchOf([13])].reduce((sum, { length }) => sum + length, 0);
      expect(rig.disk.bytesOf(`${lost}/${file}`).length).toBe(whole);
      await expect(rig.partitions.open(topic, 1)).rejects.toThrow(`${lost}/${file}`);
      await append(3, 100 + life);
    }
    const message = "synced records of a partition are gone from the disk: it is offline";
    expect(rig.warnings.filter((warning) => warning === message)).toEqual([message]);
    const values = readAllRecords(await rig.partitions.open(topic, 3)).map(({ value }) => value);
    expect(values).toEqual([3, 7, 11, 15, 100, 101, 102]);
    await rig.cluster.deleteTopic("t");
    await rig.kill();
    expect(rig.disk.paths().filter((path) => path.includes(topic))).toEqual([]);
  });
});
