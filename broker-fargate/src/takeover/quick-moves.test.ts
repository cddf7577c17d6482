import { keys, type Slot, type TopicId } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { journalLimits } from "../journal/limits.ts";
import { receiverSeenMsMax } from "../cluster/limits.ts";
import { ClusterRig, otherThan, type RigBroker } from "../../../test/fixtures/cluster-rig.ts";
import type { RigCall } from "../../../test/fixtures/rig-life.ts";

interface Scene {
  readonly rig: ClusterRig;
  readonly slot: Slot;
  readonly topic: TopicId;
  readonly from: RigBroker;
  readonly to: RigBroker;
}

/** Two brokers, and a slot of one of them in which there is something. */
async function scene(
  options: ConstructorParameters<typeof ClusterRig>[0] = { seed: 1 },
): Promise<Scene> {
  const rig = new ClusterRig(options);
  const brokers = await rig.start(1, 2);
  const topic = await rig.createTopic("t");
  await rig.append(topic, 0);
  const slot = rig.slotOf(topic);
  const from = await rig.leaderOf(slot);
  return { rig, slot, topic, from, to: otherThan(from, brokers) };
}

function writes(key: string): (call: RigCall) => boolean {
  return (call) => call.kind === "transact" && call.writes.some((write) => write.key === key);
}

async function isLedBy({ rig, slot }: Scene, broker: RigBroker): Promise<boolean> {
  return (await rig.leaders())[slot] === broker.incarnation;
}

describe("a move, by polls alone", () => {
  it.each([1, 2, 3, 4, 5])(
    "keeps the slot closed for a few polls of its receiver at most: seed %i",
    async (seed) => {
      const at = await scene({ seed });
      const { from, rig, slot, to } = at;
      // So that the wish falls anywhere between two looks.
      await rig.pass(97 * seed);
      await rig.wish([slot], from, to);
      await rig.until(() => from.cluster.findOpenSlot(slot) === undefined);
      const closedMs = await rig.until(() => to.cluster.findOpenSlot(slot) !== undefined);
      expect(closedMs).toBeLessThan(200);
    },
  );

  it("does not wait for the partitions' files to be removed; a slot that comes back does", async () => {
    const at = await scene();
    const { from, rig, slot, to, topic } = at;
    let remove: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      remove = resolve;
    });
    const removeFolder = from.disk.removeFolder.bind(from.disk);
    from.disk.removeFolder = (folder) => held.then(() => removeFolder(folder));
    await rig.wish([slot], from, to);
    await rig.until(() => isLedBy(at, to), 2_000);
    await rig.settled();
    expect(await rig.append(topic, 1)).toBe(1);
    await rig.wish([slot], to, from);
    await rig.until(() => isLedBy(at, from), 5_000);
    await rig.settled();
    const opening = from.partitions.open(topic, 0);
    await rig.pass(3_000);
    expect(from.partitions.find(topic, 0)).toBeUndefined();
    remove();
    await rig.run(opening);
    expect(await rig.values(topic)).toEqual([0, 1]);
    expect([from.over, to.over]).toEqual([[], []]);
  });

  it("reads nothing of the object store while the slot is closed, but one end of a checkpoint", async () => {
    const at = await scene({ tierLimits: { checkpointDueMs: 1_000 } });
    const { rig, slot, topic } = at;
    await rig.wish([slot], at.from, at.to);
    await rig.until(() => isLedBy(at, at.to));
    // It may be spread back meanwhile. Its leader has what it got of it in packs alone.
    await rig.settled();
    await rig.pass(15_000);
    const from = await rig.leaderOf(slot);
    const to = otherThan(from, rig.brokers);
    const asked = (broker: RigBroker): readonly RigCall[] => {
      return broker.life.calls.filter(({ kind }) => ["read", "list", "delete"].includes(kind));
    };
    const checkpoints = (): number => {
      return from.life.calls.filter(({ key, kind }) => kind === "put" && /checkpoint/.test(key))
        .length;
    };
    await rig.append(topic, 1);
    const before = checkpoints();
    let saysSo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      saysSo = resolve;
    });
    const isHeartbeat = writes(keys.heartbeat(to.incarnation));
    to.life.fate = (call) => (isHeartbeat(call) ? held : "goes");
    await rig.wish([slot], from, to);
    await rig.until(() => checkpoints() > before);
    // It serves until the receiver expects the slot. The rest is larger than what is packed.
    for (const value of [2, 3, 4]) await rig.append(topic, value);
    const [askedFrom, askedTo] = [asked(from).length, asked(to).length];
    saysSo();
    await rig.until(() => isLedBy(at, to));
    expect(asked(from)).toHaveLength(askedFrom);
    await rig.settled();
    expect(await rig.append(topic, 5)).toBe(5);
    expect(asked(to)).toHaveLength(askedTo + 1);
    // It began before the head was claimed.
    const { calls } = to.life;
    const claimed = calls.findLastIndex(writes(keys.head(slot)));
    expect(calls.findLastIndex(({ kind }) => kind === "read")).toBeLessThan(claimed);
    // What comes next waits for nothing that would come with it.
    const sentMs = rig.clock.monotonicMs();
    await rig.append(topic, 6);
    expect(rig.clock.monotonicMs() - sentMs).toBeLessThanOrEqual(journalLimits.briskLingerMs);
    expect(await rig.values(topic)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("is carried out though its receiver does not say that it has seen the wish", async () => {
    const at = await scene();
    const { from, rig, slot, to } = at;
    const isHeartbeat = writes(keys.heartbeat(to.incarnation));
    const late = new Promise<void>((resolve) => {
      rig.clock.after(receiverSeenMsMax + 500, resolve);
    });
    to.life.fate = (call) => (isHeartbeat(call) ? late : "goes");
    await rig.wish([slot], from, to);
    const tookMs = await rig.until(() => isLedBy(at, to));
    expect(tookMs).toBeGreaterThanOrEqual(receiverSeenMsMax);
    expect(tookMs).toBeLessThan(receiverSeenMsMax + 1_500);
    expect([from.over, to.over]).toEqual([[], []]);
  });
});
