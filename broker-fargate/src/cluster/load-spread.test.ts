/** Spreading by load as a loop: what brokers count is told, decided on, moved, and counted anew. */
import { SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import {
  brokerId,
  epoch,
  heartbeatMs,
  type IncarnationId,
  incarnationId,
  type Leadership,
  leaderOf,
  moved,
  newWatch,
  noLeadership,
  type Receiver,
  type Slot,
  slot,
  slotCounts,
} from "@millrace/core";
import { describe, expect, it } from "vitest";
import { Controller } from "./controller.ts";
import { loadQuietMs } from "./limits.ts";
import type { HeardMember } from "./members.ts";
import { SlotTraffic } from "./slot-traffic.ts";

const slots = 48;
const mb = 1024 * 1024;

interface LoopBroker extends Receiver {
  readonly traffic: SlotTraffic;
}

class Loop {
  readonly #clock = new VirtualClock();
  readonly #random = new SeededRandom(7);
  readonly #brokers: readonly LoopBroker[];
  readonly #controller: Controller;
  leadership: Leadership;
  /** Of which slots, in their order. */
  readonly moves: Slot[] = [];

  constructor(count: number) {
    this.#brokers = Array.from({ length: count }, (_, at) => ({
      brokerId: brokerId(at + 1),
      incarnation: incarnationId(`${at + 1}-${"ab".repeat(16)}`),
      traffic: new SlotTraffic(this.#clock, slots),
    }));
    const leaders = Array.from({ length: slots }, (_, at) => {
      const { brokerId: id, incarnation } = this.#broker(at % count);
      return { brokerId: id, incarnation, epoch: epoch(1) };
    });
    const { incarnation: controller } = this.#broker(0);
    this.leadership = { ...noLeadership(slots), epoch: epoch(1), leaders, controller };
    this.#controller = new Controller(this.#clock.monotonicMs());
  }

  /** Bytes per second of these slots, for so long, each time more or less by `noise` of itself. */
  async run(ms: number, rates: ReadonlyMap<Slot, number>, noise = 0): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += heartbeatMs) {
      for (const [one, rate] of rates) {
        const factor = 1 + noise * (this.#random.below(2001) / 1000 - 1);
        this.#leaderOf(one).traffic.count(one, (rate * factor * heartbeatMs) / 1000);
      }
      this.#clock.advance(heartbeatMs);
      this.#look();
    }
  }

  loads(rates: ReadonlyMap<Slot, number>): readonly number[] {
    return this.#brokers.map(({ incarnation }) =>
      [...rates]
        .filter(([one]) => leaderOf(this.leadership, one)?.incarnation === incarnation)
        .reduce((sum, [, rate]) => sum + rate, 0),
    );
  }

  /** The controller looks, and what it wishes is done at once. */
  #look(): void {
    const self = this.#broker(0).incarnation;
    const sight = {
      ...{ self, leadership: this.leadership, counterMax: 99, watch: newWatch(self) },
      ...{ open: this.#members(), level: 1, nowMs: this.#clock.monotonicMs() },
    };
    const wished = this.#controller.decide(sight)?.change(this.leadership) ?? "unchanged";
    if (wished === "unchanged") return;
    this.leadership = wished;
    for (const { from, slots: its, to: id } of wished.moves) {
      this.moves.push(...its);
      const to = this.#brokers.find((one) => one.incarnation === id);
      if (to === undefined) throw new Error("a wish for nobody");
      const change = moved(this.leadership, { slots: its, from, to });
      if (change !== "unchanged") this.leadership = change;
    }
  }

  #members(): readonly HeardMember[] {
    return this.#brokers.map(({ brokerId: id, incarnation, traffic }) => {
      const leads = (one: Slot): boolean =>
        leaderOf(this.leadership, one)?.incarnation === incarnation;
      const load = traffic.load(leads);
      const calm = { isAlone: false, isDraining: false };
      return {
        ...{ incarnation, brokerId: id, state: "open", listeners: [], rack: undefined },
        versions: { min: 1, max: 1 },
        heartbeat: { incarnation, counter: 1, durable: 0, load, seen: 0, ...calm },
      };
    });
  }

  #leaderOf(one: Slot): LoopBroker {
    const id: IncarnationId | undefined = leaderOf(this.leadership, one)?.incarnation;
    const found = this.#brokers.find(({ incarnation }) => incarnation === id);
    if (found === undefined) throw new Error("a slot without a leader");
    return found;
  }

  #broker(at: number): LoopBroker {
    const found = this.#brokers[at];
    if (found === undefined) throw new Error("no such broker");
    return found;
  }
}

/** Consecutive slots of the first broker of three. */
const ofTheFirst = (count: number, rate: number): ReadonlyMap<Slot, number> =>
  new Map(Array.from({ length: count }, (_, at) => [slot(3 * at), rate]));

describe("slots that are hot", () => {
  it("come to lie on different brokers, as many slots on each as before", async () => {
    const loop = new Loop(3);
    const rates = ofTheFirst(3, 10 * mb);
    await loop.run(4 * loadQuietMs, rates);
    expect(loop.loads(rates)).toEqual([10 * mb, 10 * mb, 10 * mb]);
    expect([...slotCounts(loop.leadership).values()]).toEqual([16, 16, 16]);
  });

  it("are not moved to and fro, while their load goes up and down by half", async () => {
    const loop = new Loop(3);
    const rates = ofTheFirst(9, 4 * mb);
    await loop.run(20 * loadQuietMs, rates, 0.5);
    const moves = loop.moves.length;
    const [most = 0, least = 0] = loop
      .loads(rates)
      .toSorted((a, b) => b - a)
      .filter((_, at) => at !== 1);
    expect(most - least).toBeLessThanOrEqual(8 * mb);
    await loop.run(20 * loadQuietMs, rates, 0.5);
    expect(loop.moves).toHaveLength(moves);
    // Each hot one once at most, and a cold one back for it.
    expect(moves).toBeLessThanOrEqual(2 * 6);
  });

  it("stay where one slot alone is hot: nobody could take a part of it", async () => {
    const loop = new Loop(2);
    await loop.run(4 * loadQuietMs, new Map([[slot(0), 50 * mb]]));
    expect(loop.moves).toEqual([]);
  });

  it("wait until what is told is of the slots as they are led", async () => {
    const loop = new Loop(3);
    const rates = ofTheFirst(4, 10 * mb);
    await loop.run(loadQuietMs - 2 * heartbeatMs, rates);
    expect(loop.moves).toEqual([]);
    await loop.run(4 * heartbeatMs, rates);
    // One hot slot, and a cold one for it: the next move waits for what this one brings.
    expect(loop.moves).toHaveLength(2);
  });
});
