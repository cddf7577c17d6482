import { keys, MetadataError } from "@millrace/core";
import type { TopicId } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { appendEach, Rig, valuesOf } from "../partition/fixtures.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { smallLimits } from "./fixtures.ts";

const checkpointMs = 70_000;

function upTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

interface Opened {
  readonly rig: Rig;
  readonly topic: TopicId;
  readonly owner: PartitionOwner;
  readonly set: (configs: Readonly<Record<string, string>>) => Promise<void>;
}

async function opened(durability: string): Promise<Opened> {
  const rig = await new Rig({ tierLimits: smallLimits }).start();
  const always = { "millrace.durability": durability };
  const topic = await rig.createTopic("t", { configs: always });
  const owner = await rig.partitions.open(topic, 0);
  const set: Opened["set"] = async (configs) => {
    const all = new Map(Object.entries({ ...always, ...configs }));
    const outcome = await rig.cluster.setTopicConfigs(
      "t",
      () => ({ ok: true, configs: all }),
      "perform",
    );
    if (outcome.kind !== "done") throw new Error(JSON.stringify(outcome));
  };
  return { rig, topic, owner, set };
}

describe.each(["local", "journal"])(
  "a topic under `%s` that is not to be copied any more",
  (durability) => {
    it.each([{ "remote.log.copy.disable": "true" }, { "remote.storage.enable": "false" }])(
      "is not copied once more: %o",
      async (off) => {
        const { owner, rig, set, topic } = await opened(durability);
        await appendEach(owner, upTo(3));
        await rig.pass(checkpointMs);
        expect(owner.latestTieredOffset).toBe(2);
        await appendEach(owner, [3]);
        await set(off);
        await appendEach(owner, [4]);
        await rig.pass(3 * checkpointMs);
        expect(owner.latestTieredOffset).toBe(2);
        // What waited for it is let go.
        expect(rig.partitions.journal.untrimmedBytes).toBe(0);
        await rig.partitions.close();
        await rig.kill();
        expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual(upTo(5));
        expect((await rig.partitions.open(topic, 0)).latestTieredOffset).toBe(2);
      },
    );
  },
);

describe("a topic that is not to be in the object store any more, with what is there deleted", () => {
  const off = { "remote.storage.enable": "false", "remote.log.delete.on.disable": "true" };

  async function tiered(): Promise<Opened> {
    const at = await opened("local");
    const { owner, rig } = at;
    owner.log.config = { ...owner.log.config, segmentBytes: 1_000 };
    await appendEach(owner, upTo(40));
    await rig.pass(checkpointMs);
    await appendEach(owner, [40, 41]);
    await rig.pass(checkpointMs);
    expect(owner.latestTieredOffset).toBe(41);
    owner.log.removeLocalBefore(25);
    return at;
  }

  function objectsOf(rig: Rig, kind: string): readonly string[] {
    return rig.objects?.keys.filter((key) => key.includes(kind)) ?? [];
  }

  it("starts where its hot log does, and its objects go", async () => {
    const { owner, rig, set, topic } = await tiered();
    const start = owner.earliestLocalOffset;
    expect(start).toBeGreaterThan(0);
    expect(owner.logStartOffset).toBe(0);
    await set(off);
    await rig.pass(2 * checkpointMs);
    expect([owner.logStartOffset, owner.latestTieredOffset]).toEqual([start, -1]);
    expect(objectsOf(rig, "/data/")).toEqual([]);
    expect(await valuesOf(owner)).toEqual(upTo(42).slice(start));
    await rig.kill();
    const again = await rig.partitions.open(topic, 0);
    expect(await valuesOf(again)).toEqual(upTo(42).slice(start));
    expect(again.latestTieredOffset).toBe(-1);
    await set({});
    await rig.pass(2 * checkpointMs);
    expect(again.latestTieredOffset).toBe(41);
    await rig.partitions.close();
    await rig.killAndLoseLogs();
    expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual(upTo(42).slice(start));
  });

  it("can be there again at once, from its new start on", async () => {
    const { owner, rig, set } = await tiered();
    const start = owner.earliestLocalOffset;
    await set(off);
    await rig.pass(1);
    await set({});
    await rig.pass(2 * checkpointMs);
    expect(owner.latestTieredOffset).toBe(41);
    expect(owner.tiered?.cold.startOffset).toBe(start);
    owner.log.removeLocalBefore(41);
    expect(await valuesOf(owner)).toEqual(upTo(42).slice(start));
  });

  it.each(["tried again", "wanted again"])(
    "is whole when its deletion failed and is %s",
    async (then) => {
      const { owner, rig, set, topic } = await tiered();
      const start = 30;
      const { store } = rig;
      const transact = store.transact.bind(store);
      store.transact = (writes) => {
        const isRemoval = writes.some(
          ({ key, kind }) => kind === "delete" && key.includes("/segment/"),
        );
        if (!isRemoval) return transact(writes);
        return Promise.reject(new MetadataError("away", { retriable: false, applied: "no" }));
      };
      await set(off);
      await rig.pass(1_000);
      await owner.deleteRecordsBefore(start);
      store.transact = transact;
      if (then === "wanted again") await set({});
      await rig.pass(3 * checkpointMs);
      if (then === "tried again") expect(objectsOf(rig, "/data/")).toEqual([]);
      else expect(owner.latestTieredOffset).toBe(41);
      await rig.partitions.close();
      await rig.kill();
      const again = await rig.partitions.open(topic, 0);
      expect(again.latestTieredOffset).toBe(then === "tried again" ? -1 : 41);
      expect(await valuesOf(again)).toEqual(upTo(42).slice(start));
    },
  );

  it("has nothing there that a round for another partition of the slot took over meanwhile", async () => {
    const { owner, rig, set, topic } = await tiered();
    const others = await rig.createTopic("u", {
      ...{ partitions: 40, configs: { "millrace.durability": "local" } },
    });
    let other = await rig.partitions.open(others, 0);
    for (let i = 1; other.slot !== owner.slot; i++) other = await rig.partitions.open(others, i);
    await appendEach(other, [1]);
    const { objects, store } = rig;
    if (objects === undefined) throw new Error("there is a store");
    const held = new Map<string, () => void>();
    const hold = (what: string): Promise<void> => new Promise((resolve) => held.set(what, resolve));
    const transact = store.transact.bind(store);
    store.transact = async (writes) => {
      if (writes.some(({ key }) => key === keys.partition(owner.slot, topic, 0))) {
        await hold("start");
      }
      return transact(writes);
    };
    const put = objects.putIfAbsent.bind(objects);
    objects.putIfAbsent = async (key, parts) => {
      if (key.includes("/checkpoint/")) await hold("checkpoint");
      return put(key, parts);
    };
    await set(off);
    await rig.pass(1);
    await rig.pass(checkpointMs);
    expect([...held.keys()]).toEqual(["start", "checkpoint"]);
    objects.putIfAbsent = put;
    for (const release of held.values()) {
      release();
      await rig.pass(1);
    }
    await rig.pass(3 * checkpointMs);
    expect(owner.latestTieredOffset).toBe(-1);
    expect(owner.tiered?.packs.named.size).toBe(1);
  });

  it("keeps them without the second setting", async () => {
    const { owner, rig, set } = await tiered();
    await set({ "remote.storage.enable": "false" });
    await rig.pass(2 * checkpointMs);
    expect([owner.logStartOffset, owner.latestTieredOffset]).toEqual([0, 41]);
    expect(await valuesOf(owner)).toEqual(upTo(42));
  });

  it("has them deleted also where nobody touched it since the start, and after a death", async () => {
    const { rig, set, topic } = await tiered();
    await rig.partitions.close();
    await rig.kill();
    const store = rig.store;
    const transact = store.transact.bind(store);
    let isAway = true;
    store.transact = (writes) => {
      const isRemoval = writes.some(
        ({ key, kind }) => kind === "delete" && key.includes("/segment/"),
      );
      if (!isAway || !isRemoval) return transact(writes);
      return Promise.reject(new MetadataError("away", { retriable: false, applied: "no" }));
    };
    await set(off);
    await rig.pass(1_000);
    expect(objectsOf(rig, "/data/").length).toBeGreaterThan(0);
    await rig.kill();
    isAway = false;
    const owner = await rig.partitions.open(topic, 0);
    await rig.pass(2 * checkpointMs);
    expect(owner.latestTieredOffset).toBe(-1);
    expect(objectsOf(rig, "/data/")).toEqual([]);
    expect(await valuesOf(owner)).toEqual(upTo(42).slice(owner.logStartOffset));
  });
});
