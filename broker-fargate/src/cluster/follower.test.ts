import { MemoryMetadataStore, SeededRandom } from "@millrace/adapter-memory";
import {
  Catalog,
  type ConfigChange,
  type KeyRange,
  keys,
  type TopicId,
  topicId,
  type Write,
} from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { type MemberCluster, MemberClusters } from "../../../test/fixtures/member-clusters.ts";
import { createTopic } from "../../../test/fixtures/test-cluster.ts";
import { Follower } from "./follower.ts";
import { confirmedMissesMax, followedTopicsInFlightMax, haveSeenMsMax } from "./limits.ts";

let all: MemberClusters;
let a: MemberCluster;
let b: MemberCluster;

beforeEach(async () => {
  all = new MemberClusters();
  a = await all.join(1);
  b = await all.join(2);
  await all.advance(10_000);
});

const make = (at: MemberCluster, name: string): ReturnType<typeof createTopic> =>
  createTopic({ clock: all.clock, cluster: at.cluster }, name);

const flush = (ms: string) => (): ConfigChange => {
  return { ok: true, configs: new Map([["flush.ms", ms]]) };
};

describe("a member follows what the others change", () => {
  it("tells of each change of a topic once, in order, and of its own not again", async () => {
    await make(a, "t");
    await all.advance(600);
    expect(b.told).toEqual(["created t"]);
    await all.settled(a.cluster.setTopicConfigs("t", flush("5"), "perform"));
    await all.advance(600);
    expect(b.cluster.topics.byName("t")).toEqual(a.cluster.topics.byName("t"));
    await all.settled(b.cluster.deleteTopic("t"));
    await all.advance(600);
    expect(a.told).toEqual(["created t", "changed t", "deleted t"]);
    expect(b.told).toEqual(a.told);
    expect(a.cluster.topics.size).toBe(0);
  });

  it("reads only what changed when it sees every step, and everything when it does not", async () => {
    await make(a, "t");
    b.reads.length = 0;
    await all.advance(600);
    expect(b.reads).toContain(keys.topic("t"));
    expect(b.reads).not.toContain("topic/");
    b.reads.length = 0;
    for (const name of ["u", "v", "w"]) await make(a, name);
    await all.settled(a.cluster.deleteTopic("t"));
    await all.advance(600);
    expect(b.reads).toContain("topic/");
    expect(b.told.toSorted()).toEqual(
      ["created t", "created u", "created v", "created w", "deleted t"].toSorted(),
    );
    b.reads.length = 0;
    await all.advance(5_000);
    expect(b.reads.filter((key) => key.startsWith("topic"))).toEqual([]);
  });

  it("reads no more than 16 topics at a time", async () => {
    let inFlight = 0;
    let most = 0;
    const get = b.store.get.bind(b.store);
    b.store.get = async (key, consistency) => {
      if (!key.startsWith("topic/")) return get(key, consistency);
      inFlight += 1;
      most = Math.max(most, inFlight);
      const item = await get(key, consistency);
      inFlight -= 1;
      return item;
    };
    await Promise.all(Array.from({ length: 60 }, (_, n) => make(a, `t${n}`)));
    await all.advance(2_000);
    expect(b.cluster.topics.size).toBe(60);
    expect(most).toBe(followedTopicsInFlightMax);
  });

  it("tells that a topic was deleted and another made under its name", async () => {
    const first = await make(a, "t");
    await all.advance(600);
    await all.settled(a.cluster.deleteTopic("t"));
    const second = await make(a, "t");
    await all.advance(600);
    expect(b.told).toEqual(["created t", "deleted t", "created t"]);
    const ids = [first, second].map((outcome) => "topic" in outcome && outcome.topic.id);
    expect(new Set(ids).size).toBe(2);
    expect(b.cluster.topics.byName("t")?.id).toBe(ids[1]);
  });

  it("takes over configs of all brokers, and those of its own broker from elsewhere", async () => {
    let changes = 0;
    b.cluster.onConfigChange(() => {
      changes += 1;
    });
    const change = (): ConfigChange => {
      return { ok: true, configs: new Map([["log.retention.ms", "1234"]]) };
    };
    await all.settled(a.cluster.setBrokerConfigs("cluster", change, "perform"));
    await all.advance(600);
    expect(b.cluster.layers.cluster.get("log.retention.ms")).toBe("1234");
    expect(changes).toBe(1);
    await all.settled(b.cluster.setBrokerConfigs("cluster", change, "perform"));
    await all.advance(2_000);
    expect(changes).toBe(2);
  });

  it("goes on where it stopped when the store failed in between", async () => {
    await make(a, "t");
    b.store.rates = { perThousand: { throttled: 700 }, latencyMsMax: 4 };
    for (const name of ["u", "v"]) await make(a, name);
    await all.advance(1_000);
    b.store.rates = { perThousand: {}, latencyMsMax: 4 };
    await all.advance(4_000);
    expect(b.cluster.topics.list()).toEqual(a.cluster.topics.list());
    expect(b.told.toSorted()).toEqual(["created t", "created u", "created v"]);
  });
});

describe("a member's miss", () => {
  it("is decided by one strong read that all who ask share, by name and by id", async () => {
    const outcome = await make(a, "t");
    const id: TopicId = "topic" in outcome ? outcome.topic.id : topicId("1".repeat(32));
    b.reads.length = 0;
    const asked = [{ name: "t" }, { id }, { name: "absent" }, { id: topicId("2".repeat(32)) }];
    const found = await all.settled(Promise.all(asked.map((one) => b.cluster.confirmMissing(one))));
    expect(found.map((topic) => topic?.name)).toEqual(["t", "t", undefined, undefined]);
    expect(b.reads.filter((key) => key === keys.version)).toHaveLength(1);
    expect(b.told).toEqual(["created t"]);
  });

  it("is answered from memory until the version moves", async () => {
    await all.settled(b.cluster.confirmMissing({ name: "t" }));
    b.reads.length = 0;
    await all.settled(b.cluster.confirmMissing({ name: "t" }));
    await all.settled(b.cluster.confirmMissing({ name: "not a name" }));
    expect(b.reads).toEqual([]);
    await make(a, "u");
    await all.advance(600);
    b.reads.length = 0;
    expect(await all.settled(b.cluster.confirmMissing({ name: "t" }))).toBeUndefined();
    expect(b.reads.filter((key) => key === keys.version)).toHaveLength(1);
    await make(a, "t");
    await all.advance(600);
    expect((await all.settled(b.cluster.confirmMissing({ name: "t" })))?.name).toBe("t");
  });

  it("is forgotten with all others when there are too many of them", async () => {
    const { follower, reads } = ownFollower();
    for (let n = 0; n <= confirmedMissesMax; n += 1) {
      await follower.confirmMissing({ name: `t${n}` });
    }
    expect(follower.confirmedMisses).toBe(1);
    const before = reads();
    await follower.confirmMissing({ name: `t${confirmedMissesMax}` });
    expect(reads()).toBe(before);
    await follower.confirmMissing({ name: "t0" });
    expect(reads()).toBe(before + 1);
  });

  it("is not an answer while the store is away", async () => {
    b.store.rates = { perThousand: { throttled: 1000 } };
    await expect(all.settled(b.cluster.confirmMissing({ name: "t" }))).rejects.toThrow(/throttled/);
  });
});

/** Over a store where nothing changes. */
function ownFollower(): { readonly follower: Follower; readonly reads: () => number } {
  const store = new MemoryMetadataStore();
  let reads = 0;
  const counted = {
    get: (key: string) => {
      reads += 1;
      return store.get(key);
    },
    range: (range: KeyRange) => store.range(range),
    transact: (writes: readonly Write[]) => store.transact(writes),
    close: () => store.close(),
  };
  const nothing = (): Promise<void> => Promise.resolve();
  const follower = new Follower({
    ...{ store: counted, clock: all.clock, random: new SeededRandom(1), version: 0 },
    ...{ catalog: new Catalog(), topics: { follow: nothing }, followFeatures: nothing },
    configs: { follow: nothing, key: () => "" },
    users: { follow: nothing, followAll: nothing },
  });
  return { follower, reads: () => reads };
}

describe("a change by one of several brokers", () => {
  it("is decided on what the others have done a moment ago", async () => {
    await make(a, "t");
    expect(await make(b, "t")).toMatchObject({ kind: "refused", reason: "exists" });
    await all.settled(a.cluster.deleteTopic("t"));
    expect(await all.settled(b.cluster.deleteTopic("t"))).toMatchObject({
      kind: "refused",
      reason: "unknownTopic",
    });
    expect((await make(b, "t")).kind).toBe("done");
  });

  it("makes a deleted name again only when every live broker knows of the deletion", async () => {
    await make(a, "t");
    await all.advance(2_000);
    await all.settled(a.cluster.deleteTopic("t"));
    const startMs = all.clock.monotonicMs();
    expect(b.cluster.topics.byName("t")).toBeDefined();
    expect((await make(a, "t")).kind).toBe("done");
    const tookMs = all.clock.monotonicMs() - startMs;
    expect(tookMs).toBeGreaterThan(20);
    expect(tookMs).toBeLessThan(haveSeenMsMax);
    expect(b.told).toEqual(["created t", "deleted t"]);
    const otherMs = all.clock.monotonicMs();
    await make(a, "u");
    expect(all.clock.monotonicMs() - otherMs).toBeLessThan(50);
  });

  it("never passes for one of another topic that got the name since", async () => {
    await make(a, "t");
    await all.advance(2_000);
    const former = b.cluster.topics.byName("t")?.id;
    const transact = b.store.transact.bind(b.store);
    b.store.transact = async (writes) => {
      if (writes.some(({ key }) => key === keys.topic("t"))) {
        b.store.transact = transact;
        await a.cluster.deleteTopic("t");
        await a.cluster.autoCreateTopic("t", { create: true });
      }
      return transact(writes);
    };
    const change = b.cluster.setTopicConfigs("t", flush("5"), "perform");
    expect((await all.settled(change)).kind).toBe("done");
    await all.advance(2_000);
    for (const { cluster } of [a, b]) {
      const topic = cluster.topics.byName("t");
      expect(topic?.id).not.toBe(former);
      expect(topic?.configs.get("flush.ms")).toBe("5");
    }
    expect(b.told).toEqual(["created t", "deleted t", "created t", "changed t"]);
    expect(await all.settled(b.cluster.pendingDeletions())).toHaveLength(1);
  });

  it("is not deleted by a former one's deletion that another broker gave up", async () => {
    await make(a, "t");
    await all.advance(2_000);
    const id = a.cluster.topics.byName("t")?.id ?? topicId("1".repeat(32));
    b.store.rates = { perThousand: {}, lateMsMax: 30_000 };
    const transact = b.store.transact.bind(b.store);
    // It can't settle, and goes on to heartbeat.
    b.store.transact = (writes) => {
      const isHeartbeat = writes.every(({ key }) => key.startsWith("heartbeat/"));
      if (!isHeartbeat) b.store.plan("lateEffect");
      return transact(writes);
    };
    const lost = await all.settled(b.cluster.deleteTopic("t"));
    expect(lost.kind).toBe("unavailable");
    const isHere = (await all.memory.get(keys.topic("t"))) !== undefined;
    if (isHere) await all.settled(a.cluster.deleteTopic("t"));
    const forgotten = a.cluster.deletionDone(id);
    await expect(all.settled(forgotten)).rejects.toMatchObject({ retriable: true, applied: "no" });
    expect(await all.memory.get(keys.deletion(id))).toBeDefined();
    b.store.transact = transact;
    await make(a, "t");
    const namesake = a.cluster.topics.byName("t")?.id;
    await all.advance(40_000);
    expect((await all.memory.get(keys.topic("t")))?.value["id"]).toBe(namesake);
    await all.settled(a.cluster.deletionDone(id));
    expect(await all.memory.get(keys.deletion(id))).toBeUndefined();
  });

  it("keeps the note of a deletion until every live broker knows of it", async () => {
    await make(a, "t");
    await all.advance(2_000);
    const id = a.cluster.topics.byName("t")?.id ?? topicId("1".repeat(32));
    await all.settled(a.cluster.deleteTopic("t"));
    const forgetting = a.cluster.deletionDone(id);
    await all.advance(20);
    expect(await all.memory.get(keys.deletion(id))).toBeDefined();
    await all.settled(forgetting);
    expect(await all.memory.get(keys.deletion(id))).toBeUndefined();
    expect(b.cluster.topics.size).toBe(0);
  });
});
