import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { brokerId, type Epoch, type IncarnationId, type Slot, slot } from "../ids.ts";
import { itemBytesMax } from "../ports/metadata-store.ts";
import type { Load } from "./heartbeat.ts";
import {
  calledOff,
  drained,
  moved,
  reassigned,
  registered,
  takenFrom,
  wishedCounts,
} from "./leadership-changes.ts";
import { leadershipItem, readLeadership } from "./leadership-item.ts";
import {
  counterOf,
  type Leadership,
  type LeadershipChange,
  leaderOf,
  newIncarnationId,
  noLeadership,
  type Receiver,
  slotCounts,
  slotsOf,
} from "./leadership.ts";
import { moveSlotsMax } from "./limits.ts";
import { spread } from "./spread.ts";

const bits = "ab".repeat(16);
const noLoads: ReadonlyMap<IncarnationId, Load> = new Map();
const nobody = (): boolean => false;

/** A cluster's leadership with what its brokers know, and the invariants of every change. */
class Cluster {
  leadership: Leadership;
  live: Receiver[] = [];
  readonly #givenTo = new Map<Epoch, IncarnationId>();

  constructor(slots: number) {
    this.leadership = noLeadership(slots);
  }

  join(id: number): Receiver {
    const incarnation = newIncarnationId(this.leadership, bits);
    this.change((before) => registered(before, incarnation));
    const one = { brokerId: brokerId(id), incarnation };
    this.live = [...this.live.filter((other) => other.brokerId !== one.brokerId), one];
    return one;
  }

  takeOver(by: Receiver = this.first()): void {
    const alive = new Set(this.live.map((one) => one.incarnation));
    const isDead = (one: IncarnationId): boolean => !alive.has(one);
    this.change((before) =>
      takenFrom(before, { by: by.incarnation, isDead, receivers: this.live }),
    );
    const isLed = this.leadership.leaders.every((one) => one && alive.has(one.incarnation));
    expect(isLed).toBe(true);
    expect(alive.has(this.leadership.controller ?? by.incarnation)).toBe(true);
  }

  /** Every wish is carried out by its `from`. */
  carryOut(): void {
    for (const { slots, from, to } of this.leadership.moves) {
      const receiver = this.live.find((one) => one.incarnation === to);
      if (receiver !== undefined) this.change((b) => moved(b, { slots, from, to: receiver }));
    }
  }

  /** Rounds of wishes until nothing is left to wish. */
  settle(loads = noLoads): number {
    for (let rounds = 0; ; rounds += 1) {
      const wished = this.change((before) => spread(before, { receivers: this.live, loads }));
      if (!wished) return rounds;
      this.carryOut();
      expect(rounds).toBeLessThan(40);
    }
  }

  change(decide: (before: Leadership) => LeadershipChange): boolean {
    const before = this.leadership;
    const after = decide(before);
    expect(JSON.stringify(decide(before))).toBe(JSON.stringify(after));
    if (after === "unchanged") return false;
    this.leadership = after;
    this.#checkChange(before, after);
    return true;
  }

  counts(): readonly number[] {
    const counts = slotCounts(this.leadership);
    return this.live.map((one) => counts.get(one.incarnation) ?? 0);
  }

  first(): Receiver {
    const [one] = this.live;
    if (one === undefined) throw new Error("nobody is alive");
    return one;
  }

  #checkChange(before: Leadership, after: Leadership): void {
    const faults: string[] = [];
    if (after.epoch < before.epoch) faults.push("the newest epoch went back");
    for (const [number, leader] of after.leaders.entries()) {
      if (leader === undefined) continue;
      const owner = this.#givenTo.get(leader.epoch) ?? leader.incarnation;
      if (owner !== leader.incarnation) faults.push(`epoch ${leader.epoch} has two incarnations`);
      this.#givenTo.set(leader.epoch, leader.incarnation);
      const old = before.leaders[number];
      const isKept = old?.epoch === leader.epoch && old.incarnation === leader.incarnation;
      const isNew = leader.epoch > before.epoch && leader.epoch <= after.epoch;
      if (!isKept && !isNew) faults.push(`slot ${number} goes on at epoch ${leader.epoch}`);
    }
    const wished = new Set<Slot>();
    for (const { slots, from } of after.moves) {
      if (slots.length === 0) faults.push("a wish without slots");
      for (const one of slots) {
        if (wished.has(one)) faults.push(`slot ${one} is in two wishes`);
        if (leaderOf(after, one)?.incarnation !== from) faults.push(`slot ${one} is not its own`);
        wished.add(one);
      }
    }
    expect(faults).toEqual([]);
    for (const level of [1, 2]) {
      const item = { key: "leadership", version: 1, value: leadershipItem(after, level) };
      const read = readLeadership(item, after.leaders.length);
      expect(JSON.stringify(read)).toBe(JSON.stringify({ ...read, ...after }));
    }
  }
}

function clusterOf(brokers: number, slots: number): Cluster {
  const cluster = new Cluster(slots);
  for (let id = 1; id <= brokers; id += 1) cluster.join(id);
  cluster.takeOver();
  return cluster;
}

type Step =
  | { readonly kind: "join" | "die" | "drain" | "reassign"; readonly broker: number }
  | { readonly kind: "spread" | "carryOut" | "callOff" };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constantFrom("join" as const, "die" as const, "drain" as const, "reassign" as const),
      broker: fc.integer({ min: 1, max: 6 }),
    }),
    fc.record({
      kind: fc.constantFrom("spread" as const, "carryOut" as const, "callOff" as const),
    }),
  ),
  { maxLength: 25 },
);

function run(cluster: Cluster, step: Step): void {
  switch (step.kind) {
    case "join":
      cluster.join(step.broker);
      cluster.takeOver();
      return;
    case "die":
      if (cluster.live.length < 2) return;
      cluster.live = cluster.live.filter((one) => one.brokerId !== step.broker);
      cluster.takeOver();
      return;
    case "drain": {
      const from = cluster.live.find((one) => one.brokerId === step.broker)?.incarnation;
      if (from === undefined) return;
      cluster.change((before) => drained(before, { from, receivers: cluster.live }));
      const others = cluster.live.length > 1 ? 0 : slotsOf(cluster.leadership, from).length;
      expect(wishedCounts(cluster.leadership).get(from) ?? 0).toBe(others);
      return;
    }
    case "reassign": {
      const one = cluster.live.find((other) => other.brokerId === step.broker) ?? cluster.first();
      const slots = slotsOf(cluster.leadership, one.incarnation).slice(0, 3);
      cluster.change((before) => reassigned(before, { ...one, slots }));
      expect(slotsOf(cluster.leadership, one.incarnation)).toEqual(expect.arrayContaining(slots));
      return;
    }
    case "spread":
      cluster.change((b) => spread(b, { receivers: cluster.live, loads: noLoads }));
      return;
    case "carryOut":
      cluster.carryOut();
      return;
    case "callOff": {
      const [wish] = cluster.leadership.moves;
      cluster.change((before) => calledOff(before, (move) => move === wish));
    }
  }
}

describe("leadership", () => {
  it("keeps every rule of its epochs, whatever joins, dies, leaves and moves", () => {
    fc.assert(
      fc.property(steps, fc.constantFrom(1, 7, 32), (all, slots) => {
        const cluster = clusterOf(2, slots);
        for (const step of all) run(cluster, step);
        cluster.carryOut();
        cluster.settle();
        const counts = cluster.counts();
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        expect(cluster.leadership.moves).toEqual([]);
      }),
      { numRuns: 60, seed: 6 },
    );
  });

  it("deals the slots of the dead out one by one, so that consecutive ones lie apart", () => {
    const cluster = clusterOf(4, 1024);
    expect(cluster.counts()).toEqual([256, 256, 256, 256]);
    const ids = cluster.leadership.leaders.slice(0, 8).map((leader) => leader?.brokerId);
    expect(ids).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
    cluster.live = cluster.live.slice(1);
    cluster.takeOver();
    expect(Math.max(...cluster.counts())).toBe(342);
    const after = cluster.leadership.leaders.map((leader) => leader?.brokerId);
    expect([after[0], after[4], after[8], after[12]]).toEqual([2, 3, 4, 2]);
  });

  it("is a constant look for one slot, and a small item with 64 brokers and 1024 slots", () => {
    const cluster = clusterOf(64, 1024);
    expect(leaderOf(cluster.leadership, slot(65))?.brokerId).toBe(2);
    expect(JSON.stringify(leadershipItem(cluster.leadership, 2)).length).toBeLessThan(16_000);
    // The worst: every slot given at an epoch of its own.
    for (const one of cluster.live) {
      for (const single of slotsOf(cluster.leadership, one.incarnation)) {
        const after = reassigned(cluster.leadership, { ...one, slots: [single] });
        if (after !== "unchanged") cluster.leadership = after;
      }
    }
    const json = JSON.stringify(leadershipItem(cluster.leadership, 2));
    expect(json.length).toBeLessThan(itemBytesMax / 2);
  });

  it("lets the next in line be controller when the former one is dead, and nobody else", () => {
    const cluster = clusterOf(3, 6);
    const [one, two, three] = cluster.live;
    expect(cluster.leadership.controller).toBe(one?.incarnation);
    cluster.takeOver(two);
    expect(cluster.leadership.controller).toBe(one?.incarnation);
    cluster.live = cluster.live.slice(1);
    cluster.takeOver(three);
    expect(cluster.leadership.controller).toBe(three?.incarnation);
  });

  it("leaves slots without a leader where nobody may have them, and gives them out later", () => {
    const cluster = clusterOf(1, 4);
    const { incarnation } = cluster.first();
    const joined = cluster.join(2);
    const isDead = (one: IncarnationId): boolean => one === incarnation;
    const by = joined.incarnation;
    cluster.change((before) => takenFrom(before, { by, isDead, receivers: [] }));
    expect(cluster.leadership.leaders).toEqual([undefined, undefined, undefined, undefined]);
    expect(cluster.leadership.epoch).toBe(1);
    cluster.change((before) => takenFrom(before, { by, isDead, receivers: [joined] }));
    expect(slotsOf(cluster.leadership, by)).toEqual([0, 1, 2, 3]);
    const again = takenFrom(cluster.leadership, { by, isDead, receivers: [joined] });
    expect(again).toBe("unchanged");
  });

  it("takes the dead out of every wish", () => {
    const cluster = clusterOf(2, 8);
    cluster.join(3);
    cluster.change((b) => spread(b, { receivers: cluster.live, loads: noLoads }));
    expect(cluster.leadership.moves).toHaveLength(2);
    cluster.live = cluster.live.filter((one) => one.brokerId !== 3);
    cluster.takeOver();
    expect(cluster.leadership.moves).toEqual([]);
  });

  it("ignores a hand-over of slots that somebody else leads by now", () => {
    const cluster = clusterOf(2, 4);
    const [one, two] = cluster.live;
    if (one === undefined || two === undefined) throw new Error("two are alive");
    const slots = [slot(1), slot(3)];
    const late = { slots, from: one.incarnation, to: two };
    expect(moved(cluster.leadership, late)).toBe("unchanged");
    expect(reassigned(cluster.leadership, { ...one, slots })).toBe("unchanged");
  });

  it("declares nobody dead by itself", () => {
    const cluster = clusterOf(2, 4);
    const { incarnation: by } = cluster.first();
    const change = takenFrom(cluster.leadership, { by, isDead: nobody, receivers: cluster.live });
    expect(change).toBe("unchanged");
  });

  it("counts incarnations one by one", () => {
    const cluster = clusterOf(1, 1);
    expect(counterOf(newIncarnationId(cluster.leadership, bits))).toBe(2);
    const third = newIncarnationId({ ...cluster.leadership, incarnations: 2 }, bits);
    expect(() => registered(cluster.leadership, third)).toThrow(/not the next/);
  });
});

describe("a spread", () => {
  it("asks each broker for 128 slots at a time at most, and never one that takes part already", () => {
    const cluster = clusterOf(1, 1024);
    for (const id of [2, 3]) cluster.join(id);
    cluster.change((b) => spread(b, { receivers: cluster.live, loads: noLoads }));
    const wished = (end: "from" | "to"): number[] => {
      const sums = new Map<IncarnationId, number>();
      for (const move of cluster.leadership.moves) {
        sums.set(move[end], (sums.get(move[end]) ?? 0) + move.slots.length);
      }
      return [...sums.values()];
    };
    expect(Math.max(...wished("from"), ...wished("to"))).toBe(moveSlotsMax);
    const again = spread(cluster.leadership, { receivers: cluster.live, loads: noLoads });
    expect(again).toBe("unchanged");
    cluster.carryOut();
    cluster.settle();
    expect([...cluster.counts()].toSorted((a, b) => a - b)).toEqual([341, 341, 342]);
  });

  it("leaves consecutive slots on different brokers, whoever came when", () => {
    const cluster = clusterOf(1, 1024);
    cluster.join(2);
    cluster.settle();
    const ids = (): (number | undefined)[] =>
      cluster.leadership.leaders.map((leader) => leader?.brokerId);
    const alike = (all: readonly unknown[]): number =>
      all.filter((id, at) => id === all[at + 1]).length;
    expect(alike(ids())).toBeLessThan(4);
    cluster.join(3);
    cluster.settle();
    expect(alike(ids())).toBeLessThan(40);
  });

  it("moves a hot slot from the hottest to the coolest broker, and a cold one back", () => {
    const cluster = clusterOf(2, 6);
    const [one, two] = cluster.live;
    if (one === undefined || two === undefined) throw new Error("two are alive");
    const mib = 1024 * 1024;
    const loads = new Map<IncarnationId, Load>([
      [
        one.incarnation,
        {
          total: 10 * mib,
          slots: [
            [slot(0), 6 * mib],
            [slot(2), 4 * mib],
          ],
        },
      ],
      [two.incarnation, { total: 0, slots: [] }],
    ]);
    cluster.change((b) => spread(b, { receivers: cluster.live, loads }));
    expect(cluster.leadership.moves).toEqual([
      { slots: [0], from: one.incarnation, to: two.incarnation },
      { slots: [1], from: two.incarnation, to: one.incarnation },
    ]);
    expect(spread(clusterOf(2, 6).leadership, { receivers: cluster.live, loads: noLoads })).toBe(
      "unchanged",
    );
  });

  it("does not move the only hot slot to and fro", () => {
    const cluster = clusterOf(2, 6);
    const [one, two] = cluster.live;
    if (one === undefined || two === undefined) throw new Error("two are alive");
    const rate = 50 * 1024 * 1024;
    const loads = new Map<IncarnationId, Load>([
      [one.incarnation, { total: rate, slots: [[slot(0), rate]] }],
      [two.incarnation, { total: 0, slots: [] }],
    ]);
    expect(spread(cluster.leadership, { receivers: cluster.live, loads })).toBe("unchanged");
  });
});
