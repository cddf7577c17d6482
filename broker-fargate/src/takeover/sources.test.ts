import { keys, type Slot, sourcesMax } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { batchOf, valuesOf } from "../partition/fixtures.ts";
import { ClusterRig, otherThan, type RigBroker } from "../../../test/fixtures/cluster-rig.ts";

/** No round begins by itself: sources stay in heads. */
const noRounds = { checkpointDueMs: 3_600_000 };

async function alone(rig: ClusterRig): Promise<RigBroker> {
  const [only] = await rig.start(1);
  if (only === undefined) throw new Error("nobody");
  return only;
}

describe("a head that names as many sources as it may", () => {
  it("is claimed after all that they have is in the claimant's own checkpoint", async () => {
    const rig = new ClusterRig({ tierLimits: noRounds });
    const only = await alone(rig);
    const topic = await rig.createTopic("t", 2);
    const slot = rig.slotOf(topic);
    const values: number[] = [];
    const counts: number[] = [];
    for (let life = 0; life < 2 * sourcesMax + 3; life += 1) {
      values.push(life);
      await rig.append(topic, life);
      await rig.restart(only);
      await rig.settled();
      counts.push((await rig.headOf(slot))?.sources.length ?? 0);
      expect(await rig.values(topic)).toEqual(values);
    }
    expect(counts.slice(0, sourcesMax + 1)).toEqual([1, 2, 3, 4, 0]);
    expect(Math.max(...counts)).toBe(sourcesMax);
    expect(only.errors).toEqual([]);
  });

  it("is copied once more where its copy's maker died before the claim, or after it", async () => {
    for (const fate of ["diesBefore", "diesAfter"] as const) {
      const rig = new ClusterRig({ tierLimits: noRounds });
      const only = await alone(rig);
      const topic = await rig.createTopic("t");
      const slot = rig.slotOf(topic);
      for (let life = 0; life < sourcesMax; life += 1) {
        await rig.append(topic, life);
        await rig.restart(only);
        await rig.settled();
      }
      await rig.append(topic, sourcesMax);
      rig.kill(only);
      const crowded = await rig.headOf(slot);
      await rig.restart(only, ({ key, kind }) => {
        return kind === "transact" && key === keys.head(slot) ? fate : "goes";
      });
      await rig.until(() => only.life.isDead);
      const isSame = (await rig.headOf(slot))?.epoch === crowded?.epoch;
      expect(isSame).toBe(fate === "diesBefore");
      await rig.restart(only);
      await rig.settled();
      expect(await rig.values(topic)).toEqual([0, 1, 2, 3, 4]);
      expect(await rig.append(topic, 5)).toBe(5);
    }
  });
});

describe("a broker that is one of many sources", () => {
  it.each(["diesBefore", "diesAfter", "goes"] as const)(
    "leaves what it released where the head names it until it owns the slot: %s",
    async (fate) => {
      const rig = new ClusterRig({ tierLimits: noRounds });
      const brokers = await rig.start(1, 2);
      const topic = await rig.createTopic("t");
      const slot = rig.slotOf(topic);
      const released = await rig.leaderOf(slot);
      const mortal = otherThan(released, brokers);
      await rig.append(topic, 0);
      await rig.wish([slot], released, mortal);
      await rig.until(async () => (await rig.leaders())[slot] === mortal.incarnation);
      await rig.settled();
      for (let life = 1; life <= sourcesMax; life += 1) {
        await rig.append(topic, life);
        if (life < sourcesMax) await rig.restart(mortal);
        await rig.settled();
      }
      expect((await rig.headOf(slot))?.sources).toHaveLength(sourcesMax);
      released.life.fate = ({ key, kind }) => {
        return kind === "transact" && key === keys.head(slot) ? fate : "goes";
      };
      rig.kill(mortal);
      if (fate !== "goes") {
        await rig.until(() => released.life.isDead);
        await rig.restart(released);
      }
      await rig.until(async () => (await rig.leaders())[slot] === released.incarnation);
      await rig.settled();
      expect(await rig.values(topic)).toEqual([0, 1, 2, 3, 4]);
      expect(await rig.append(topic, 5)).toBe(5);
    },
  );
});

describe("a copy of very many sources", () => {
  it("has what the last owner packed, who died before it could drop any", async () => {
    const rig = new ClusterRig({ tierLimits: { checkpointDueMs: 600_000 } });
    const only = await alone(rig);
    const topic = await rig.createTopic("t");
    const slot = rig.slotOf(topic);
    for (let life = 0; life < sourcesMax; life += 1) {
      await rig.append(topic, life);
      await rig.restart(only);
      await rig.settled();
    }
    await rig.append(topic, sourcesMax);
    only.life.fate = ({ key, kind }) => {
      return kind === "transact" && key === keys.head(slot) ? "diesBefore" : "goes";
    };
    await rig.until(() => only.life.isDead, 1_300_000);
    const item = await rig.memory.get(keys.incarnation(only.incarnation));
    expect(item?.value["checkpoint"]).toBeDefined();
    await rig.restart(only);
    await rig.settled();
    expect((await rig.headOf(slot))?.sources).toEqual([]);
    expect(await rig.values(topic)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("a copy that misses an object of a journal", () => {
  it("is made when that is found, by the same process", async () => {
    const rig = new ClusterRig({ tierLimits: noRounds });
    const only = await alone(rig);
    const topic = await rig.createTopic("t", 8);
    const [slot, other] = [rig.slotOf(topic, 0), rig.slotOf(topic, 1)];
    expect(other).not.toBe(slot);
    let missing = "";
    for (let life = 0; life < sourcesMax + 1; life += 1) {
      await rig.append(topic, life, 0);
      if (life === 0) {
        await rig.append(topic, 70, 1);
        const prefix = `${only.cluster.clusterId}/journal/${only.incarnation}/`;
        missing = (await rig.kept.list({ prefix, limit: 9 })).objects[0]?.key ?? "";
      }
      if (life === sourcesMax) rig.objects.lose(missing);
      await rig.pass(6_000);
      await rig.restart(only);
      if (life < sourcesMax) await rig.settled();
    }
    await rig.pass(3_000);
    expect((await rig.headOf(slot))?.owner).not.toBe(only.incarnation);
    rig.objects.findLost();
    await rig.settled();
    expect(await rig.values(topic, 0)).toEqual([0, 1, 2, 3, 4]);
    expect(await rig.values(topic, 1)).toEqual([70]);
  });
});

describe("sources", () => {
  it("are dropped only when packs and journal entries are in a registered checkpoint", async () => {
    for (let step = 1; step < 12; step += 1) {
      const rig = new ClusterRig({ tierLimits: { checkpointDueMs: 5_000 } });
      const only = await alone(rig);
      const topic = await rig.createTopic("t", 2);
      await rig.append(topic, 0, 0);
      await rig.append(topic, 1, 1);
      await rig.pass(6_000);
      await rig.append(topic, 2, 0);
      await rig.restart(only);
      let writes = 0;
      only.life.fate = ({ kind }) => {
        const isWrite = kind === "put" || kind === "transact";
        writes += isWrite ? 1 : 0;
        return isWrite && writes === 4 * step ? "diesAfter" : "goes";
      };
      await rig.pass(20_000);
      await rig.restart(only);
      await rig.settled();
      expect(await rig.values(topic, 0)).toEqual([0, 2]);
      expect(await rig.values(topic, 1)).toEqual([1]);
    }
  });

  it("stay while the checkpoint that copies them is not registered", async () => {
    const rig = new ClusterRig({ tierLimits: { checkpointDueMs: 5_000 } });
    const only = await alone(rig);
    const topic = await rig.createTopic("t");
    const slot = rig.slotOf(topic);
    await rig.append(topic, 0);
    await rig.pass(6_000);
    // Packs are all that the next life finds.
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    await rig.restart(only, ({ key, kind }) => {
      return kind === "put" && key.includes("/checkpoint/") ? held : "goes";
    });
    await rig.pass(30_000);
    expect(only.life.calls.some(({ key }) => key.includes("/checkpoint/"))).toBe(true);
    expect(await rig.run(only.cluster.dropSources(slot))).toBe(false);
    expect((await rig.headOf(slot))?.sources.length).toBe(1);
    go();
    await rig.until(async () => (await rig.headOf(slot))?.sources.length === 0);
  });

  it("are copied in the end, though the object store refuses for a while", async () => {
    const rig = new ClusterRig({ tierLimits: { checkpointDueMs: 5_000 } });
    const only = await alone(rig);
    const topic = await rig.createTopic("t");
    const slot = rig.slotOf(topic);
    await rig.append(topic, 0);
    rig.kill(only);
    rig.objects.rates = { perThousand: { slowDown: 700 } };
    await rig.restart(only);
    await rig.pass(30_000);
    rig.objects.rates = { perThousand: {} };
    await rig.settled();
    await rig.until(async () => (await rig.headOf(slot))?.sources.length === 0, 200_000);
    await rig.restart(only);
    await rig.settled();
    expect(await rig.values(topic)).toEqual([0]);
  });

  it("of an older epoch of one incarnation give nothing that was written at it", async () => {
    const rig = new ClusterRig({ tierLimits: noRounds });
    const brokers = await rig.start(1, 2);
    const topic = await rig.createTopic("t");
    const slot = rig.slotOf(topic);
    const first = await rig.leaderOf(slot);
    const second = otherThan(first, brokers);
    await rig.append(topic, 0);
    for (const [from, to] of [
      [first, second],
      [second, first],
    ] as const) {
      await rig.wish([slot], from, to);
      await rig.until(async () => (await rig.leaders())[slot] === to.incarnation);
      await rig.settled();
    }
    // What the move packed goes away; the journal of the first epoch still has the record.
    const owner = await rig.run(first.partitions.open(topic, 0));
    await rig.run(owner.deleteRecordsBefore(1));
    await rig.append(topic, 1);
    rig.kill(first);
    await rig.settled();
    expect(await rig.values(topic)).toEqual([1]);
  });
});

describe("claims", () => {
  it("of two who were given a slot one after another leave one owner, and lose nothing", async () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const rig = new ClusterRig({ seed });
      const [first, second, third] = await rig.start(1, 2, 3);
      if (first === undefined || second === undefined || third === undefined) throw new Error("no");
      const topic = await rig.createTopic("t", 6);
      for (let one = 0; one < 6; one += 1) await rig.append(topic, one, one);
      rig.kill(first);
      // It gets some slots, and stands still in the middle of its claims.
      let calls = 0;
      second.life.fate = ({ key }) => {
        if (key.endsWith("/head")) calls += 1;
        if (calls === seed) second.life.pause();
        return "goes";
      };
      await rig.pass(12_000);
      second.life.fate = () => "goes";
      second.life.resume();
      await rig.pass(10_000);
      await rig.settled();
      for (let one = 0; one < 6; one += 1) expect(await rig.values(topic, one)).toEqual([one]);
      const owners = await Promise.all(
        Array.from({ length: rig.slots }, (_, slot) => rig.headOf(slot as Slot)),
      );
      expect(new Set(owners.map((head) => head?.owner)).size).toBeLessThanOrEqual(3);
      for (const broker of [second, third]) expect(broker.errors).toEqual([]);
    }
  });
});

describe("a former owner's journal with an object missing", () => {
  it("keeps its partitions offline, says so, and holds up no other slot; found, it is served", async () => {
    const rig = new ClusterRig();
    const brokers = await rig.start(1, 2);
    const topic = await rig.createTopic("t", 8);
    const [dead, taker] = brokers;
    if (dead === undefined || taker === undefined) throw new Error("nobody");
    for (let one = 0; one < 8; one += 1) await rig.append(topic, one, one);
    const led = [0, 1, 2, 3, 4, 5, 6, 7].filter((one) => {
      return dead.cluster.view.leads(rig.slotOf(topic, one));
    });
    // So that its last heartbeat tells of all of it.
    await rig.pass(1_000);
    const prefix = `${dead.cluster.clusterId}/journal/${dead.incarnation}/`;
    const { objects } = await rig.kept.list({ prefix, limit: 100 });
    rig.objects.lose(objects.at(-1)?.key ?? "");
    rig.kill(dead);
    await rig.until(() => taker.errors.length > 0);
    await rig.pass(2_000);
    const [lost = 0] = led;
    await expect(rig.run(taker.partitions.open(topic, lost))).rejects.toMatchObject({
      name: "DiskError",
      retriable: false,
    });
    const own = [0, 1, 2, 3, 4, 5, 6, 7].find((one) => !led.includes(one)) ?? 0;
    const served = await rig.run(taker.partitions.open(topic, own));
    expect(await rig.run(valuesOf(served))).toEqual([own]);
    const records = batchOf([50]);
    const more = await rig.run(served.append({ waitFor: "durable", records }));
    expect(more).toMatchObject({ kind: "appended" });
    const metrics = (): string => taker.broker.broker.metrics.exposition();
    expect(metrics()).toMatch(/^millrace_takeover_lost_slots [1-9]/mu);
    expect(metrics()).toMatch(/^millrace_takeover_slots\{stage="adopting"\} [1-9]/mu);
    rig.objects.findLost();
    await rig.pass(12_000);
    expect(metrics()).toContain("\nmillrace_takeover_lost_slots 0\n");
    const found = await rig.run(taker.partitions.open(topic, lost));
    expect(await rig.run(valuesOf(found))).toEqual([lost]);
  });
});
