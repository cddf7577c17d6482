import { MemoryMetadataStore } from "@millrace/adapter-memory";
import { type JsonValue, keys, slot } from "@millrace/core";
import { describe, expect, it } from "vitest";
import type { TopicChange } from "./cluster.ts";
import {
  createTopic,
  openTestCluster,
  settled,
  type TestCluster,
} from "../../../test/fixtures/test-cluster.ts";
import { FormatError } from "./format-error.ts";

const restarted = ({ memory }: TestCluster, seed: number): Promise<TestCluster> =>
  openTestCluster({ seed, memory: memory.reopen() });

async function valueOf({ memory }: TestCluster, key: string): Promise<JsonValue | undefined> {
  return (await memory.get(key))?.value;
}

describe("a cluster's start", () => {
  it("makes a cluster once, with an id as Kafka's and its number of slots", async () => {
    const first = await openTestCluster({ slots: 16 });
    expect(first.cluster.clusterId).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
    expect(first.cluster.slots).toBe(16);
    expect(first.cluster.features.finalized).toEqual([
      { name: "millrace.version", minVersionLevel: 2, maxVersionLevel: 2 },
    ]);
    const second = await openTestCluster({ seed: 2, memory: first.memory.reopen(), slots: 99 });
    expect(second.cluster.clusterId).toBe(first.cluster.clusterId);
    expect(second.cluster.slots).toBe(16);
  });

  it("takes a new incarnation and a newer epoch each time, durably", async () => {
    const first = await openTestCluster();
    const second = await restarted(first, 2);
    expect(second.cluster.epoch).toBe(first.cluster.epoch + 1);
    expect(second.cluster.incarnation).not.toBe(first.cluster.incarnation);
    const { incarnation, epoch } = second.cluster;
    const item = await valueOf(second, keys.incarnation(incarnation));
    expect(item).toEqual({ state: "open", broker: 1, epoch, trim: 0 });
    expect(await valueOf(second, keys.leadership)).toMatchObject({
      epoch,
      assignments: [{ slots: "0-1023", broker: 1, incarnation, epoch }],
    });
  });

  it("refuses a newer format before it writes anything", async () => {
    const memory = new MemoryMetadataStore();
    await memory.transact([{ kind: "put", key: keys.format, value: { version: 2 } }]);
    await expect(openTestCluster({ memory })).rejects.toThrow(FormatError);
    await expect(openTestCluster({ memory })).rejects.toThrow(/format 2.*cannot read/);
    expect(memory.items().map((item) => [item.key, item.version])).toEqual([["format", 1]]);
  });

  it("refuses a millrace.version that it does not support", async () => {
    const { memory } = await openTestCluster();
    const value = { "millrace.version": 3 };
    await memory.transact([{ kind: "put", key: keys.features, value }]);
    await expect(openTestCluster({ memory })).rejects.toThrow(/millrace.version is finalised at 3/);
    expect((await memory.get(keys.leadership))?.version).toBe(1);
  });

  it("takes one epoch only, when replies to its writes are lost", async () => {
    const perThousand = { replyLost: 300, throttled: 50, requestLost: 50 };
    for (let seed = 0; seed < 20; seed += 1) {
      const first = await openTestCluster({ seed, rates: { perThousand, latencyMsMax: 5 } });
      expect(first.cluster.epoch).toBe(1);
      expect(await valueOf(first, keys.leadership)).toMatchObject({ incarnations: 1 });
    }
  });
});

describe("slots of a cluster", () => {
  it("are claimed at first use, once, at this life's epoch", async () => {
    const test = await openTestCluster();
    const { cluster, memory, clock } = test;
    expect(cluster.findOpenSlot(slot(3))).toBeUndefined();
    const claims = [cluster.openSlot(slot(3)), cluster.openSlot(slot(3))];
    const [one, two] = await settled(clock, Promise.all(claims));
    expect(one).toEqual({ epoch: 1 });
    expect(two).toBe(one);
    expect(cluster.findOpenSlot(slot(3))).toBe(one);
    expect((await memory.get(keys.head(slot(3))))?.version).toBe(1);
    expect(await memory.get(keys.head(slot(4)))).toBeUndefined();
  });

  it("pass to the next life, with the former one as source while it is open", async () => {
    const first = await openTestCluster();
    await first.cluster.openSlot(slot(3));
    await first.cluster.openSlot(slot(4));
    const second = await restarted(first, 2);
    expect(await second.cluster.openSlot(slot(3))).toEqual({ epoch: 2 });
    const source = { incarnation: first.cluster.incarnation, epoch: 1 };
    expect(await valueOf(second, keys.head(slot(3)))).toMatchObject({ sources: [source] });
    const third = await restarted(second, 3);
    const key = keys.incarnation(first.cluster.incarnation);
    await third.memory.transact([{ kind: "put", key, value: { state: "closed" } }]);
    await third.cluster.openSlot(slot(4));
    expect(await valueOf(third, keys.head(slot(4)))).toMatchObject({ epoch: 3, sources: [] });
  });

  it("are not given to a life that is over", async () => {
    const first = await openTestCluster();
    const second = await openTestCluster({ seed: 2, memory: first.memory });
    await second.cluster.openSlot(slot(3));
    await expect(first.cluster.openSlot(slot(3))).rejects.toThrow(/owned at epoch 2/);
  });

  it("are held after a claim whose reply was lost", async () => {
    const { cluster, clock, store } = await openTestCluster();
    store.plan("replyLost");
    const open = await settled(clock, cluster.openSlot(slot(3)));
    expect(open).toEqual({ epoch: 1 });
  });
});

describe("producer ids", () => {
  it("are never given twice, over restarts and lost replies", async () => {
    const given = new Set<number>();
    let test = await openTestCluster();
    for (let life = 2; life < 6; life += 1) {
      test.store.plan("replyLost");
      const many = Array.from({ length: 1100 }, () => test.cluster.allocateProducerId());
      for (const id of await settled(test.clock, Promise.all(many))) given.add(id);
      test = await restarted(test, life);
    }
    expect(given.size).toBe(4400);
    expect(Math.min(...given)).toBeGreaterThanOrEqual(0);
  });

  it("are refused with the store's error while it does not answer", async () => {
    const { cluster, clock, store } = await openTestCluster();
    store.rates = { perThousand: { throttled: 1000 } };
    await expect(settled(clock, cluster.allocateProducerId())).rejects.toThrow(/throttled/);
    store.rates = { perThousand: {} };
    expect(await cluster.allocateProducerId()).toBe(0);
  });
});

describe("topics of a cluster", () => {
  it("are there at once, after a restart too, each as one small item", async () => {
    const first = await openTestCluster();
    const changes: TopicChange[] = [];
    first.cluster.onTopicChange((change) => changes.push(change));
    const made = await createTopic(first, "big", { partitionCount: 10_000 });
    expect(made.kind).toBe("done");
    const topic = first.cluster.topics.byName("big");
    expect(changes).toEqual([{ kind: "created", topic }]);
    const second = await restarted(first, 2);
    expect(second.cluster.topics.list()).toEqual([topic]);
    const all = await second.memory.range({ from: "topic/", to: "topic0", limit: 100 });
    expect(all.items.map((item) => item.key)).toEqual(["topic/big"]);
    expect(JSON.stringify(all.items).length).toBeLessThan(300);
  });

  it("are only checked when only that is asked", async () => {
    const test = await openTestCluster();
    const checked = await createTopic(test, "t", { intent: "check" });
    expect(checked.kind).toBe("decided");
    expect(test.cluster.topics.size).toBe(0);
    expect(await test.memory.get(keys.topic("t"))).toBeUndefined();
  });

  it("leave a note of their deletion until their data is gone", async () => {
    const first = await openTestCluster();
    await createTopic(first, "t", { partitionCount: 3 });
    const id = first.cluster.topics.byName("t")?.id;
    const gone = await first.cluster.deleteTopic("t");
    expect(gone).toMatchObject({ kind: "done", topic: { id } });
    expect(first.cluster.topics.byName("t")).toBeUndefined();
    const second = await restarted(first, 2);
    const deletions = await second.cluster.pendingDeletions();
    expect(deletions).toEqual([{ topicId: id, name: "t", partitionCount: 3 }]);
    if (deletions[0] !== undefined) await second.cluster.deletionDone(deletions[0].topicId);
    expect(await second.cluster.pendingDeletions()).toEqual([]);
  });

  it("are not deleted by an id that has passed to nobody", async () => {
    const test = await openTestCluster();
    await createTopic(test, "t");
    const old = test.cluster.topics.byName("t");
    await test.cluster.deleteTopic("t");
    await createTopic(test, "t");
    expect(test.cluster.topics.byName("t")?.id).not.toBe(old?.id);
    const outcome = await test.cluster.deleteTopic("t", old?.id);
    expect(outcome).toMatchObject({ kind: "refused", reason: "unknownTopic" });
    expect(test.cluster.topics.byName("t")).toBeDefined();
  });

  it("are created once by many that race for a name, or for names that collide", async () => {
    const test = await openTestCluster({ rates: { perThousand: {}, latencyMsMax: 5 } });
    const names = ["a.b", "a_b", "a.b", "a_b", "c"];
    const outcomes = await Promise.all(names.map((name) => createTopic(test, name)));
    const kinds = outcomes.map((o) => (o.kind === "refused" ? o.reason : o.kind));
    expect(kinds).toEqual(["done", "invalidName", "exists", "invalidName", "done"]);
  });

  it("are created once by two brokers that race, and both then know the winner's", async () => {
    const one = await openTestCluster({ rates: { perThousand: {}, latencyMsMax: 5 } });
    const two = await openTestCluster({ seed: 2, memory: one.memory });
    const outcomes = await Promise.all([createTopic(one, "t"), createTopic(two, "t")]);
    expect(outcomes.map((outcome) => outcome.kind).sort()).toEqual(["done", "refused"]);
    const ids = [one, two].map(({ cluster }) => cluster.topics.byName("t")?.id);
    expect(ids[0]).toBe(ids[1]);
  });

  it("keep both of two changes that were decided at the same time", async () => {
    const test = await openTestCluster({ rates: { perThousand: {}, latencyMsMax: 5 } });
    await createTopic(test, "t");
    const { cluster, clock } = test;
    const set = (name: string) => (before: ReadonlyMap<string, string>) =>
      ({ ok: true, configs: new Map([...before, [name, "5"]]) }) as const;
    const changes = [
      cluster.setTopicConfigs("t", set("retention.ms"), "perform"),
      cluster.setTopicConfigs("t", set("flush.ms"), "perform"),
      cluster.createPartitions("t", { partitionCount: 7, assignments: undefined }, "perform"),
    ];
    await settled(clock, Promise.all(changes));
    const topic = cluster.topics.byName("t");
    expect([...(topic?.configs.keys() ?? [])]).toEqual(["retention.ms", "flush.ms"]);
    expect(topic?.partitionCount).toBe(7);
  });

  it("do not pass the cluster's bound when many are created at once", async () => {
    const test = await openTestCluster({ rates: { perThousand: {}, latencyMsMax: 5 } });
    const creations = Array.from({ length: 12 }, (_, n) =>
      createTopic(test, `t${n}`, { partitionCount: 100_000 }),
    );
    const outcomes = await Promise.all(creations);
    expect(outcomes.filter((outcome) => outcome.kind === "done")).toHaveLength(10);
    expect(outcomes.at(-1)).toMatchObject({ kind: "refused", reason: "limitReached" });
  });

  it("of Kafka's own are made at first use, internal and compacted", async () => {
    const { cluster } = await openTestCluster();
    const made = await Promise.all([
      cluster.ensureInternalTopic("__consumer_offsets"),
      cluster.ensureInternalTopic("__consumer_offsets"),
    ]);
    expect(made[0]).toBe(made[1]);
    expect(made[0]).toMatchObject({ partitionCount: 50, isInternal: true });
    const topic = cluster.topics.byName("__consumer_offsets");
    if (topic === undefined) throw new Error("not made");
    expect(cluster.topicSettings(topic).cleanupPolicy).toEqual({ compact: true, delete: false });
  });

  it("come by being asked for, unless that is not wanted", async () => {
    const { cluster } = await openTestCluster({ configs: new Map([["num.partitions", "3"]]) });
    expect(await cluster.autoCreateTopic("t", { create: false })).toEqual({ kind: "absent" });
    const made = await cluster.autoCreateTopic("t", { create: true });
    expect(made).toMatchObject({ kind: "created", topic: { partitionCount: 3 } });
    expect((await cluster.autoCreateTopic("t", { create: false })).kind).toBe("exists");
    expect((await cluster.autoCreateTopic("a b", { create: true })).kind).toBe("invalidName");
    await cluster.autoCreateTopic("x.y", { create: true });
    expect((await cluster.autoCreateTopic("x_y", { create: true })).kind).toBe("invalidName");
  });
});
