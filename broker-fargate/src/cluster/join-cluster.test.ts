import { keys, leaderOf, MetadataError, type Slot, slot, slotsOf } from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { type MemberCluster, MemberClusters } from "../../../test/fixtures/member-clusters.ts";
import { createTopic } from "../../../test/fixtures/test-cluster.ts";
import { FormatError } from "./format-error.ts";
import { ReplacedError } from "./replaced.ts";

let all: MemberClusters;

beforeEach(() => {
  all = new MemberClusters();
});

async function three(): Promise<readonly [MemberCluster, MemberCluster, MemberCluster]> {
  const members = [await all.join(1), await all.join(2), await all.join(3)] as const;
  await all.advance(10_000);
  return members;
}

const own = { name: "PLAINTEXT", host: "as-asked", port: 1 };

function slotOf(member: MemberCluster): Slot {
  const { membership } = member.cluster;
  const led =
    membership === undefined ? [] : slotsOf(membership.leadership, membership.incarnation);
  return led[0] ?? slot(0);
}

describe("a cluster that is joined", () => {
  it("is one cluster for all, of as many slots as the first one made it", async () => {
    const [a, b, c] = await three();
    expect(new Set([a, b, c].map(({ cluster }) => cluster.clusterId)).size).toBe(1);
    expect([a, b, c].map(({ cluster }) => cluster.slots)).toEqual([12, 12, 12]);
    expect(new Set([a, b, c].map(({ cluster }) => cluster.incarnation)).size).toBe(3);
    expect(a.cluster.features.finalized).toHaveLength(1);
  });

  it("is not joined where its format is newer", async () => {
    await all.memory.transact([{ kind: "put", key: keys.format, value: { version: 2 } }]);
    await expect(all.join(1)).rejects.toThrow(FormatError);
    expect(all.memory.items().map(({ key }) => key)).toEqual([keys.format]);
  });

  it("waits for a store that does not answer, and is joined once", async () => {
    const rates = { perThousand: { throttled: 850, replyLost: 50 }, latencyMsMax: 20 };
    const late = await all.join(1, rates);
    late.store.rates = { perThousand: {} };
    await all.advance(20_000);
    expect(late.overs).toEqual([]);
    expect(late.cluster.view.endpoints(own)).toHaveLength(1);
    expect(late.cluster.view.leads(slot(3))).toBe(true);
    expect(late.logged.join()).toMatch(/the start waits for it/);
  });

  it("gives no slot to a broker that cannot work under the finalised version, and says so", async () => {
    await all.join(1);
    await finalise(9);
    const late = await all.join(2);
    await all.advance(20_000);
    expect(late.logged.filter((line) => /takes no slot.*finalised at 9/.test(line))).toHaveLength(
      1,
    );
    expect(late.cluster.features.supported).toHaveLength(1);
    expect(
      slotsOf(late.cluster.membership?.leadership ?? fail(), late.cluster.incarnation),
    ).toEqual([]);
  });

  it("loses a broker's slots when a version is finalised that it cannot work under", async () => {
    const [a] = await three();
    await finalise(9);
    await all.advance(1_500);
    const item = await all.memory.get(keys.heartbeat(a.cluster.incarnation));
    expect(item?.value["draining"]).toBe(true);
    expect(a.cluster.features.finalized).toMatchObject([{ maxVersionLevel: 9 }]);
  });

  it("is left to the newer of two processes with one broker id, whose slots it has", async () => {
    const [older, , other] = await three();
    const newer = await all.join(1);
    await all.advance(2_000);
    expect(older.overs.map(({ reason }) => reason)).toEqual(["replaced"]);
    // Its next life would take the slots back, and the newer process's next life again, for ever.
    const { incarnation: former } = older.cluster;
    await expect(all.join(1, undefined, { former })).rejects.toThrow(ReplacedError);
    expect(newer.overs).toEqual([]);
    expect(newer.cluster.view.leads(slotOf(newer))).toBe(true);
    // Who was only taken for dead begins anew.
    await all.join(3, undefined, { former: other.cluster.incarnation });
  });

  it("opens no slot before somebody opens them, and then through whom it was given", async () => {
    const { cluster } = await all.join(1);
    await expect(cluster.openSlot(slot(0))).rejects.toThrow(/no slot can be opened/);
    expect(cluster.findOpenSlot(slot(0))).toBeUndefined();
    const open = { epoch: cluster.epoch };
    cluster.useOpener({
      find: () => open,
      open: () => Promise.resolve(open),
      dropSources: () => Promise.resolve(true),
    });
    expect(await cluster.openSlot(slot(0))).toBe(open);
    expect(cluster.findOpenSlot(slot(0))).toBe(open);
    expect(await cluster.dropSources(slot(0))).toBe(true);
  });

  it("has producer ids that no two brokers give", async () => {
    const [a, b] = await three();
    const given = await all.settled(
      Promise.all([a, b, a, b].map(({ cluster }) => cluster.allocateProducerId())),
    );
    expect(new Set(given).size).toBe(4);
  });
});

describe("a member's view of its cluster", () => {
  it("says who leads what, to all the same, and who the controller is", async () => {
    const [a, b, c] = await three();
    for (const { cluster } of [a, b, c]) {
      expect(cluster.view.controllerId).toBe(1);
      expect(cluster.view.hasEvidence).toBe(true);
      for (let number = 0; number < 12; number += 1) {
        const leader = cluster.view.leaderOf(slot(number));
        expect(leader).toEqual(a.cluster.view.leaderOf(slot(number)));
        expect(cluster.view.leads(slot(number))).toBe(leader?.brokerId === cluster.brokerId);
      }
    }
  });

  it("tells where brokers are reached by the listener that was asked, its own as asked", async () => {
    const [a] = await three();
    expect(a.cluster.view.endpoints(own)).toEqual([
      { brokerId: 1, host: "as-asked", port: 1, rack: "rack-1" },
      { brokerId: 2, host: "host-2", port: 9002, rack: "rack-2" },
      { brokerId: 3, host: "host-3", port: 9003, rack: "rack-3" },
    ]);
    const external = a.cluster.view.endpoints({ ...own, name: "EXTERNAL" });
    expect(external.map(({ host }) => host)).toEqual(["as-asked", "public-3"]);
  });

  it("shows as many replicas as there are brokers, the leader first, others in turn", async () => {
    const [{ cluster }] = await three();
    const seconds = new Set<number | undefined>();
    for (let number = 0; number < 12; number += 1) {
      const replicas = cluster.view.replicasOf(slot(number), 5);
      expect(replicas[0]).toBe(cluster.view.leaderOf(slot(number))?.brokerId);
      expect(replicas.toSorted()).toEqual([1, 2, 3]);
      expect(cluster.view.replicasOf(slot(number), 1)).toEqual(replicas.slice(0, 1));
      seconds.add(replicas[1]);
    }
    expect(seconds.size).toBe(3);
  });

  it("leaves out a broker that stands still, before and after its slots are given to others", async () => {
    const [a, b, c] = await three();
    const lost = slotOf(c);
    let changes = 0;
    const stop = a.cluster.view.onViewChange(() => {
      changes += 1;
    });
    const before = a.cluster.view.viewVersion;
    c.store.rates = { perThousand: { throttled: 1000 } };
    await all.advance(4_000);
    expect(a.cluster.view.endpoints(own).map(({ brokerId }) => brokerId)).toEqual([1, 2]);
    expect([1, 2]).toContain(a.cluster.view.leaderOf(lost)?.brokerId);
    expect(b.cluster.view.leaderOf(lost)).toEqual(a.cluster.view.leaderOf(lost));
    expect(a.cluster.view.replicasOf(lost, 3)).toHaveLength(2);
    expect(a.cluster.view.viewVersion).toBeGreaterThan(before);
    expect(changes).toBeGreaterThan(0);
    stop();
    expect(c.cluster.view.hasEvidence).toBe(false);
    expect(c.cluster.view.leads(lost)).toBe(true);
    c.store.rates = { perThousand: {} };
    const told: boolean[] = [];
    c.cluster.view.onViewChange(() => told.push(c.cluster.view.leads(lost)));
    await all.advance(2_000);
    expect(c.overs.map(({ reason }) => reason)).toEqual(["slotsTaken"]);
    expect(told.at(-1)).toBe(false);
    expect(c.cluster.view.leaderOf(lost)?.incarnation).not.toBe(c.cluster.incarnation);
  });

  it("has no leader to show for a slot whose leader stands still and is not replaced yet", async () => {
    const [a, b, c] = await three();
    const lost = slotOf(c);
    for (const { store } of [a, b]) {
      const transact = store.transact.bind(store);
      store.transact = (writes) => {
        const isLeadership = writes.some(({ key }) => key === keys.leadership);
        return isLeadership ? Promise.reject(unanswered) : transact(writes);
      };
    }
    c.store.rates = { perThousand: { throttled: 1000 } };
    await all.advance(4_000);
    expect(a.cluster.view.leaderOf(lost)).toBeUndefined();
    expect(a.cluster.view.replicasOf(lost, 3).toSorted()).toEqual([1, 2]);
    const own = slotOf(a);
    expect(a.cluster.view.leaderOf(own)?.brokerId).toBe(1);
  });

  it("has a version that rises for leaders and live brokers only", async () => {
    const [a] = await three();
    const before = a.cluster.view.viewVersion;
    await createTopic({ clock: all.clock, cluster: a.cluster }, "t");
    await all.advance(10_000);
    expect(a.cluster.view.viewVersion).toBe(before);
  });

  it("confirms a slot by a read of its head that begins after the call, shared by all who wait", async () => {
    const [a] = await three();
    const mine = slotOf(a);
    const key = keys.head(mine);
    const ask = (): Promise<boolean> => a.cluster.view.isStillOurs(mine);
    expect(await all.settled(ask())).toBe(false);
    const epoch = leaderOf(a.cluster.membership?.leadership ?? fail(), mine)?.epoch ?? 0;
    const value = { owner: a.cluster.incarnation, epoch, sources: [] };
    await all.memory.transact([{ kind: "put", key, value }]);
    a.reads.length = 0;
    const answers = [ask(), ask()];
    await Promise.resolve();
    await Promise.resolve();
    answers.push(ask(), ask());
    expect(await all.settled(Promise.all(answers))).toEqual([true, true, true, true]);
    expect(a.reads.filter((read) => read === key)).toHaveLength(2);
    await all.memory.transact([{ kind: "put", key, value: { ...value, owner: null } }]);
    expect(await all.settled(ask())).toBe(false);
    a.store.rates = { perThousand: { throttled: 1000 } };
    await expect(all.settled(ask())).rejects.toThrow(/throttled/);
  });
});

const unanswered = new MetadataError("no answer", { retriable: true, applied: "no" });

async function finalise(level: number): Promise<void> {
  await all.memory.transact([
    { kind: "put", key: keys.features, value: { "millrace.version": level } },
    { kind: "put", key: keys.version, value: { changed: [keys.features] } },
  ]);
}

function fail(): never {
  throw new Error("it is a member");
}
