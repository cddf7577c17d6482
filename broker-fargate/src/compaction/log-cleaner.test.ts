import type { TopicId } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { textBatch } from "../../../test/fixtures/compaction.ts";
import { turn } from "../partition/fixtures.ts";
import { partitionDirectory } from "../partition/log-opener.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { CleanerRig, filling, partsOf, recordsOf } from "./fixtures.ts";
import { compactionLimits, type CompactionLimits } from "./limits.ts";

describe.each(["local", "journal"])("under the durability %s", (durability) => {
  const configs = { "millrace.durability": durability };

  test("a log is compacted up to its active segment, and not again before it is dirty", async () => {
    const kit = await CleanerRig.start();
    const id = await kit.createTopic("t", configs);
    const owner = await kit.fill(id, 10);
    await kit.settle();
    await kit.clean();
    await kit.settle();
    await kit.clean();
    const active = owner.log.compaction.segments().at(-1)?.baseOffset ?? 0;
    expect(active).toBe(18);
    expect(recordsOf(owner)).toEqual(["14:k1=14", "16:k0=16", "18:k1=18"]);
    expect(owner.log.compaction.cleanedTo).toBe(active);
    expect(kit.counted("rounds_total")).toBe(1);
    expect(kit.counted("removed_records_total")).toBeGreaterThan(10);
    expect(kit.counted("read_bytes_total")).toBeGreaterThan(6_000_000);
    expect(kit.counted("written_bytes_total")).toBeGreaterThan(300_000);
    expect(kit.counted("waiting_partitions")).toBe(0);
    await kit.fill(id, 3);
    await kit.settle();
    await kit.clean();
    await kit.clean();
    expect(kit.counted("rounds_total")).toBe(2);
  });

  test("nothing is touched that a restart would look at again", async () => {
    const kit = await CleanerRig.start();
    const id = await kit.createTopic("t", configs);
    const owner = await kit.fill(id, 10);
    for (let i = 0; i < 3; i++) await kit.cleaner.clean();
    expect(kit.counted("rounds_total")).toBe(0);
    expect(recordsOf(owner).length).toBe(10);
  });

  test("after a death or a loss of power nothing is missing that a reader would know", async () => {
    for (let seed = 0; seed < 6; seed++) {
      const kit = await CleanerRig.start(seed);
      const { rig } = kit;
      const id = await kit.createTopic("t", configs);
      const state = new Map<string, string>();
      let owner = await rig.partitions.open(id, 0);
      for (let life = 0; life < 4; life++) {
        const appends = 3 + rig.random.below(8);
        for (let i = 0; i < appends; i++) {
          const key = `k${rig.random.below(3)}`;
          const value = `${owner.highWatermark}`;
          await kit.append(owner, key, value);
          state.set(key, value);
        }
        if (rig.random.below(3) > 0) await kit.settle();
        const cleaning = kit.cleaner.clean();
        const turns = rig.random.below(120);
        for (let i = 0; i < turns; i++) {
          await turn();
          rig.clock.fireNext();
        }
        const end = owner.highWatermark;
        // A local log may lose what was not synced; that is its policy.
        if (durability === "journal" && rig.random.below(2) === 0) await rig.crash();
        else await rig.kill();
        cleaning.catch(() => undefined);
        kit.attach();
        owner = await rig.partitions.open(id, 0);
        expect(owner.highWatermark).toBe(end);
        const seen = new Map(recordsOf(owner).map((each) => partsOf(each)));
        expect(seen).toEqual(state);
      }
      expect(rig.warnings.filter((each) => each.includes("gone"))).toEqual([]);
    }
  });
});

describe("an idempotent producer", () => {
  test.each(["kept", "lost"])(
    "goes on over a compacted log after a restart, snapshots %s",
    async (snapshots) => {
      const kit = await CleanerRig.start();
      const id = await kit.createTopic("t");
      let owner = await kit.rig.partitions.open(id, 0);
      const append = (sequence: number): ReturnType<PartitionOwner["append"]> => {
        const fields = { producerId: 7, producerEpoch: 0, baseSequence: sequence };
        return owner.append({
          records: textBatch([{ key: "a", value: "v" }], fields),
          waitFor: "appended",
        });
      };
      const first = append(0);
      await kit.rig.pass(1);
      await first;
      expect((await append(1)).kind).toBe("appended");
      for (let i = 0; i < 6; i++) await kit.append(owner, "a", "b");
      await kit.settle();
      await kit.clean();
      expect(kit.counted("rounds_total")).toBe(1);
      await kit.rig.partitions.close();
      const { disk } = kit.rig;
      const directory = partitionDirectory({ topicId: id, partition: 0 });
      for (const name of disk.list(directory)) {
        if (snapshots === "lost" && name.endsWith(".snapshot")) disk.remove(`${directory}/${name}`);
      }
      await kit.rig.kill();
      owner = await kit.rig.partitions.open(id, 0);
      expect(await append(3)).toMatchObject({ kind: "refused", reason: "outOfOrderSequence" });
      expect(await append(1)).toMatchObject({ kind: "duplicate", baseOffset: 1 });
      const next = append(2);
      await kit.rig.pass(1);
      expect(await next).toMatchObject({ kind: "appended" });
    },
  );
});

test.each(["none", "tiered"] as const)(
  "tombstones go when their time has come, unless older records are tiered: %s",
  async (tiers) => {
    const kit = await CleanerRig.start(1, tiers);
    const configs = { "delete.retention.ms": "0", "min.cleanable.dirty.ratio": "0" };
    const id = await kit.createTopic("t", configs);
    const owner = await kit.rig.partitions.open(id, 0);
    for (const value of ["1", null]) await kit.append(owner, "dead", value);
    const seen: (readonly string[])[] = [];
    for (let rounds = 0; rounds < 3; rounds++) {
      await kit.fill(id, 6, 1);
      await kit.settle();
      await kit.clean();
      seen.push(recordsOf(owner).filter((each) => each.includes("dead")));
    }
    expect(kit.counted("rounds_total")).toBe(3);
    const left = tiers === "tiered" ? ["2:dead=null"] : [];
    expect(seen).toEqual([["2:dead=null"], left, left]);
    await kit.rig.partitions.close();
  },
);

describe("partitions that nobody touched since the start", () => {
  test("are loaded when a round seems to be due, and else left alone", async () => {
    const kit = await CleanerRig.start();
    const dirty = await kit.createTopic("dirty");
    const small = await kit.createTopic("small");
    const untouched = await kit.createTopic("untouched");
    const deleted = await kit.createTopic("kept", { "cleanup.policy": "delete" });
    for (const id of [dirty, deleted]) await kit.fill(id, 10);
    await kit.fill(small, 1);
    await kit.rig.partitions.close();
    await kit.rig.kill();
    kit.attach();
    await kit.clean();
    const loaded = (id: TopicId): boolean => kit.rig.partitions.find(id, 0) !== undefined;
    expect([dirty, small, untouched, deleted].map(loaded)).toEqual([true, false, false, false]);
    expect(kit.counted("rounds_total")).toBe(1);
    await kit.rig.partitions.close();
    await kit.rig.kill();
    kit.attach();
    await kit.clean();
    expect(loaded(dirty)).toBe(false);
  });

  test("are loaded when a record has waited for max.compaction.lag.ms", async () => {
    const kit = await CleanerRig.start();
    const lag = { "max.compaction.lag.ms": "3600000", "min.cleanable.dirty.ratio": "1" };
    const id = await kit.createTopic("t", lag);
    const owner = await kit.rig.partitions.open(id, 0);
    for (let i = 0; i < 4; i++) {
      const timestamp = kit.rig.clock.wallMs();
      const records = textBatch([{ key: "a", value: filling.repeat(2), timestamp }]);
      const appending = owner.append({ records, waitFor: "appended" });
      await kit.rig.pass(1);
      await appending;
    }
    await kit.rig.partitions.close();
    await kit.rig.kill();
    kit.attach();
    await kit.clean();
    expect(kit.rig.partitions.find(id, 0)).toBeUndefined();
    await kit.rig.pass(3_700_000);
    await kit.clean();
    expect(kit.rig.partitions.find(id, 0)?.log.compaction.cleanedTo).toBe(3);
  });
});

describe("a round under way ends, and leaves nothing beside the log,", () => {
  async function underWay(): Promise<{
    readonly kit: CleanerRig;
    readonly id: TopicId;
    readonly cleaning: Promise<void>;
  }> {
    const kit = await CleanerRig.start();
    const id = await kit.createTopic("t");
    await kit.fill(id, 12);
    await kit.settle();
    // A batch each.
    kit.attach({ ...compactionLimits, pieceBytes: 512 * 1024 });
    kit.cleaner.start();
    const { calls } = kit.sideWork;
    while (kit.sideWork.calls < calls + 12) {
      kit.rig.clock.fireNext();
      await turn();
    }
    return { kit, id, cleaning: Promise.resolve() };
  }

  const beside = (kit: CleanerRig): readonly string[] =>
    kit.rig.disk.paths().filter((path) => /cleaned$|swap$/.test(path));

  test("when the broker closes", async () => {
    const { kit } = await underWay();
    expect(beside(kit)).not.toEqual([]);
    await kit.drive(kit.cleaner.close());
    expect(beside(kit)).toEqual([]);
    await kit.rig.partitions.close();
  });

  test("when the topic is deleted", async () => {
    const { kit, id } = await underWay();
    await kit.rig.cluster.deleteTopic("t");
    await kit.rig.pass(1000);
    await kit.drive(kit.cleaner.close());
    expect(kit.rig.disk.paths().filter((path) => path.includes(id))).toEqual([]);
    expect(kit.warnings).toEqual([]);
  });

  test("when the topic is not compacted any more", async () => {
    const { kit, id } = await underWay();
    await kit.rig.cluster.setTopicConfigs(
      "t",
      (before) => ({ ok: true, configs: new Map(before).set("cleanup.policy", "delete") }),
      "perform",
    );
    await kit.rig.pass(1000);
    expect(beside(kit)).toEqual([]);
    const owner = kit.rig.partitions.find(id, 0);
    expect(owner?.log.compaction.cleanedTo).toBeUndefined();
    await kit.drive(kit.cleaner.close());
  });
});

describe("what goes wrong", () => {
  test("for want of room is tried again, and appends go on", async () => {
    const kit = await CleanerRig.start();
    const id = await kit.createTopic("t");
    const owner = await kit.fill(id, 10, 10);
    await kit.settle();
    const { disk } = kit.rig;
    disk.setCapacity(disk.usedBytes + 100);
    await kit.clean();
    expect([kit.counted("rounds_total"), kit.counted("failures_total")]).toEqual([0, 1]);
    expect(disk.paths().filter((path) => /cleaned$|swap$/.test(path))).toEqual([]);
    expect(kit.counted("uncleanable_partitions")).toBe(0);
    disk.setCapacity(Number.POSITIVE_INFINITY);
    await kit.clean();
    expect(kit.counted("rounds_total")).toBe(1);
    await kit.append(owner, "z", "1");
  });

  test("with a damaged log is said once, and holds up no other", async () => {
    const kit = await CleanerRig.start();
    const bad = await kit.createTopic("bad");
    const good = await kit.createTopic("good");
    for (const id of [bad, good]) await kit.fill(id, 10);
    await kit.settle();
    const directory = partitionDirectory({ topicId: bad, partition: 0 });
    kit.rig.disk.flipBit(`${directory}/${"0".repeat(20)}.log`, 8 * 1000);
    await kit.clean();
    await kit.clean();
    expect(kit.counted("uncleanable_partitions")).toBe(1);
    expect([kit.counted("rounds_total"), kit.counted("failures_total")]).toEqual([1, 1]);
    expect(kit.warnings).toEqual(["a log can't be compacted: it is damaged"]);
    expect(recordsOf(kit.rig.partitions.find(good, 0) as PartitionOwner).length).toBe(3);
  });
});

describe("the cleaner", () => {
  test("takes several rounds where the keys' memory is full", async () => {
    const kit = await CleanerRig.start();
    const id = await kit.createTopic("t", { "min.cleanable.dirty.ratio": "0" });
    const owner = await kit.fill(id, 10, 5);
    await kit.settle();
    kit.attach({ ...compactionLimits, mapBytesMax: 24 * 4 });
    await kit.clean();
    expect(kit.counted("rounds_total")).toBeGreaterThan(2);
    expect(owner.log.compaction.cleanedTo).toBe(18);
    // The active segment has one more of the last key.
    expect(recordsOf(owner).length).toBe(6);
    expect(new Set(recordsOf(owner).map((each) => partsOf(each)[0])).size).toBe(5);
  });

  test("looks first some time after the start, and then by log.cleaner.backoff.ms", async () => {
    const kit = await CleanerRig.start();
    const id = await kit.createTopic("t");
    await kit.fill(id, 10);
    await kit.settle();
    kit.cleaner.start();
    await kit.rig.pass(compactionLimits.firstLookMs - 1);
    expect(kit.sideWork.calls).toBe(0);
    await kit.rig.pass(1000);
    expect(kit.counted("rounds_total")).toBe(1);
    await kit.fill(id, 10);
    await kit.settle();
    expect(kit.counted("rounds_total")).toBe(2);
    await kit.cleaner.close();
  });

  test("looks first after log.cleaner.backoff.ms where that is less", async () => {
    const kit = await CleanerRig.start();
    const id = await kit.createTopic("t");
    await kit.fill(id, 10);
    await kit.settle();
    const { cluster } = kit.rig;
    const often = { ...cluster.settings, logCleanerBackoffMs: 100 };
    Object.defineProperty(cluster, "settings", { get: () => often });
    kit.cleaner.start();
    await kit.rig.pass(99);
    expect(kit.sideWork.calls).toBe(0);
    await kit.rig.pass(100);
    expect(kit.counted("rounds_total")).toBe(1);
    await kit.cleaner.close();
  });

  /** Milliseconds that a look at nine partitions without records takes. */
  async function lookMs(limits: CompactionLimits): Promise<number> {
    const kit = await CleanerRig.start();
    await kit.createTopic("t", {}, 9);
    kit.attach(limits);
    const beganMs = kit.rig.clock.monotonicMs();
    await kit.clean();
    return kit.rig.clock.monotonicMs() - beganMs;
  }

  test("looks at a bounded number of partitions in a turn, with a pause for others in between", async () => {
    expect(await lookMs(compactionLimits)).toBe(0);
    const limits = { ...compactionLimits, partitionsPerTurnMax: 2, turnPauseMs: 50 };
    expect(await lookMs(limits)).toBeGreaterThanOrEqual(4 * 50);
  });

  test("ends a turn after some time, too", async () => {
    const limits = { ...compactionLimits, turnMsMax: 0, turnPauseMs: 50 };
    expect(await lookMs(limits)).toBeGreaterThanOrEqual(9 * 50);
  });
});

test("nothing is compacted where log.cleaner.enable is false", async () => {
  const kit = await CleanerRig.start();
  const id = await kit.createTopic("t");
  const owner = await kit.fill(id, 10);
  await kit.settle();
  const { cluster } = kit.rig;
  const off = { ...cluster.settings, logCleanerEnable: false };
  Object.defineProperty(cluster, "settings", { get: () => off });
  await kit.clean();
  expect(recordsOf(owner).length).toBe(10);
});
