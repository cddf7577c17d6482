import { keys, MetadataError, ObjectError, type Slot, type TopicId } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { NotLeaderError } from "../cluster/cluster-view.ts";
import type { AppendResult } from "../partition/append.ts";
import { batchOf } from "../partition/fixtures.ts";
import { ClusterRig, otherThan, type RigBroker } from "../../../test/fixtures/cluster-rig.ts";
import type { RigCall } from "../../../test/fixtures/rig-life.ts";

interface Scene {
  readonly rig: ClusterRig;
  readonly topic: TopicId;
  readonly slot: Slot;
  readonly from: RigBroker;
  readonly to: RigBroker;
}

/** Two brokers, and a topic of one partition with one record, whose slot is to be moved. */
async function scene(options: ConstructorParameters<typeof ClusterRig>[0] = {}): Promise<Scene> {
  const rig = new ClusterRig(options);
  const brokers = await rig.start(1, 2);
  const topic = await rig.createTopic("t");
  await rig.append(topic, 0);
  const slot = rig.slotOf(topic);
  const from = await rig.leaderOf(slot);
  return { rig, topic, slot, from, to: otherThan(from, brokers) };
}

function isRelease({ slot }: Scene): (call: RigCall) => boolean {
  return (call) => {
    if (call.kind !== "transact") return false;
    return call.writes.some((write) => {
      return write.kind === "put" && write.key === keys.head(slot) && write.value["owner"] === null;
    });
  };
}

function isLeadership(call: RigCall): boolean {
  if (call.kind !== "transact") return false;
  return call.writes.some(({ key }) => key === keys.leadership);
}

async function led({ rig, slot }: Scene, by: RigBroker): Promise<boolean> {
  return (await rig.leaders())[slot] === by.incarnation;
}

describe("a graceful move", () => {
  it("hands the slot over with all of it, by its packs alone", async () => {
    const at = await scene();
    const { from, rig, slot, to, topic } = at;
    await rig.wish([slot], from, to);
    const tookMs = await rig.until(() => led(at, to));
    expect(tookMs).toBeLessThan(2_000);
    await rig.settled();
    const { sources } = (await rig.headOf(slot)) ?? {};
    expect(sources).toMatchObject([{ incarnation: from.incarnation, released: true }]);
    expect(await rig.values(topic)).toEqual([0]);
    const reads = to.life.calls.filter(({ kind, key }) => kind === "read" && /journal/.test(key));
    expect(reads).toEqual([]);
    expect(await rig.append(topic, 1)).toBe(1);
    expect([from.over, to.over]).toEqual([[], []]);
  });

  it("keeps the packs of a released slot until the next owner has copied them", async () => {
    const at = await scene({ tierLimits: { checkpointDueMs: 5_000, checkpointsMax: 2 } });
    const { from, rig, slot, to } = at;
    const topic = await rig.createTopic("two", 16);
    const all = Array.from({ length: 16 }, (_, index) => index);
    const [one = 0, two = 0] = all.filter((each) => rig.slotOf(topic, each) === slot);
    const kept = all.find((each) => rig.slotOf(topic, each) === (slot + 2) % 4) ?? 0;
    expect(await rig.leaderOf(rig.slotOf(topic, kept))).toBe(from);
    // The section comes to lie in another checkpoint than the first of the images that it names.
    await rig.append(topic, 1, one);
    await rig.pass(6_000);
    await rig.append(topic, 2, two);
    await rig.pass(6_000);
    to.life.fate = ({ kind, key }) => {
      return kind === "put" && key.includes("/checkpoint/") ? stuck() : "goes";
    };
    await rig.wish([slot], from, to);
    await rig.until(() => led(at, to));
    await rig.settled();
    for (let round = 0; round < 8; round += 1) {
      await rig.append(topic, round, kept);
      await rig.pass(6_000);
    }
    expect(await rig.values(topic, one)).toEqual([1]);
    expect(await rig.values(topic, two)).toEqual([2]);
    rig.kill(to);
    await rig.settled();
    expect(await rig.values(topic, one)).toEqual([1]);
    const prefix = `${from.cluster.clusterId}/checkpoint/${from.incarnation}/`;
    const count = async (): Promise<number> => {
      return (await rig.kept.list({ prefix, limit: 100 })).objects.length;
    };
    // Once it is copied, what lay only in the old ones goes.
    await rig.append(topic, 9, kept);
    await rig.pass(20_000);
    expect(await count()).toBeLessThanOrEqual(3);
  });

  it("brings a slot back to the same incarnation without its old entries", async () => {
    const at = await scene();
    const { from, rig, slot, to, topic } = at;
    await rig.wish([slot], from, to);
    await rig.until(() => led(at, to));
    await rig.settled();
    await rig.append(topic, 1);
    await rig.wish([slot], to, from);
    await rig.until(() => led(at, from));
    await rig.settled();
    await rig.append(topic, 2);
    rig.kill(from);
    await rig.settled();
    expect(await rig.values(topic)).toEqual([0, 1, 2]);
    expect(await rig.append(topic, 3)).toBe(3);
  });

  it("takes nothing of a partition that is touched first while the slot is closed", async () => {
    const at = await scene();
    const { from, rig, slot, to } = at;
    const topic = await rig.createTopic("untouched", 16);
    const all = Array.from({ length: 16 }, (_, index) => index);
    const partition = all.find((one) => rig.slotOf(topic, one) === slot) ?? 0;
    let late: Promise<unknown> | undefined;
    const touch = async (): Promise<unknown> => {
      try {
        const owner = await from.partitions.open(topic, partition);
        return await owner.append({ waitFor: "durable", records: batchOf([7]) });
      } catch (error) {
        return error;
      }
    };
    const release = isRelease(at);
    from.life.fate = (call) => {
      // All is handed over by now, and the heads are not released yet.
      if (release(call)) late ??= touch();
      return "goes";
    };
    await rig.wish([slot], from, to);
    await rig.until(() => led(at, to));
    expect(await rig.run(late ?? Promise.resolve())).toBeInstanceOf(NotLeaderError);
    await rig.settled();
    expect(await rig.values(topic, partition)).toEqual([]);
  });

  it("that is called off lets appends go on, in order, and loses none", async () => {
    const refusedPut = new ObjectError("denied", { retriable: false, applied: "no" });
    const late = (rig: ClusterRig): Promise<void> => {
      return new Promise((resolve) => rig.clock.after(4_500, resolve));
    };
    for (const fate of [() => Promise.reject(refusedPut), late]) {
      const at = await scene();
      const { from, rig, slot, to, topic } = at;
      const owner = from.partitions.find(topic, 0);
      if (owner === undefined) throw new Error("not loaded");
      const during: Promise<AppendResult>[] = [];
      let metClosed = 0;
      from.life.fate = ({ kind, key }) => {
        if (kind !== "put" || !key.includes("/checkpoint/")) return "goes";
        const isClosed = from.cluster.findOpenSlot(slot) === undefined;
        if (!isClosed) {
          // So that something is left to be handed over.
          const records = batchOf([1_000 + during.length], { padding: 20 });
          during.push(owner.append({ waitFor: "durable", records }));
          return "goes";
        }
        // What the stopped slots are to lie in is never stored, or too late.
        metClosed += 1;
        return fate(rig);
      };
      const results: Promise<AppendResult>[] = [];
      await rig.wish([slot], from, to);
      for (let value = 1; value < 120; value += 1) {
        const records = batchOf([value], { padding: 20 });
        results.push(owner.append({ waitFor: "durable", records }));
        await rig.pass(100);
      }
      expect(metClosed).toBeGreaterThan(0);
      expect(await led(at, from)).toBe(true);
      const taken = await rig.run(takenOf(results, 1));
      expect(taken.length).toBeGreaterThan(40);
      const all = [0, ...taken, ...(await rig.run(takenOf(during, 1_000)))];
      const values = await rig.values(topic);
      expect(values.toSorted()).toEqual(all.toSorted());
      expect(values.filter((value) => value < 1_000)).toEqual([0, ...taken]);
      rig.kill(from);
      await rig.settled();
      expect(await rig.values(topic)).toEqual(values);
    }
  });

  it("waits for slots that are being opened, so that nobody has to be fenced", async () => {
    const at = await scene();
    const { from, rig, slot, to } = at;
    const topic = await rig.createTopic("untouched", 16);
    const all = Array.from({ length: 16 }, (_, index) => index);
    const partition = all.find((one) => rig.slotOf(topic, one) === (slot + 2) % 4) ?? 0;
    const other = rig.slotOf(topic, partition);
    expect(await rig.headOf(other)).toBeUndefined();
    let touched: Promise<unknown> | undefined;
    from.life.fate = ({ kind, key }) => {
      if (kind === "put" && key.includes("/checkpoint/")) {
        touched ??= from.partitions.open(topic, partition).catch((error: unknown) => error);
      }
      if (kind !== "transact" || key !== keys.head(other)) return "goes";
      return new Promise((resolve) => rig.clock.after(1_000, resolve));
    };
    await rig.append(at.topic, 1);
    await rig.wish([slot, other], from, to);
    await rig.until(async () => (await rig.leaders())[other] === to.incarnation);
    await rig.run(touched ?? Promise.reject(new Error("never touched")));
    await rig.pass(2_000);
    await rig.append(topic, 5, partition);
    expect(await rig.values(topic, partition)).toEqual([5]);
    expect([from.over, to.over]).toEqual([[], []]);
  });

  it("whose target dies goes to somebody else", async () => {
    const rig = new ClusterRig();
    const [first, second, third] = await rig.start(1, 2, 3);
    if (first === undefined || second === undefined || third === undefined) throw new Error("no");
    const topic = await rig.createTopic("t");
    await rig.append(topic, 0);
    const slot = rig.slotOf(topic);
    const from = await rig.leaderOf(slot);
    const [to] = [first, second, third].filter((one) => one !== from);
    if (to === undefined) throw new Error("nobody");
    await rig.wish([slot], from, to);
    rig.kill(to);
    await rig.settled();
    expect(await rig.values(topic)).toEqual([0]);
    expect(await rig.append(topic, 1)).toBe(1);
    expect(from.over).toEqual([]);
  });

  it("is completed although the files of the cache can't be removed", async () => {
    const at = await scene();
    const { from, rig, slot, to, topic } = at;
    from.disk.failNext({ operation: "removeFolder", times: 1 });
    const owner = from.partitions.find(topic, 0);
    await rig.wish([slot], from, to);
    await rig.until(() => led(at, to));
    const late = owner?.append({ waitFor: "durable", records: batchOf([9]) });
    expect(await late).toMatchObject({ kind: "refused", reason: "notLeader" });
    await rig.settled();
    expect(await rig.values(topic)).toEqual([0]);
  });

  it("is called off where the store goes away before it, so that the slot serves meanwhile", async () => {
    const at = await scene();
    const { from, rig, to, topic } = at;
    const owner = from.partitions.find(topic, 0);
    if (owner === undefined) throw new Error("not loaded");
    let [isAway, wasAway] = [false, false];
    for (const one of [from, to]) {
      one.life.fate = (call) => {
        isAway ||= !wasAway && isRelease(at)(call);
        const isAsked = call.kind === "get" || call.kind === "range" || call.kind === "transact";
        return isAway && isAsked ? Promise.reject(storeRefuses) : "goes";
      };
    }
    await rig.wish([at.slot], from, to);
    await rig.until(() => Promise.resolve(isAway));
    wasAway = true;
    await rig.pass(5_000);
    const records = batchOf([1], { padding: 20 });
    const result = await rig.run(owner.append({ waitFor: "durable", records }));
    expect(result.kind).toBe("appended");
    isAway = false;
    await rig.until(() => led(at, to));
    await rig.settled();
    expect(await rig.values(topic)).toEqual([0, 1]);
    expect([from.over, to.over]).toEqual([[], []]);
  });

  it("of many slots is completed though the store fails in the middle of the release", async () => {
    const rig = new ClusterRig({ slots: 150 });
    const [first, second] = await rig.start(1, 2);
    if (first === undefined || second === undefined) throw new Error("no");
    const topic = await rig.createTopic("t", 200);
    for (let partition = 0; partition < 200; partition += 1) {
      await rig.append(topic, partition, partition);
    }
    const slots = (await rig.leaders()).flatMap((one, slot) => {
      return one === first.incarnation ? [slot as Slot] : [];
    });
    expect(slots.length).toBeGreaterThan(60);
    let releases = 0;
    first.life.fate = (call) => {
      const isHeads = call.kind === "transact" && call.writes.length > 20;
      if (isHeads) releases += 1;
      // Seven tries are one call of the opener.
      return isHeads && releases > 1 && releases < 9 ? Promise.reject(storeAway) : "goes";
    };
    await rig.wish(slots, first, second);
    await rig.until(async () => (await rig.leaders()).every((one) => one === second.incarnation));
    await rig.settled();
    for (let partition = 0; partition < 200; partition += 40) {
      expect(await rig.values(topic, partition)).toEqual([partition]);
    }
    expect([first.over, second.over]).toEqual([[], []]);
  });

  it("survives the death of its actor before and after each of its writes", async () => {
    const steps: readonly ((call: RigCall, at: Scene) => boolean)[] = [
      ({ kind, key }) => kind === "put" && key.includes("/checkpoint/"),
      ({ kind, key }) => kind === "transact" && key.startsWith("incarnation/"),
      (call, at) => isRelease(at)(call),
      isLeadership,
    ];
    for (const step of steps) {
      for (const fate of ["diesBefore", "diesAfter"] as const) {
        const at = await scene();
        const { from, rig, slot, to, topic } = at;
        await rig.append(topic, 1);
        from.life.fate = (call) => (step(call, at) ? fate : "goes");
        await rig.wish([slot], from, to);
        await rig.until(() => from.life.isDead);
        rig.kill(from);
        await rig.until(() => led(at, to));
        await rig.settled();
        expect(await rig.values(topic)).toEqual([0, 1]);
        expect(await rig.append(topic, 2)).toBe(2);
        expect(to.over).toEqual([]);
      }
    }
  });
});

/** Values of the appends that were taken, the first of which was `first`. */
async function takenOf(
  results: readonly Promise<AppendResult>[],
  first: number,
): Promise<readonly number[]> {
  const settled = await Promise.all(results);
  return settled.flatMap((result, index) => (result.kind === "appended" ? [first + index] : []));
}

const storeRefuses = new MetadataError("away", { retriable: true, applied: "no" });
const storeAway = new MetadataError("away", { retriable: true, applied: "maybe" });

function stuck(): Promise<void> {
  return new Promise(() => undefined);
}
