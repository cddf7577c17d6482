import { keys } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { batchOf } from "../partition/fixtures.ts";
import { ClusterRig, otherThan, type RigBroker } from "../../../test/fixtures/cluster-rig.ts";

/** Kills the leader of the slot; who leads it then, open. */
async function replace(rig: ClusterRig, slot: number): Promise<RigBroker> {
  const dead = await rig.leaderOf(slot as never);
  rig.kill(dead);
  await rig.settled();
  return rig.leaderOf(slot as never);
}

describe("a takeover by force", () => {
  it("serves what was acknowledged, from the journal, packs and segments of the dead", async () => {
    const rig = new ClusterRig({ tierLimits: { coldSegmentBytesMin: 400 } });
    const brokers = await rig.start(1, 2);
    const topic = await rig.createTopic("t");
    for (let value = 0; value < 8; value += 1) await rig.append(topic, value);
    await rig.pass(61_000);
    await rig.append(topic, 8);
    await rig.pass(61_000);
    await rig.append(topic, 9);
    const slot = rig.slotOf(topic);
    const dead = await rig.leaderOf(slot);
    const places = [keys.segments(slot, topic, 0), keys.incarnation(dead.incarnation)];
    expect(
      (await rig.memory.range({ from: `${places[0]}/`, to: `${places[0]}0`, limit: 9 })).items,
    ).not.toEqual([]);
    expect((await rig.memory.get(places[1] ?? ""))?.value["checkpoint"]).toBeDefined();
    rig.kill(dead);
    await rig.settled();
    expect(await rig.leaderOf(slot)).toBe(otherThan(dead, brokers));
    expect(await rig.values(topic)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await rig.append(topic, 10)).toBe(10);
  });

  it("replays several former owners in the order of their epochs", async () => {
    const rig = new ClusterRig();
    await rig.start(1, 2, 3);
    const topic = await rig.createTopic("t");
    const slot = rig.slotOf(topic);
    await rig.append(topic, 0);
    await replace(rig, slot);
    await rig.append(topic, 1);
    const last = await replace(rig, slot);
    await rig.append(topic, 2);
    expect((await rig.headOf(slot))?.sources.length).toBe(2);
    expect(await rig.values(topic)).toEqual([0, 1, 2]);
    // Nothing of it was in the last one's memory.
    await rig.restart(last);
    await rig.settled();
    expect(await rig.values(topic)).toEqual([0, 1, 2]);
  });

  it("names no former owner any more once all of them is in its own checkpoint", async () => {
    const rig = new ClusterRig();
    await rig.start(1, 2);
    const topic = await rig.createTopic("t");
    const slot = rig.slotOf(topic);
    await rig.append(topic, 0);
    const next = await replace(rig, slot);
    expect((await rig.headOf(slot))?.sources.length).toBe(1);
    await rig.until(async () => (await rig.headOf(slot))?.sources.length === 0, 130_000);
    await rig.restart(next);
    await rig.settled();
    expect(await rig.values(topic)).toEqual([0]);
  });

  it("goes on although it dies after any call of a store, once and again", async () => {
    for (let calls = 1; calls < 60; calls += 3) {
      const rig = new ClusterRig();
      const [first, second] = await rig.start(1, 2);
      const topic = await rig.createTopic("t", 4);
      for (let value = 0; value < 4; value += 1) await rig.append(topic, value, value);
      const [dead, taker] = [first as RigBroker, second as RigBroker];
      rig.kill(dead);
      let left = calls;
      taker.life.fate = ({ kind }) => {
        if (kind === "get" || kind === "range" || kind === "read") return "goes";
        left -= 1;
        return left === 0 ? "diesAfter" : "goes";
      };
      await rig.pass(8_000);
      await rig.restart(dead);
      await rig.restart(taker);
      await rig.settled();
      for (let value = 0; value < 4; value += 1) {
        expect(await rig.values(topic, value)).toEqual([value]);
      }
    }
  });

  it("starts above what was deleted, though records below are still in a journal", async () => {
    const rig = new ClusterRig();
    await rig.start(1, 2);
    const topic = await rig.createTopic("t");
    const slot = rig.slotOf(topic);
    for (let value = 0; value < 3; value += 1) await rig.append(topic, value);
    await rig.pass(61_000);
    for (let value = 3; value < 6; value += 1) await rig.append(topic, value);
    const owner = (await rig.leaderOf(slot)).partitions.find(topic, 0);
    await rig.run(owner?.deleteRecordsBefore(5) ?? Promise.reject(new Error("not loaded")));
    const next = await replace(rig, slot);
    expect(await rig.values(topic)).toEqual([5]);
    expect(next.partitions.find(topic, 0)?.logStartOffset).toBe(5);
    expect(await rig.append(topic, 6)).toBe(6);
  });

  it("knows a producer whose records are all deleted", async () => {
    const rig = new ClusterRig();
    await rig.start(1, 2);
    const topic = await rig.createTopic("t");
    const slot = rig.slotOf(topic);
    const before = await rig.leaderOf(slot);
    const records = (): Uint8Array => batchOf([1], { id: 7, sequence: 0 });
    const owner = await rig.run(before.partitions.open(topic, 0));
    await rig.run(owner.append({ waitFor: "durable", records: records() }));
    await rig.run(owner.deleteRecordsBefore(1));
    const next = await replace(rig, slot);
    const after = await rig.run(next.partitions.open(topic, 0));
    const again = await rig.run(after.append({ waitFor: "durable", records: records() }));
    expect(again).toMatchObject({ kind: "duplicate", baseOffset: 0 });
  });

  it("removes what is left of a topic that is deleted meanwhile", async () => {
    const rig = new ClusterRig();
    const brokers = await rig.start(1, 2);
    const topic = await rig.createTopic("t");
    const slot = rig.slotOf(topic);
    await rig.append(topic, 0);
    const dead = await rig.leaderOf(slot);
    const other = otherThan(dead, brokers);
    rig.kill(dead);
    const deleted = other.cluster.deleteTopic("t");
    await rig.run(deleted);
    await rig.settled();
    await rig.until(async () => (await rig.headOf(slot))?.sources.length === 0, 130_000);
    await rig.until(async () => (await rig.memory.get(keys.deletion(topic))) === undefined);
  });
});

describe("a partition that nobody touches after a takeover", () => {
  it("is seen by retention all the same", async () => {
    const rig = new ClusterRig();
    const brokers = await rig.start(1, 2);
    const minuteMs = 60_000;
    const topic = await rig.createTopic("t", 1, {
      "retention.ms": String(15 * minuteMs),
      "message.timestamp.type": "LogAppendTime",
    });
    await rig.append(topic, 0);
    const dead = await rig.leaderOf(rig.slotOf(topic));
    const taker = otherThan(dead, brokers);
    // Both have looked at the topic by then, and each only at what it leads.
    await rig.pass(7 * minuteMs);
    rig.kill(dead);
    await rig.settled();
    expect(taker.partitions.find(topic, 0)).toBeUndefined();
    await rig.pass(20 * minuteMs);
    expect(taker.partitions.find(topic, 0)?.logStartOffset).toBe(1);
  });
});

describe("what a successor does not know yet", () => {
  it("is followed before anything is taken for deleted", async () => {
    const rig = new ClusterRig();
    const brokers = await rig.start(1, 2);
    const warm = await rig.createTopic("warm");
    const slot = rig.slotOf(warm);
    const first = await rig.leaderOf(slot);
    const second = otherThan(first, brokers);
    // It reads no topic for a while, whatever it hears of.
    let isHeld = true;
    const letGo: (() => void)[] = [];
    second.life.fate = (call) => {
      const isTopic = call.key.startsWith("topic/") && call.kind !== "transact";
      if (!isHeld || !isTopic) return "goes";
      return new Promise((resolve) => letGo.push(resolve));
    };
    const made = first.cluster.createTopic(
      { name: "t", partitionCount: 8, replicationFactor: 1, assignments: [], configs: [] },
      "perform",
    );
    const outcome = await rig.run(made);
    if (outcome.kind !== "done") throw new Error("not made");
    const { id } = outcome.topic;
    const partition = [0, 1, 2, 3, 4, 5, 6, 7].find((one) => rig.slotOf(id, one) === slot) ?? 0;
    await rig.append(id, 42, partition);
    rig.kill(first);
    await rig.pass(10_000);
    expect(second.cluster.topics.byId(id)).toBeUndefined();
    isHeld = false;
    for (const go of letGo.splice(0)) go();
    await rig.settled();
    expect(await rig.values(id, partition)).toEqual([42]);
  });
});

describe("an incarnation whose journal another one closed", () => {
  it("acknowledges nothing more, and begins anew", async () => {
    const rig = new ClusterRig();
    const brokers = await rig.start(1, 2);
    const topic = await rig.createTopic("t");
    const slot = rig.slotOf(topic);
    await rig.append(topic, 0);
    const zombie = await rig.leaderOf(slot);
    const owner = zombie.partitions.find(topic, 0);
    zombie.life.pause();
    await rig.until(async () => (await rig.headOf(slot))?.owner !== zombie.incarnation);
    await rig.pass(1_000);
    const late = owner?.append({ waitFor: "durable", records: batchOf([99]) });
    zombie.life.resume();
    const outcome = await rig.run(late ?? Promise.reject(new Error("not loaded")));
    expect(outcome).toMatchObject({ kind: "refused", reason: "notLeader" });
    await rig.until(() => zombie.over.length > 0 && zombie.isOpen);
    await rig.settled();
    expect(await rig.values(topic)).toEqual([0]);
    expect(brokers.every(({ errors }) => errors.length === 0)).toBe(true);
  });
});
