import { MetadataError } from "@millrace/core";
import { buildBatch, crc32c } from "@millrace/wire";
import { describe, expect, test } from "vitest";
import { turn } from "../partition/fixtures.ts";
import { RetentionRig } from "./fixtures.ts";
import { checkedRetention, retentionLimits } from "./limits.ts";

const hourMs = 3_600_000;

async function started(): Promise<RetentionRig> {
  return new RetentionRig().start();
}

describe("loaded partitions", () => {
  test("lose what is older than retention.ms, whole segments at a time, and say so", async () => {
    const kit = await started();
    const id = await kit.createTopic("t", { "retention.ms": String(2 * hourMs) });
    const nowMs = kit.rig.clock.wallMs();
    for (const age of [5, 4, 1, 0]) await kit.append(id, nowMs - age * hourMs);
    const owner = await kit.rig.partitions.open(id, 0);
    await kit.check();
    expect([owner.logStartOffset, owner.highWatermark]).toEqual([2, 4]);
    expect([...owner.log.segments()].map(({ baseOffset }) => baseOffset)).toEqual([2, 3]);
    expect(kit.counted()['deleted_segments_total{reason="time"}']).toBe(2);
    expect(kit.counted()['deleted_bytes_total{reason="time"}']).toBeGreaterThan(1_400_000);
    expect(kit.counted()).toMatchObject({ checks_total: 1, failures_total: 0 });
  });

  test("keep at least retention.bytes", async () => {
    const kit = await started();
    const id = await kit.createTopic("t", { "retention.bytes": "1000000", "retention.ms": "-1" });
    for (let i = 0; i < 5; i++) await kit.append(id, 1);
    const owner = await kit.rig.partitions.open(id, 0);
    await kit.check();
    expect(owner.logStartOffset).toBe(3);
    expect(owner.sizeBytes).toBeGreaterThan(1_000_000);
    await kit.check();
    expect(owner.logStartOffset).toBe(3);
  });

  test("lose their active segment, too, and go on in an empty one where they ended", async () => {
    const kit = await started();
    const id = await kit.createTopic("t", { "retention.ms": "1000" });
    const owner = await kit.append(id, 1);
    await kit.check();
    expect([owner.logStartOffset, owner.highWatermark, owner.sizeBytes]).toEqual([1, 1, 0]);
    await kit.append(id, kit.rig.clock.wallMs());
    await kit.check();
    expect([owner.logStartOffset, owner.highWatermark]).toEqual([1, 2]);
  });

  test("go by the age of the file where no record has a time", async () => {
    const kit = await started();
    const id = await kit.createTopic("t", { "retention.ms": "1000" });
    const owner = await kit.append(id, -1);
    await kit.check();
    expect(owner.logStartOffset).toBe(0);
    await kit.rig.pass(1001);
    await kit.check();
    expect(owner.logStartOffset).toBe(1);
  });

  test("keep everything where the topic is compacted and nothing else", async () => {
    const kit = await started();
    const configs = { "retention.ms": "1", "retention.bytes": "0" };
    const id = await kit.createTopic("t", configs);
    const owner = await kit.append(id, 1);
    await kit.setConfig("t", "cleanup.policy", "compact");
    await kit.check();
    expect(owner.logStartOffset).toBe(0);
    await kit.setConfig("t", "cleanup.policy", "compact,delete");
    await kit.check();
    expect(owner.logStartOffset).toBe(1);
  });

  test("follow a change of retention at the next check", async () => {
    const kit = await started();
    const id = await kit.createTopic("t", { "retention.ms": "-1" });
    for (let i = 0; i < 3; i++) await kit.append(id, 1);
    const owner = await kit.rig.partitions.open(id, 0);
    await kit.check();
    expect(owner.logStartOffset).toBe(0);
    await kit.setConfig("t", "retention.bytes", "1");
    await kit.check();
    expect(owner.logStartOffset).toBe(2);
    await kit.setConfig("t", "retention.ms", "1");
    await kit.check();
    expect(owner.logStartOffset).toBe(3);
  });

  test.each(["local", "journal"])(
    "forget producers after producer.id.expiration.ms, under the durability %s",
    async (durability) => {
      const kit = await started();
      const id = await kit.createTopic("t", {
        "millrace.durability": durability,
        "retention.ms": "-1",
      });
      const owner = await kit.rig.partitions.open(id, 0);
      const timestamp = kit.rig.clock.wallMs();
      const records = buildBatch([{ key: null, value: null, timestamp }], {
        ...{ crc32c, producerId: 5, producerEpoch: 0, baseSequence: 0 },
      });
      const appending = owner.append({ records, waitFor: "durable" });
      await kit.rig.pass(1000);
      expect((await appending).kind).toBe("appended");
      await kit.check();
      expect(owner.log.producers.get(5)?.lastTimestamp).toBe(timestamp);
      await kit.rig.pass(24 * hourMs);
      await kit.check();
      expect(owner.log.producers.get(5)).toBeUndefined();
    },
  );
});

describe("partitions that nobody touched since the start", () => {
  test("are not loaded before something is due, and looked at once until then", async () => {
    const kit = await started();
    const id = await kit.createTopic("t", { "retention.ms": String(hourMs) }, 3);
    const nowMs = kit.rig.clock.wallMs();
    await kit.append(id, nowMs, 1);
    await kit.append(id, nowMs - hourMs / 2, 2);
    await kit.rig.kill();
    kit.attach();
    await kit.check();
    await kit.check();
    expect(kit.counted()["idle_looks_total"]).toBe(3);
    const loaded = (): readonly boolean[] =>
      [0, 1, 2].map((partition) => kit.rig.partitions.find(id, partition) !== undefined);
    expect(loaded()).toEqual([false, false, false]);
    await kit.rig.pass(hourMs / 2 + 1);
    await kit.check();
    expect(loaded()).toEqual([false, false, true]);
    expect(kit.rig.partitions.find(id, 2)?.logStartOffset).toBe(1);
    await kit.rig.pass(hourMs / 2);
    await kit.check();
    expect(loaded()).toEqual([false, true, true]);
    expect(kit.rig.partitions.find(id, 1)?.logStartOffset).toBe(1);
  });

  test("are looked at again when their topic's settings change", async () => {
    const kit = await started();
    const id = await kit.createTopic("t", { "retention.ms": "-1" });
    await kit.append(id, 1);
    await kit.rig.kill();
    kit.attach();
    await kit.check();
    expect(kit.rig.partitions.find(id, 0)).toBeUndefined();
    await kit.setConfig("t", "retention.ms", "1");
    await kit.check();
    expect(kit.rig.partitions.find(id, 0)?.logStartOffset).toBe(1);
  });

  test("cost nothing where topics are kept for ever, and a deleted topic is forgotten", async () => {
    const kit = await started();
    await kit.createTopic("t", { "retention.ms": "-1" }, 50);
    await kit.check();
    await kit.rig.cluster.deleteTopic("t");
    await kit.check();
    expect(kit.counted()).toMatchObject({ failures_total: 0, idle_looks_total: 50 });
  });
});

describe("when something fails", () => {
  test("a start that was stored holds over a loss of power, whatever came of the files", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const kit = await started();
      for (let i = 0; i < seed; i++) kit.rig.random.below(2);
      const id = await kit.createTopic("t", { "retention.bytes": "1", "retention.ms": "-1" });
      for (let i = 0; i < 3; i++) await kit.append(id, 1);
      await (await kit.rig.partitions.open(id, 0)).log.sync();
      await kit.check();
      await kit.rig.crash();
      const owner = await kit.rig.partitions.open(id, 0);
      expect([owner.logStartOffset, owner.highWatermark]).toEqual([2, 3]);
      expect([...owner.log.segments()].map(({ baseOffset }) => baseOffset)).toEqual([2]);
    }
  });

  test("a full disk is what retention makes room on", async () => {
    const kit = await started();
    const id = await kit.createTopic("t", { "retention.ms": "1000" });
    for (let i = 0; i < 3; i++) await kit.append(id, 1);
    kit.rig.disk.setCapacity(kit.rig.disk.usedBytes);
    await expect(kit.append(id, 2)).rejects.toThrow("diskFull");
    await kit.check();
    const owner = await kit.append(id, kit.rig.clock.wallMs());
    expect([owner.logStartOffset, owner.highWatermark]).toEqual([3, 4]);
  });

  test("one partition harms no other one, and the check comes again soon", async () => {
    const kit = await started();
    const bad = await kit.createTopic("bad", { "retention.ms": "1000" });
    const good = await kit.createTopic("good", { "retention.ms": "1000" });
    const broken = await kit.append(bad, 1);
    const owner = await kit.append(good, 1);
    let failures = 1;
    const { deleteRecordsBefore } = broken;
    broken.deleteRecordsBefore = (offset) => {
      if (failures-- <= 0) return deleteRecordsBefore.call(broken, offset);
      const details = { retriable: true, applied: "maybe" } as const;
      return Promise.reject(new MetadataError("away", details));
    };
    kit.retention.start();
    await kit.rig.pass(retentionLimits.firstCheckMs);
    expect([broken.logStartOffset, owner.logStartOffset]).toEqual([0, 1]);
    expect(kit.counted()["failures_total"]).toBe(1);
    expect(kit.warnings).toHaveLength(1);
    await kit.rig.pass(retentionLimits.retryMs);
    expect(broken.logStartOffset).toBe(1);
    await kit.retention.close();
  });
});

describe("checks", () => {
  test("begin soon after the start, and come by log.retention.check.interval.ms", async () => {
    const kit = await started();
    kit.retention.start();
    await kit.rig.pass(retentionLimits.firstCheckMs - 1);
    expect(kit.counted()["checks_total"]).toBe(0);
    await kit.rig.pass(1);
    expect(kit.counted()["checks_total"]).toBe(1);
    await kit.rig.pass(299_999);
    expect(kit.counted()["checks_total"]).toBe(1);
    await kit.rig.pass(1);
    expect(kit.counted()["checks_total"]).toBe(2);
    await kit.retention.close();
    await kit.rig.pass(10 * hourMs);
    expect(kit.counted()["checks_total"]).toBe(2);
  });

  test("look at a bounded number of partitions in a turn, with a pause for others in between", async () => {
    const kit = await new RetentionRig().start(
      checkedRetention({ ...retentionLimits, partitionsPerTurnMax: 10 }),
    );
    await kit.createTopic("t", { "retention.ms": "1000" }, 35);
    const looks: number[] = [];
    const checking = kit.retention.check();
    for (;;) {
      await turn();
      looks.push(kit.counted()["idle_looks_total"] ?? 0);
      if (looks.at(-1) === 35) break;
      const beforeMs = kit.rig.clock.monotonicMs();
      kit.rig.clock.fireNext();
      expect(kit.rig.clock.monotonicMs() - beforeMs).toBe(retentionLimits.turnPauseMs);
    }
    expect(looks).toEqual([10, 20, 30, 35]);
    await checking;
  });

  test("end their turn after some time, too", async () => {
    const kit = await started();
    await kit.createTopic("t", { "retention.ms": "1000" }, 5);
    const { clock, disk } = kit.rig;
    const { list } = disk;
    // Each look takes as long as a turn may.
    disk.list = (directory) => {
      clock.advance(retentionLimits.turnMsMax);
      return list.call(disk, directory);
    };
    const checking = kit.retention.check();
    await turn();
    expect(kit.counted()["idle_looks_total"]).toBe(1);
    clock.fireNext();
    await turn();
    expect(kit.counted()["idle_looks_total"]).toBe(2);
    await kit.retention.close();
    await checking;
    expect(kit.counted()["idle_looks_total"]).toBe(2);
  });
});
