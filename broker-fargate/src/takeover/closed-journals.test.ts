import { keys } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { ClusterRig, otherThan, type RigBroker } from "../../../test/fixtures/cluster-rig.ts";

const sweeping = { checkpointDueMs: 5_000, firstSweepMs: 10_000, sweepEveryMs: 20_000 };

async function journalOf(rig: ClusterRig, of: string): Promise<readonly string[]> {
  const [broker] = rig.brokers;
  const prefix = `${broker?.cluster.clusterId}/journal/${of}/`;
  return (await rig.kept.list({ prefix, limit: 100 })).objects.map(({ key }) => key);
}

describe("the journal of a closed incarnation", () => {
  it("stays as long as a head names it, then goes with its item, all but its fence", async () => {
    const rig = new ClusterRig({ tierLimits: sweeping });
    const brokers = await rig.start(1, 2);
    const topic = await rig.createTopic("t");
    const slot = rig.slotOf(topic);
    for (let value = 0; value < 3; value += 1) await rig.append(topic, value);
    const dead = await rig.leaderOf(slot);
    const taker: RigBroker = otherThan(dead, brokers);
    const { incarnation } = dead;
    // Nothing can be copied for a while.
    let isHeld = true;
    taker.life.fate = ({ kind, key }) => {
      if (!isHeld || kind !== "put" || !key.includes("/checkpoint/")) return "goes";
      return new Promise((resolve) => rig.clock.after(1_000_000, resolve));
    };
    const before = await journalOf(rig, incarnation);
    rig.kill(dead);
    await rig.settled();
    await rig.pass(90_000);
    const item = await rig.memory.get(keys.incarnation(incarnation));
    expect(item?.value["state"]).toBe("closed");
    expect((await journalOf(rig, incarnation)).slice(0, before.length)).toEqual(before);
    isHeld = false;
    await rig.restart(taker);
    await rig.settled();
    const isGone = async (): Promise<boolean> =>
      (await rig.memory.get(keys.incarnation(incarnation))) === undefined;
    await rig.until(isGone, 300_000);
    const left = await journalOf(rig, incarnation);
    expect(left).toEqual([
      `${before[0]?.slice(0, -20)}${JSON.stringify(item?.value["end"]).padStart(20, "0")}`,
    ]);
    expect(await rig.values(topic)).toEqual([0, 1, 2]);
  });
});
