import type { MetadataFault, VirtualClock } from "@millrace/adapter-memory";
import { keys, topicId } from "@millrace/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TopicOutcome } from "./cluster.ts";
import {
  createTopic,
  openTestCluster,
  settled,
  type TestCluster,
} from "../../../test/fixtures/test-cluster.ts";

type Change = "create" | "grow" | "configure" | "remove";

const names = ["a", "b", "a.b", "a_b"] as const;
const steps = fc.array(
  fc.record({
    change: fc.constantFrom<Change>("create", "create", "grow", "configure", "remove"),
    name: fc.constantFrom(...names),
  }),
  { minLength: 1, maxLength: 25 },
);

async function perform(test: TestCluster, change: Change, name: string): Promise<TopicOutcome> {
  const { cluster, clock } = test;
  const present = cluster.topics.byName(name)?.partitionCount ?? 0;
  switch (change) {
    case "create":
      return createTopic(test, name);
    case "grow": {
      const request = { partitionCount: present + 1, assignments: undefined };
      return settled(clock, cluster.createPartitions(name, request, "perform"));
    }
    case "configure": {
      const bump = (before: ReadonlyMap<string, string>) => {
        const n = Number(before.get("flush.ms") ?? 0) + 1;
        return { ok: true, configs: new Map([["flush.ms", `${n}`]]) } as const;
      };
      return settled(clock, cluster.setTopicConfigs(name, bump, "perform"));
    }
    case "remove":
      return settled(clock, cluster.deleteTopic(name));
  }
}

/** What must be there: by name, how often the item was written, and what it says. */
interface Expected {
  writes: number;
  partitions: number;
  flushMs: number;
}

function expectDone(model: Map<string, Expected>, change: Change, name: string): void {
  const before = model.get(name);
  if (change === "create") {
    expect(before).toBeUndefined();
    model.set(name, { writes: 1, partitions: 1, flushMs: 0 });
    return;
  }
  if (before === undefined) throw new Error(`${change} of an absent topic succeeded`);
  if (change === "remove") model.delete(name);
  else before.writes += 1;
  if (change === "grow") before.partitions += 1;
  if (change === "configure") before.flushMs += 1;
}

/** Memory, the store, and a broker that starts afresh all say what the model says. */
async function expectAgreement(test: TestCluster, model: Map<string, Expected>): Promise<void> {
  const fresh = await openTestCluster({ seed: 99, memory: test.memory.reopen() });
  for (const name of names) {
    const expected = model.get(name);
    const topic = test.cluster.topics.byName(name);
    expect(fresh.cluster.topics.byName(name)).toEqual(topic);
    expect(topic?.partitionCount).toBe(expected?.partitions);
    expect(Number(topic?.configs.get("flush.ms") ?? 0)).toBe(expected?.flushMs ?? 0);
    expect((await test.memory.get(keys.topic(name)))?.version).toBe(expected?.writes);
  }
}

describe("changes of topics, when the store fails", () => {
  it.each<MetadataFault>(["replyLost", "requestLost", "throttled", "conflict"])(
    "take effect exactly once after %s",
    async (fault) => {
      const test = await openTestCluster();
      const model = new Map<string, Expected>();
      for (const change of ["create", "grow", "configure", "remove"] as const) {
        test.store.plan(fault, fault);
        expect((await perform(test, change, "a")).kind, change).toBe("done");
        expectDone(model, change, "a");
        await expectAgreement(test, model);
      }
      expect(test.store.counts[fault]).toBe(8);
      expect(await test.cluster.pendingDeletions()).toHaveLength(1);
    },
  );

  it("take effect exactly once, whatever mix of faults meets them", async () => {
    const perThousand = { throttled: 60, conflict: 60, requestLost: 60, replyLost: 120 };
    const hit = { done: 0, faults: 0 };
    const property = fc.asyncProperty(steps, fc.nat(), async (all, seed) => {
      const test = await openTestCluster({ seed });
      // An opening that meets one fault after another gives up, as it should.
      test.store.rates = { perThousand, latencyMsMax: 3 };
      const model = new Map<string, Expected>();
      for (const { change, name } of all) {
        const outcome = await perform(test, change, name);
        if (outcome.kind === "unavailable") return fc.pre(false);
        if (outcome.kind !== "done") continue;
        hit.done += 1;
        expectDone(model, change, name);
      }
      hit.faults += test.store.counts.replyLost;
      await expectAgreement(test, model);
    });
    await fc.assert(property, { numRuns: 60 });
    expect(hit.done).toBeGreaterThan(50);
    expect(hit.faults).toBeGreaterThan(20);
  });

  it("of unknown outcome are followed up until memory says what the store says", async () => {
    const test = await openTestCluster();
    const { store, cluster, clock, memory } = test;
    expect((await createTopic(test, "b")).kind).toBe("done");
    store.plan("replyLost");
    const rates = store.rates;
    store.rates = { perThousand: { throttled: 1000 } };
    const outcome = await createTopic(test, "a");
    expect(outcome).toMatchObject({ kind: "unavailable", error: { applied: "maybe" } });
    expect(await memory.get(keys.topic("a"))).toBeDefined();
    expect(cluster.topics.byName("a")).toBeUndefined();
    store.rates = rates;
    const seen: string[] = [];
    cluster.onTopicChange((change) => seen.push(`${change.kind} ${change.topic.name}`));
    await drained(clock);
    expect(seen).toEqual(["created a"]);
    expect((await createTopic(test, "a")).kind).toBe("refused");
  });

  it("are not made late, after others of the same name", async () => {
    const test = await openTestCluster();
    const { store, cluster, clock, memory } = test;
    store.plan("lateEffect", "none");
    expect((await createTopic(test, "a")).kind).toBe("done");
    store.plan("lateEffect", "none");
    const former = cluster.topics.byName("a")?.id ?? topicId("1".repeat(32));
    expect((await settled(clock, cluster.deleteTopic("a"))).kind).toBe("done");
    await settled(clock, cluster.deletionDone(former));
    // Of the same version as the former one.
    expect((await createTopic(test, "a")).kind).toBe("done");
    const id = cluster.topics.byName("a")?.id;
    clock.advance(60_000);
    await drained(clock);
    expect(store.counts.lateEffect).toBe(2);
    expect((await memory.get(keys.topic("a")))?.value["id"]).toBe(id);
    expect(await memory.get(keys.deletion(former))).toBeUndefined();
  });

  it("are refused without a trace when the store was never reached", async () => {
    const test = await openTestCluster();
    test.store.rates = { perThousand: { throttled: 1000 } };
    const outcome = await createTopic(test, "a");
    expect(outcome).toMatchObject({ kind: "unavailable", error: { applied: "no" } });
    expect(test.clock.pendingTimers).toBe(0);
    test.store.rates = { perThousand: {} };
    expect((await createTopic(test, "a")).kind).toBe("done");
  });
});

/** Lets everything happen that is still to happen. */
async function drained(clock: VirtualClock): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!clock.fireNext()) return;
  }
}
