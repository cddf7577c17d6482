import { SeededRandom } from "@millrace/adapter-memory";
import { keys, slotsOf } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { haveSeenMsMax, startLooksForMs } from "./limits.ts";
import { settled } from "../../../test/fixtures/test-cluster.ts";
import { type KitBroker, kitSlots, MembershipKit } from "../../../test/fixtures/membership-kit.ts";

async function three(kit: MembershipKit): Promise<readonly [KitBroker, KitBroker, KitBroker]> {
  const brokers = [await kit.join(1), await kit.join(2), await kit.join(3)] as const;
  await kit.advance(12_000);
  return brokers;
}

const spreadOf = (counts: readonly number[]): number => Math.max(...counts) - Math.min(...counts);

describe("members of a cluster", () => {
  it("share a new cluster's slots evenly, a moment after they start together", async () => {
    const kit = new MembershipKit();
    const brokers = [await kit.join(1), await kit.join(2), await kit.join(3)];
    const tookMs = await kit.until(() => kit.isEverySlotLedBy(brokers));
    expect(tookMs).toBeLessThan(2_000);
    expect(spreadOf(kit.counts())).toBeLessThanOrEqual(1);
    expect(kit.leadership.controller).toBe(brokers[0]?.incarnation);
    await kit.advance(20_000);
    for (const { membership, over } of brokers) {
      expect(over).toBeUndefined();
      expect(membership.live.map((one) => one.brokerId)).toEqual([1, 2, 3]);
      expect(membership.hasEvidence).toBe(true);
      expect(membership.leadership).toEqual(kit.leadership);
    }
  });

  it("each have their own slots back when all of them end and start again, one a little later", async () => {
    const kit = new MembershipKit();
    const before = await three(kit);
    for (const broker of before) {
      await settled(kit.clock, broker.membership.close());
      await kit.closeItem(broker.incarnation);
      kit.forget(broker);
    }
    const had = kit.leadership.leaders.map((one) => one?.brokerId);
    const first = await kit.join(1);
    await kit.advance(300);
    const second = await kit.join(2);
    await kit.advance(600);
    const brokers = [first, second, await kit.join(3)];
    const tookMs = await kit.until(() => kit.isEverySlotLedBy(brokers));
    expect(tookMs).toBeLessThan(100);
    expect(kit.leadership.leaders.map((one) => one?.brokerId)).toEqual(had);
    await kit.advance(20_000);
    expect(kit.leadership.leaders.map((one) => one?.brokerId)).toEqual(had);
  });

  it("share slots soon with one that starts some seconds later than the first", async () => {
    const kit = new MembershipKit();
    const first = await kit.join(1);
    first.moverMs = 50;
    await kit.until(() => kit.isEverySlotLedBy([first]));
    await kit.advance(4_000);
    const second = await kit.join(2);
    const tookMs = await kit.until(() => spreadOf(kit.counts([first, second])) <= 1);
    expect(tookMs).toBeLessThan(2_000);
  });

  it("looks often for a moment after its start, and then as seldom as who is alone", async () => {
    const kit = new MembershipKit();
    const { store } = await kit.join(1);
    await kit.advance(startLooksForMs);
    const [callsAtFirst, sinceMs] = [store.calls, 20_000];
    expect(callsAtFirst).toBeGreaterThan((2 * startLooksForMs) / 600);
    await kit.advance(sinceMs);
    expect(store.calls - callsAtFirst).toBeLessThanOrEqual(3 * 5);
  });

  it("take over from one that stands still within 3.5 s, each at one epoch", async () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const kit = new MembershipKit({ seed });
      const [first, second, third] = await three(kit);
      await kit.advance(seed * 61);
      const before = kit.leadership;
      third.pause();
      const tookMs = await kit.until(() => kit.isEverySlotLedBy([first, second]));
      expect(tookMs).toBeGreaterThanOrEqual(2_000);
      expect(tookMs).toBeLessThanOrEqual(3_500);
      const changed = slotsOf(before, third.incarnation);
      const given = new Set(changed.map((slot) => kit.leadership.leaders[slot]?.epoch));
      expect([...given].sort()).toEqual([before.epoch + 1, before.epoch + 2]);
      expect(kit.leadership.epoch).toBe(before.epoch + 2);
    }
  });

  it("learn on waking up that they are over, and declare nobody dead", async () => {
    const kit = new MembershipKit();
    const [first, second, third] = await three(kit);
    third.pause();
    await kit.advance(10_000);
    const before = kit.leadership;
    third.resume();
    expect(third.membership.hasEvidence).toBe(false);
    await kit.until(() => third.over !== undefined, 1_000);
    expect(third.over?.reason).toBe("slotsTaken");
    expect(third.membership.hasEvidence).toBe(false);
    await kit.advance(5_000);
    expect(kit.leadership).toEqual(before);
    expect([first.over, second.over]).toEqual([undefined, undefined]);
    const heartbeat = keys.heartbeat(third.incarnation);
    expect(await kit.memory.get(heartbeat)).toBeUndefined();
  });

  it("have a new controller when theirs stands still", async () => {
    const kit = new MembershipKit();
    const [first, second, third] = await three(kit);
    expect(kit.leadership.controller).toBe(first.incarnation);
    first.pause();
    const tookMs = await kit.until(() => kit.isEverySlotLedBy([second, third]));
    expect(tookMs).toBeLessThanOrEqual(3_500);
    expect(kit.leadership.controller).toBe(second.incarnation);
  });

  it("wait before they declare most others dead at once, and then go ahead", async () => {
    const kit = new MembershipKit();
    const [first, second, third] = await three(kit);
    second.pause();
    third.pause();
    const tookMs = await kit.until(() => kit.isEverySlotLedBy([first]));
    expect(tookMs).toBeGreaterThanOrEqual(7_000);
    expect(tookMs).toBeLessThanOrEqual(9_500);
  });

  it("take over from one that alone cannot reach the store, which then knows that it is over", async () => {
    const kit = new MembershipKit();
    const [first, second, third] = await three(kit);
    first.store.isCut = true;
    const tookMs = await kit.until(() => kit.isEverySlotLedBy([second, third]));
    expect(tookMs).toBeLessThanOrEqual(3_500);
    await kit.advance(1_000);
    expect(first.membership.hasEvidence).toBe(false);
    expect(first.over).toBeUndefined();
    first.store.isCut = false;
    await kit.until(() => first.over !== undefined, 2_500);
    expect(first.logged.join()).toMatch(/store does not answer/);
  });

  it("declare nobody dead when the store was away for all of them", async () => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const kit = new MembershipKit({ seed });
      const brokers = await three(kit);
      const before = kit.leadership;
      for (const { store } of brokers) store.isCut = true;
      await kit.advance(20_000 + 97 * seed);
      for (const { store } of brokers) store.isCut = false;
      await kit.advance(20_000);
      expect(kit.leadership).toEqual(before);
      for (const { membership } of brokers) {
        expect(membership.isRunning).toBe(true);
        expect(membership.hasEvidence).toBe(true);
      }
    }
  });

  it("give a newcomer its share by moves that those who lead the slots carry out", async () => {
    const kit = new MembershipKit();
    const first = await kit.join(1);
    const second = await kit.join(2);
    await kit.advance(12_000);
    for (const broker of [first, second]) broker.moverMs = 40;
    const third = await kit.join(3);
    await kit.until(() => kit.leadership.moves.length > 0);
    const tookMs = await kit.until(() => spreadOf(kit.counts()) <= 1);
    expect(tookMs).toBeLessThan(5_000);
    await kit.advance(5_000);
    expect(kit.leadership.moves).toEqual([]);
    expect(kit.brokers.map(({ over }) => over)).toEqual([undefined, undefined, undefined]);
    expect(slotsOf(third.membership.leadership, third.incarnation).length).toBe(5);
  });

  it("take back a wish that is not carried out in 10 s, and rest", async () => {
    const kit = new MembershipKit();
    const first = await kit.join(1);
    await kit.advance(7_000);
    expect(kit.counts()).toEqual([kitSlots]);
    await kit.join(2);
    await kit.until(() => kit.leadership.moves.length > 0);
    const tookMs = await kit.until(() => kit.leadership.moves.length === 0);
    expect(tookMs).toBeGreaterThanOrEqual(10_000);
    expect(tookMs).toBeLessThanOrEqual(11_100);
    expect(kit.counts()).toEqual([kitSlots, 0]);
    await kit.advance(5_000);
    expect(kit.leadership.moves).toEqual([]);
    first.moverMs = 20;
    await kit.until(() => kit.counts()[1] === kitSlots / 2);
  });

  it("take over at once from a former process of the same broker", async () => {
    const kit = new MembershipKit();
    const [first, second, third] = await three(kit);
    const before = slotsOf(kit.leadership, third.incarnation);
    third.pause();
    await kit.advance(100);
    const again = await kit.join(3);
    expect(slotsOf(kit.leadership, again.incarnation)).toEqual(before);
    await kit.advance(20_000);
    expect(slotsOf(kit.leadership, again.incarnation)).toEqual(before);
    expect(kit.isEverySlotLedBy([first, second, again])).toBe(true);
    expect(await kit.memory.get(keys.heartbeat(third.incarnation))).toBeUndefined();
  });

  it("are over when a second process has their broker id, whether they lead slots or none", async () => {
    const kit = new MembershipKit();
    const first = await kit.join(1);
    await kit.advance(7_000);
    const idle = await kit.join(2);
    await kit.advance(3_000);
    expect(kit.counts()).toEqual([kitSlots, 0]);
    const newer = [await kit.join(2), await kit.join(1)];
    await kit.until(() => first.over !== undefined && idle.over !== undefined, 1_500);
    expect([first.over?.reason, idle.over?.reason]).toEqual(["replaced", "replaced"]);
    await kit.advance(10_000);
    expect(newer.map(({ over }) => over)).toEqual([undefined, undefined]);
    const item = await kit.memory.get(keys.incarnation(idle.incarnation));
    expect(item?.value["state"]).toBe("closed");
    expect(await kit.memory.get(keys.heartbeat(idle.incarnation))).toBeUndefined();
    expect(newer[0]?.membership.live.map((one) => one.incarnation)).toEqual([
      newer[1]?.incarnation,
      newer[0]?.incarnation,
    ]);
  });

  it("give no slot to a version that does not cover the finalised one", async () => {
    const kit = new MembershipKit();
    const first = await kit.join(1);
    await kit.advance(7_000);
    first.moverMs = 20;
    const old = await kit.join(2, { versions: { min: 1, max: 1 } });
    await kit.advance(10_000);
    expect(kit.counts()).toEqual([kitSlots, 0]);
    expect(old.over).toBeUndefined();
    first.pause();
    await kit.advance(20_000);
    expect(kit.counts()).toEqual([kitSlots, 0]);
  });

  it.each(["the controller", "another"])(
    "give away all slots of one that drains: %s",
    async (who) => {
      const kit = new MembershipKit();
      const brokers = await three(kit);
      for (const broker of brokers) broker.moverMs = 30;
      const leaving = who === "another" ? brokers[2] : brokers[0];
      const others = brokers.filter((one) => one !== leaving);
      leaving.membership.beginDrain();
      const tookMs = await kit.until(() => kit.counts([leaving])[0] === 0);
      expect(tookMs).toBeLessThan(2_000);
      expect(kit.counts(others)).toEqual([kitSlots / 2, kitSlots / 2]);
      expect(leaving.over).toBeUndefined();
      const closing = leaving.membership.close();
      await kit.advance(700);
      await closing;
      expect(await kit.memory.get(keys.heartbeat(leaving.incarnation))).toBeUndefined();
      expect(others[0]?.membership.live.map((one) => one.incarnation)).toEqual(
        others.map(({ incarnation }) => incarnation),
      );
      await kit.advance(10_000);
      expect(kit.counts(others)).toEqual([kitSlots / 2, kitSlots / 2]);
      expect(kit.leadership.controller).toBe(others[0]?.incarnation);
    },
  );

  it("look at once when they are nudged", async () => {
    const kit = new MembershipKit();
    const first = await kit.join(1);
    await kit.until(() => kit.isEverySlotLedBy([first]));
    await kit.advance(startLooksForMs + 1_000);
    await kit.join(2);
    expect(first.membership.live).toHaveLength(1);
    first.membership.nudge();
    await kit.advance(100);
    expect(first.membership.live).toHaveLength(2);
  });

  it("hand nothing over to one that is gone, and take the slots back at a new epoch", async () => {
    const kit = new MembershipKit();
    const [first, second, third] = await three(kit);
    const slots = slotsOf(kit.leadership, first.incarnation);
    third.pause();
    await kit.until(() => kit.isEverySlotLedBy([first, second]));
    const before = kit.leadership;
    expect(await first.membership.writeMoved(slots, third.incarnation)).toBe("refused");
    const taking = first.membership.writeTakenBack(slots);
    await kit.advance(100);
    await taking;
    expect(first.over).toBeUndefined();
    expect(kit.leadership.leaders[slots[0] ?? 0]?.epoch).toBe(before.epoch + 1);
    await kit.advance(5_000);
    expect(first.over).toBeUndefined();
  });

  it("call the store a bounded number of times while nothing happens", async () => {
    const kit = new MembershipKit();
    const first = await kit.join(1);
    await kit.advance(20_000);
    const perMinute = async (): Promise<readonly number[]> => {
      const before = kit.brokers.map(({ store }) => store.calls);
      await kit.advance(60_000);
      return kit.brokers.map(({ store }, index) => store.calls - (before[index] ?? 0));
    };
    // A heartbeat, the version, and all heartbeats: each every 5 s.
    expect((await perMinute())[0]).toBeLessThanOrEqual(37);
    await kit.join(2);
    first.moverMs = 20;
    await kit.until(() => spreadOf(kit.counts()) === 0);
    await kit.advance(20_000);
    // The same, each every 500 ms.
    for (const calls of await perMinute()) expect(calls).toBeLessThanOrEqual(363);
  });

  it("know when the others have seen a change", async () => {
    const kit = new MembershipKit();
    const [first] = await three(kit);
    await kit.memory.transact([{ kind: "put", key: keys.version, value: {} }]);
    const tookMs = await seenBy(kit, first);
    expect(tookMs).toBeGreaterThan(10);
    expect(tookMs).toBeLessThan(1_700);
    expect(await seenBy(kit, first)).toBeLessThan(50);
  });

  it("stop waiting for one that does not see a change", async () => {
    const blind = { followedVersion: (): number => 0 };
    const kit = new MembershipKit();
    const first = await kit.join(1);
    const second = await kit.join(2, blind);
    await kit.advance(10_000);
    const tookMs = await seenBy(kit, first);
    expect(tookMs).toBeGreaterThanOrEqual(haveSeenMsMax);
    expect(tookMs).toBeLessThan(haveSeenMsMax + 100);
    // For one that is dead nobody waits.
    second.pause();
    await kit.advance(3_500);
    expect(await seenBy(kit, first)).toBeLessThan(50);
  });

  it("keep every rule under failing calls and pauses at random, and settle afterwards", async () => {
    const perThousand = { throttled: 30, conflict: 20, requestLost: 20, replyLost: 30 };
    let overs = 0;
    for (let seed = 1; seed <= 6; seed += 1) {
      const random = new SeededRandom(seed);
      const kit = new MembershipKit({ seed, rates: { perThousand, latencyMsMax: 60 } });
      for (let id = 1; id <= 3; id += 1) (await kit.join(id)).moverMs = 50;
      for (let step = 0; step < 15; step += 1) {
        const one = kit.brokers.filter(({ over }) => over === undefined)[random.below(3)];
        if (random.below(2) === 0) one?.pause();
        else if (one !== undefined) one.store.isCut = true;
        await kit.advance(random.below(9_000));
        one?.resume();
        if (one !== undefined) one.store.isCut = false;
        for (const broker of kit.brokers.filter(({ over }) => over !== undefined)) {
          kit.forget(broker);
          overs += 1;
          (await kit.join(broker.id)).moverMs = 50;
        }
      }
      await kit.advance(20_000);
      for (const broker of kit.brokers.filter(({ over }) => over !== undefined)) {
        kit.forget(broker);
        (await kit.join(broker.id)).moverMs = 50;
      }
      await kit.until(() => kit.isEverySlotLedBy(kit.brokers), 60_000);
      await kit.until(() => spreadOf(kit.counts()) <= 1, 60_000);
    }
    expect(overs).toBeGreaterThan(6);
  });
});

/** How long it takes until the others have seen everything, as this one knows. */
function seenBy(kit: MembershipKit, { membership }: KitBroker): Promise<number> {
  let isSeen = false;
  void membership.othersHaveSeen().then(() => {
    isSeen = true;
  });
  return kit.until(() => isSeen);
}
