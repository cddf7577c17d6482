import { aloneHeartbeatMs, heartbeatItem, incarnationId, keys, slotsOf } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { settled } from "../../../test/fixtures/test-cluster.ts";
import { kitSlots, MembershipKit } from "../../../test/fixtures/membership-kit.ts";
import { startLooksForMs } from "./limits.ts";

describe("members of a cluster, where others come,", () => {
  it("take nobody for dead who was alone when they came, however late it looks after them", async () => {
    const kit = new MembershipKit();
    const first = await kit.join(1);
    await kit.advance(startLooksForMs + aloneHeartbeatMs);
    const counter = async (): Promise<unknown> =>
      (await kit.memory.get(keys.heartbeat(first.incarnation)))?.value["counter"];
    const before = await counter();
    while ((await counter()) === before) await kit.advance(50);
    // It looks now, and heartbeats in 1.5 s: the next look is 3.5 s after that.
    await kit.advance(aloneHeartbeatMs - 1_500);
    await settled(kit.clock, first.membership.lookNow());
    const second = await kit.join(2);
    await kit.advance(2 * aloneHeartbeatMs);
    expect([first.over, second.over]).toEqual([undefined, undefined]);
    expect(kit.counts([first])).toEqual([kitSlots]);
    first.pause();
    await kit.until(() => kit.isEverySlotLedBy([second]), 3_500);
  });

  it("who was alone until now knows of whoever has come when it asks what the others have seen", async () => {
    const kit = new MembershipKit();
    const first = await kit.join(1);
    await kit.advance(startLooksForMs + aloneHeartbeatMs);
    await settled(kit.clock, first.membership.lookNow());
    expect(await settled(kit.clock, first.membership.othersHaveSeen())).toBe(true);
    await kit.join(2, { followedVersion: () => 0 });
    expect(first.membership.live).toHaveLength(1);
    expect(await settled(kit.clock, first.membership.othersHaveSeen())).toBe(false);
  });

  it("take nobody for dead whose heartbeat was on its way when it found itself alone", async () => {
    const kit = new MembershipKit();
    const [first, second] = [await kit.join(1), await kit.join(2)];
    await kit.advance(startLooksForMs + aloneHeartbeatMs);
    const { promise: sent, resolve: send } = Promise.withResolvers<void>();
    const transact = first.store.transact.bind(first.store);
    let isHeld = false;
    first.store.transact = async (writes) => {
      if (writes[0]?.key === keys.heartbeat(first.incarnation) && !isHeld) {
        isHeld = true;
        await sent;
      }
      return transact(writes);
    };
    await kit.until(() => isHeld);
    await settled(kit.clock, second.membership.close());
    await settled(kit.clock, first.membership.lookNow());
    const third = await kit.join(3);
    send();
    await kit.advance(2 * aloneHeartbeatMs);
    expect([first.over, third.over]).toEqual([undefined, undefined]);
  });

  it("give slots to nobody whose version can't read what is written", async () => {
    const kit = new MembershipKit();
    const [first, second] = [await kit.join(1), await kit.join(2)];
    const third = await kit.join(3, { versions: { min: 1, max: 1 } });
    await kit.advance(12_000);
    const { membership } = first;
    expect(membership.live).toHaveLength(3);
    expect(membership.receivers.map((one) => one.incarnation)).toEqual([
      first.incarnation,
      second.incarnation,
    ]);
    const own = slotsOf(kit.leadership, first.incarnation);
    expect(await settled(kit.clock, membership.writeMoved(own, third.incarnation))).toBe("refused");
  });

  it("take over from the dead while the journal of one who led nothing can't be closed", async () => {
    const kit = new MembershipKit();
    const [first, second] = [await kit.join(1), await kit.join(2)];
    const idle = await kit.join(3, { versions: { min: 1, max: 1 } });
    await kit.advance(5_000);
    let asked = 0;
    first.membership.use({
      closeJournal: () => {
        asked += 1;
        return new Promise(() => undefined);
      },
    });
    idle.pause();
    await kit.advance(10_000);
    expect(asked).toBe(1);
    second.pause();
    const tookMs = await kit.until(() => kit.isEverySlotLedBy([first]));
    expect(tookMs).toBeLessThanOrEqual(3_500);
    expect(kit.leadership.controller).toBe(first.incarnation);
  });

  it("leave the heartbeat of one alone whose registration they see only half of", async () => {
    const kit = new MembershipKit();
    await kit.join(1);
    await kit.advance(startLooksForMs);
    const [gone, coming] = [0, 9].map((counter) => {
      return keys.heartbeat(incarnationId(`${counter}-${"ab".repeat(16)}`));
    });
    if (gone === undefined || coming === undefined) throw new Error("there are two");
    const load = { total: 0, slots: [] };
    const calm = { isAlone: false, isDraining: false };
    const value = heartbeatItem({ counter: 0, durable: 0, load, seen: 0, ...calm });
    await kit.memory.transact([gone, coming].map((key) => ({ kind: "put", key, value })));
    await kit.advance(3 * aloneHeartbeatMs);
    expect(await kit.memory.get(gone)).toBeUndefined();
    expect(await kit.memory.get(coming)).toBeDefined();
  });
});
