import { type FeatureUpdate, type ItemValue, keys, slot, slotsOf } from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { FormerEyes } from "../../../test/fixtures/former-eyes.ts";
import { type MemberCluster, MemberClusters } from "../../../test/fixtures/member-clusters.ts";
import { openTestCluster, settled } from "../../../test/fixtures/test-cluster.ts";
import type { FeaturesOutcome } from "./cluster.ts";

const former = { min: 1, max: 1 };
const newer = { min: 1, max: 2 };
const name = "millrace.version";

let all: MemberClusters;

beforeEach(() => {
  all = new MemberClusters();
});

/** A broker of the version before: it cannot read what only a newer one writes. */
function joinOld(id: number): Promise<MemberCluster> {
  return all.join(id, undefined, { versions: former, seenBy: (store) => new FormerEyes(store) });
}

async function joinNew(id: number, versions = newer): Promise<MemberCluster> {
  const member = await all.join(id, undefined, { versions });
  const { membership } = member.cluster;
  // Stands for the opening and moving of slots: what is wished of it, it does.
  membership?.onLook(() => {
    for (const { slots, from, to } of membership.leadership.moves) {
      if (from === membership.incarnation) void membership.writeMoved(slots, to);
    }
  });
  return member;
}

function ask(
  { cluster }: MemberCluster,
  level: number,
  direction: FeatureUpdate["direction"] = "upgrade",
): Promise<FeaturesOutcome> {
  return all.settled(cluster.updateFeatures([{ feature: name, level, direction }], "perform"));
}

async function levelOf(): Promise<unknown> {
  return (await all.memory.get(keys.features))?.value[name];
}

/** The level whose form each assignment has; none when nobody leads anything. */
async function writtenForms(): Promise<readonly number[]> {
  const item = await all.memory.get(keys.leadership);
  const list = (item?.value["assignments"] ?? []) as readonly ItemValue[];
  return [...new Set(list.map((one) => ("slots" in one ? 2 : 1)))];
}

/** Lets time pass; at every moment leadership has the form of the finalised level. */
async function advance(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await all.advance(50);
    const forms = await writtenForms();
    if (forms.length > 0) expect(forms).toEqual([await levelOf()]);
  }
}

function led({ cluster }: MemberCluster): number {
  return slotsOf(cluster.membership?.leadership ?? fail(), cluster.incarnation).length;
}

/** As its operator does: it has released everything, and its journal is closed. */
async function end(member: MemberCluster): Promise<void> {
  const key = keys.incarnation(member.cluster.incarnation);
  const item = await all.memory.get(key);
  const value = { ...item?.value, state: "closed", end: 0 };
  await all.memory.transact([{ kind: "put", key, value }]);
  await all.settled(member.cluster.membership?.close() ?? fail());
}

describe("brokers of two versions", () => {
  it("write what the older reads, until it is gone and the level is raised", async () => {
    const old = await joinOld(1);
    const [b, c] = [await joinNew(2), await joinNew(3)];
    await advance(10_000);
    expect([old, b, c].map(led)).toEqual([4, 4, 4]);
    expect(await writtenForms()).toEqual([1]);
    expect(await ask(b, 2)).toEqual({
      ...{ kind: "refused", reason: "failed" },
      message: "millrace.version stays at 1: broker 1 (supports 1) cannot work under 2.",
    });
    await end(old);
    await advance(5_000);
    expect([b, c].map(led)).toEqual([6, 6]);
    const before = b.cluster.membership?.leadership ?? fail();
    expect(await ask(b, 2)).toEqual({ kind: "done" });
    expect([await levelOf(), await writtenForms()]).toEqual([2, [2]]);
    await advance(1_500);
    for (const { cluster, overs } of [b, c]) {
      expect(cluster.membership?.leadership.leaders).toEqual(before.leaders);
      expect(cluster.features).toMatchObject({ finalizedEpoch: 2 });
      expect(cluster.features.finalized).toEqual([
        { name, minVersionLevel: 2, maxVersionLevel: 2 },
      ]);
      expect(overs).toEqual([]);
    }
    const late = await joinNew(4);
    await advance(10_000);
    expect([b, c, late].map(led)).toEqual([4, 4, 4]);
  });

  it("count one that cannot read the level: it says so once, and leads nothing", async () => {
    const [a, b] = [await joinNew(1), await joinNew(2)];
    await advance(5_000);
    const old = await joinOld(3);
    await advance(5_000);
    standsStill(b);
    await advance(12_000);
    expect(led(a)).toBe(12);
    const leadership = a.cluster.membership?.leadership ?? fail();
    expect(slotsOf(leadership, old.cluster.incarnation)).toEqual([]);
    expect(leadership.moves).toEqual([]);
    expect(leadership.incarnations).toBe(3);
    expect(old.overs).toEqual([]);
    expect(old.logged.filter((line) => /takes no slot/.test(line))).toEqual([
      "this broker takes no slot: millrace.version is finalised at 2; this version supports 1",
    ]);
    expect(old.cluster.view.leaderOf(slot(3))).toBeUndefined();
    expect(old.cluster.view.leads(slot(3))).toBe(false);
    expect(old.cluster.features.finalized[0]?.maxVersionLevel).toBe(2);
    expect(await ask(old, 1, "downgrade")).toMatchObject({ reason: "failed" });
  });

  it("go on together once the level was lowered", async () => {
    const [a, b] = [await joinNew(1), await joinNew(2)];
    const old = await joinOld(3);
    await advance(5_000);
    expect(led(old)).toBe(0);
    const before = a.cluster.membership?.leadership ?? fail();
    expect(await ask(a, 1)).toMatchObject({ kind: "refused", reason: "invalid" });
    expect(await ask(a, 1, "downgrade")).toEqual({ kind: "done" });
    expect([await levelOf(), await writtenForms()]).toEqual([1, [1]]);
    expect(a.cluster.membership?.leadership.leaders).toEqual(before.leaders);
    await advance(20_000);
    const counts = [a, b].map(led);
    expect([...counts, led(old)]).toEqual([4, 4, 4]);
    expect(old.cluster.view.leaderOf(slot(3))).toEqual(a.cluster.view.leaderOf(slot(3)));
  });

  it("do not lower the level below what one of them can write", async () => {
    const [a] = [await joinNew(1), await joinNew(2, { min: 2, max: 3 })];
    await advance(3_000);
    expect(await ask(a, 1, "downgrade")).toMatchObject({
      ...{ kind: "refused", reason: "failed" },
      message: "millrace.version stays at 2: broker 2 (supports 2 to 3) cannot work under 1.",
    });
    expect(await levelOf()).toBe(2);
  });
});

describe("the level of a cluster", () => {
  it("is only judged, and not changed, when that is all that is asked", async () => {
    const old = await joinOld(1);
    const b = await joinNew(2);
    await advance(1_000);
    await end(old);
    const before = all.memory.items();
    const updates = [{ feature: name, level: 2, direction: "upgrade" }] as const;
    const check = all.settled(b.cluster.updateFeatures(updates, "check"));
    expect(await check).toEqual({ kind: "done" });
    expect(await levelOf()).toBe(1);
    expect(before.find(({ key }) => key === keys.features)?.version).toBe(1);
  });

  it("is that of who made the cluster, and reaches those who did not see it by their writes", async () => {
    const old = await joinOld(1);
    const [b, c] = [await joinNew(2), await joinNew(3)];
    await end(old);
    await advance(5_000);
    expect([b, c].map(led)).toEqual([6, 6]);
    const [first] = slotsOf(c.cluster.membership?.leadership ?? fail(), c.cluster.incarnation);
    const raised = b.cluster.updateFeatures(
      [{ feature: name, level: 2, direction: "upgrade" }],
      "perform",
    );
    expect(await all.settled(raised)).toEqual({ kind: "done" });
    expect(c.cluster.features.finalized[0]?.maxVersionLevel).toBe(1);
    const moved = c.cluster.membership?.writeMoved([first ?? slot(0)], b.cluster.incarnation);
    expect(await all.settled(moved ?? fail())).toBe("moved");
    expect([await levelOf(), await writtenForms()]).toEqual([2, [2]]);
    expect(c.cluster.features.finalized[0]?.maxVersionLevel).toBe(2);
  });

  it("is raised once by two who ask at once, and though replies are lost", async () => {
    const old = await joinOld(1);
    const [b, c] = [await joinNew(2), await joinNew(3)];
    await end(old);
    await advance(5_000);
    for (const { store } of [b, c]) store.rates = { perThousand: { replyLost: 400 } };
    const asked = [b, c].map((one) => ask(one, 2));
    expect(await Promise.all(asked)).toEqual([{ kind: "done" }, { kind: "done" }]);
    expect((await all.memory.get(keys.features))?.version).toBe(2);
  });

  it("is not known to be changed when the store does not answer", async () => {
    const a = await joinNew(1);
    a.store.rates = { perThousand: { throttled: 1000 } };
    expect(await ask(a, 1, "downgrade")).toEqual({ kind: "unavailable" });
    expect(await levelOf()).toBe(2);
  });
});

/** In one store, and moments after each other: the level is changed, and somebody joins. */
async function meet(
  seed: number,
  change: { readonly to: 1 | 2; readonly newcomer: () => Promise<MemberCluster> },
): Promise<{ readonly kind: string; readonly first: MemberCluster; readonly late: MemberCluster }> {
  all = new MemberClusters(seed);
  const gone = await (change.to === 2 ? joinOld(1) : joinNew(1));
  const first = await joinNew(2);
  await end(gone);
  await advance(2_000);
  const direction = change.to === 2 ? "upgrade" : "downgrade";
  const updates = [{ feature: name, level: change.to, direction }] as const;
  const changing = new Promise<FeaturesOutcome>((resolve) => {
    all.clock.after(10, () => resolve(first.cluster.updateFeatures(updates, "perform")));
  });
  const joining = new Promise<MemberCluster>((resolve) => {
    all.clock.after(seed % 27, () => resolve(change.newcomer()));
  });
  const [{ kind }, late] = await all.settled(Promise.all([changing, joining]));
  await advance(6_000);
  const isDone = kind === "done";
  expect(await levelOf()).toBe(isDone ? change.to : 3 - change.to);
  expect([first, late].flatMap(({ overs }) => overs)).toEqual([]);
  expect(first.cluster.membership?.leadership.incarnations).toBe(3);
  // It knew when it registered: later it would have to give up what it leads.
  const heartbeat = await all.memory.get(keys.heartbeat(late.cluster.incarnation));
  expect(heartbeat?.value["draining"]).toBeUndefined();
  return { kind, first, late };
}

describe("a broker that joins while the level is changed", () => {
  const seeds = Array.from({ length: 40 }, (_, number) => number);

  it.each([
    ["raised", "cannot write the new one", 2, () => joinOld(3)],
    ["lowered", "cannot write the former one", 1, () => joinNew(3, { min: 2, max: 2 })],
  ] as const)(
    "leads nothing, or hinders it: it is %s, and the newcomer %s",
    async (_, __, to, newcomer) => {
      const outcomes = new Set<string>();
      for (const seed of seeds) {
        const { kind, first, late } = await meet(seed, { to, newcomer });
        outcomes.add(kind);
        expect([first, late].map(led)).toEqual(kind === "done" ? [12, 0] : [6, 6]);
      }
      expect([...outcomes].toSorted()).toEqual(["done", "refused"]);
    },
  );

  it.each([1, 2] as const)("writes what the others write, at level %i", async (to) => {
    for (const seed of seeds) {
      const { kind, first, late } = await meet(seed, { to, newcomer: () => joinNew(3) });
      expect(kind).toBe("done");
      expect([first, late].map(led)).toEqual([6, 6]);
      for (const { cluster } of [first, late]) {
        expect(cluster.features.finalized[0]?.maxVersionLevel).toBe(to);
      }
    }
  });
});

describe("leadership that is damaged", () => {
  const damaged = { epoch: 5, incarnations: 7, assignments: [{ slots: "5,4" }] };

  async function damage(): Promise<void> {
    await all.memory.transact([
      { kind: "put", key: keys.leadership, value: damaged },
      { kind: "put", key: keys.version, value: {} },
    ]);
  }

  it("ends who leads by it, and nothing is put in its place", async () => {
    const [a, b] = [await joinNew(1), await joinNew(2)];
    await advance(5_000);
    await damage();
    await all.advance(10_000);
    for (const { cluster, overs } of [a, b]) {
      expect(overs).toMatchObject([
        { message: expect.stringMatching(/leadership cannot be read/) },
      ]);
      expect(cluster.membership?.isRunning).toBe(false);
    }
    expect((await all.memory.get(keys.leadership))?.value).toEqual(damaged);
  });

  it("is not joined by a version that should be able to read it", async () => {
    await joinNew(1);
    await damage();
    await expect(joinNew(2)).rejects.toThrow(/leadership cannot be read/);
    expect((await all.memory.get(keys.leadership))?.value).toEqual(damaged);
  });
});

describe("a broker that is alone", () => {
  it("goes on at the level of its data directory until it is told to raise it", async () => {
    const { memory } = await openTestCluster({ versions: former });
    const next = await openTestCluster({ memory, seed: 2, versions: newer });
    const written = async (): Promise<unknown> =>
      (await memory.get(keys.leadership))?.value["assignments"];
    expect(await written()).toMatchObject([{ firstSlot: 0, lastSlot: 1023, epoch: 2 }]);
    const back = await openTestCluster({ memory, seed: 3, versions: former });
    expect(back.cluster.epoch).toBe(3);
    const again = await openTestCluster({ memory, seed: 4, versions: newer });
    const updates = [{ feature: name, level: 2, direction: "upgrade" }] as const;
    const raising = again.cluster.updateFeatures(updates, "perform");
    expect(await settled(again.clock, raising)).toEqual({ kind: "done" });
    expect(await written()).toMatchObject([{ slots: "0-1023", epoch: 4 }]);
    const refused = openTestCluster({ memory, versions: former });
    await expect(refused).rejects.toThrow(/finalised at 2; this version supports 1$/);
    expect(next.cluster.features.finalized[0]?.maxVersionLevel).toBe(1);
    const last = await openTestCluster({ memory, seed: 5 });
    expect(last.cluster.epoch).toBe(5);
  });

  it("lowers it again, however many slots there are", async () => {
    const { cluster, clock, memory } = await openTestCluster({ slots: 65_536 });
    const updates = [{ feature: name, level: 1, direction: "downgrade" }] as const;
    const lowering = cluster.updateFeatures(updates, "perform");
    expect(await settled(clock, lowering)).toEqual({ kind: "done" });
    const back = await openTestCluster({ memory, seed: 2, versions: former });
    expect(back.cluster.epoch).toBe(2);
  });
});

function standsStill(member: MemberCluster): void {
  member.store.rates = { perThousand: { throttled: 1000 } };
}

function fail(): never {
  throw new Error("it is a member");
}
