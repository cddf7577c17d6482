import { VirtualClock } from "@millrace/adapter-memory";
import { DiskError, keysUnder } from "@millrace/core";
import type { TopicId } from "@millrace/core";
import { buildBatch, crc32c, jsCodecs, writeMaxTimestamp } from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { smallLimits as tierLimits } from "../tier/fixtures.ts";
import { Rig, batchOf, readAllRecords, smallLimits, valuesOf } from "../partition/fixtures.ts";

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

  describe.each(["tiered", "not tiered"] as const)("of a partition that is %s", (kind) => {
    const limits = { replayLogsMax: 2, unreplayedPartitionsMax: 2 };
    let rig: Rig;
    let topic: TopicId;

    beforeEach(async () => {
      const tiers =
        kind === "tiered" ? { tierLimits: { ...tierLimits, checkpointDueMs: 1e9 } } : {};
      rig = await new Rig({ limits: { ...smallLimits, ...limits }, ...tiers }).start();
      const journal = { "millrace.durability": "journal" };
      topic = await rig.createTopic("t", { partitions: 4, configs: journal });
      for (let i = 0; i < 8; i++) await append(i % 4, i);
      // The trim passes these where segments are enough.
      await rig.pass(2 * rig.limits.journalTrimAgeMs);
      for (let i = 8; i < 16; i++) await append(i % 4, i);
    });

    async function append(partition: number, value: number): Promise<void> {
      const owner = await rig.partitions.open(topic, partition);
      const result = await owner.append({ records: batchOf([value]), waitFor: "durable" });
      expect(result.kind).toBe("appended");
    }

    async function values(partition: number): Promise<readonly number[]> {
      return valuesOf(await rig.partitions.open(topic, partition));
    }

    /** The next start gets EIO whenever it does this to the partition's files. */
    function fail(operation: "open" | "write" | "sync", partition = 1): void {
      const matches = (path: string): boolean => path.includes(`${topic}-${partition}/`);
      rig.disk.failNext({ operation, matches, times: 1_000 });
    }

    async function begin(how: "kill" | "crash", before: () => void = () => undefined) {
      if (how === "kill") rig.disk.kill();
      else rig.disk.crash(rig.random);
      rig.clock = new VirtualClock({ wallMs: rig.clock.wallMs() });
      before();
      await rig.start();
    }

    it.each([
      ["open", "kill"],
      ["open", "crash"],
      ["write", "kill"],
      ["write", "crash"],
      ["sync", "kill"],
      ["sync", "crash"],
    ] as const)(
      "whose disk fails to %s after a %s is offline alone, until a start",
      async (operation, how) => {
        await begin("kill", () => fail(operation));
        await expect(rig.partitions.open(topic, 1)).rejects.toBeInstanceOf(DiskError);
        for (const partition of [0, 2, 3]) {
          await append(partition, 100 + partition);
          const before = [0, 4, 8, 12].map((value) => value + partition);
          expect(await values(partition)).toEqual([...before, 100 + partition]);
        }
        const said = rig.warnings.filter((warning) => warning.includes("offline until a start"));
        expect(said).toHaveLength(1);
        expect(rig.warnings.join()).not.toContain("are gone");
        await rig.pass(2 * rig.limits.journalTrimAgeMs);
        // It fails once more, and then not.
        await begin(how, () => fail(operation));
        await expect(rig.partitions.open(topic, 1)).rejects.toBeInstanceOf(DiskError);
        await append(2, 200);
        await begin(how);
        expect(await values(1)).toEqual([1, 5, 9, 13]);
        await append(1, 300);
        await begin("crash");
        expect(await values(1)).toEqual([1, 5, 9, 13, 300]);
        expect(await values(2)).toEqual([2, 6, 10, 14, 102, 200]);
        expect(await values(3)).toEqual([3, 7, 11, 15, 103]);
        if (kind === "tiered") return;
        // Nothing is left to replay.
        await rig.partitions.close();
        expect(rig.disk.paths().filter((path) => path.startsWith("journal/"))).toEqual([]);
      },
    );

    it("ends the start where it is one of too many", async () => {
      const failing = begin("kill", () => {
        for (const partition of [1, 2, 3]) fail("open", partition);
      });
      await expect(failing).rejects.toBeInstanceOf(DiskError);
      await begin("kill");
      expect(await values(1)).toEqual([1, 5, 9, 13]);
    });
  });

  it.each([
    ["whose time is the broker's", { "message.timestamp.type": "LogAppendTime" }, "plain"],
    ["that the broker opened", { "compression.type": "uncompressed" }, "compressed"],
    ["that a broken one follows", {}, "followed"],
    ["whose largest timestamp was wrong", {}, "wrongTime"],
  ] as const)("takes a large batch %s from the journal again", async (_, configs, how) => {
    const rig = await new Rig().start();
    const settings = { "millrace.durability": "journal", ...configs };
    const topic = await rig.createTopic("t", { partitions: 2, configs: settings });
    for (let value = 0; value < 6; value++) {
      const owner = await rig.partitions.open(topic, value % 2);
      const result = await owner.append({ records: largeBatch(value, how), waitFor: "durable" });
      expect(result.kind).toBe("appended");
    }
    await rig.crash();
    for (const partition of [0, 1]) {
      const records = readAllRecords(await rig.partitions.open(topic, partition));
      expect(records.map(({ value }) => value)).toEqual([partition, partition + 2, partition + 4]);
    }
  });
});

/** Of so many bytes, once it is in the log, that its CRC is not computed again for the journal. */
function largeBatch(value: number, how: "plain" | "compressed" | "followed" | "wrongTime") {
  const bytes = new Uint8Array(10_000);
  new DataView(bytes.buffer).setUint32(0, value);
  const { gzip } = jsCodecs;
  const codec = how === "compressed" && gzip !== undefined ? { codec: gzip } : {};
  const batch = buildBatch([{ key: null, value: bytes, timestamp: 5 }], { crc32c, ...codec });
  if (how === "wrongTime") {
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
    writeMaxTimestamp(batch, view, 0, { type: "CreateTime", timestamp: 77, crc32c });
  }
  return how === "followed" ? new Uint8Array([...batch, ...batch.subarray(0, 500)]) : batch;
}
