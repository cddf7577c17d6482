import { assert } from "../assert.ts";
import type { IncarnationId, Slot } from "../ids.ts";
import type { Load } from "./heartbeat.ts";
import type { Leadership, LeadershipChange, Move, Receiver } from "./leadership.ts";
import { wishedCounts } from "./leadership-changes.ts";
import { moveSlotsMax } from "./limits.ts";

/**
 * The controller's wishes for balance: first that counts of slots differ by one at most, then that
 * the hottest broker's load comes down. Each broker takes part in one wish round at a time, with at
 * most `moveSlotsMax` slots, so that a mistake or a death costs little; the next round starts when
 * its wishes are done.
 */
export interface Balance {
  /** Alive, not draining, of a compatible version. */
  readonly receivers: readonly Receiver[];
  /** As their heartbeats tell. Those whose load is not known are not moved for load. */
  readonly loads: ReadonlyMap<IncarnationId, Load>;
}

/** Loads that differ by less are left as they are: a move costs more. */
const loadDifferenceMin = 1024 * 1024;
/** The part of the difference that a move must remove, so that slots do not go to and fro. */
const gainMin = 0.2;

export function spread(before: Leadership, balance: Balance): LeadershipChange {
  const round = new Round(before, balance.receivers);
  round.equaliseCounts();
  if (round.isBalanced) round.equaliseLoads(balance.loads);
  const wishes = round.wishes();
  return wishes.length === 0 ? "unchanged" : { ...before, moves: [...before.moves, ...wishes] };
}

class Round {
  readonly #owners: (IncarnationId | undefined)[];
  readonly #receivers: readonly Receiver[];
  /** Slots that each would lead with the open wishes and this round's done. */
  readonly #counts: Map<IncarnationId, number>;
  readonly #busy = new Set<IncarnationId>();
  readonly #moves = new Map<string, { from: IncarnationId; to: IncarnationId; slots: Slot[] }>();
  readonly #given = new Map<IncarnationId, number>();
  readonly #taken = new Map<IncarnationId, number>();

  constructor(before: Leadership, receivers: readonly Receiver[]) {
    this.#receivers = receivers.toSorted((a, b) => a.brokerId - b.brokerId);
    this.#owners = before.leaders.map((leader) => leader?.incarnation);
    this.#counts = wishedCounts(before);
    for (const { from, to, slots } of before.moves) {
      this.#busy.add(from).add(to);
      for (const slot of slots) this.#owners[slot] = to;
    }
  }

  get isBalanced(): boolean {
    const counts = this.#receivers.map((one) => this.#countOf(one.incarnation));
    return counts.length > 1 && Math.max(...counts) - Math.min(...counts) <= 1;
  }

  wishes(): readonly Move[] {
    return [...this.#moves.values()].map(({ from, to, slots }) => {
      return { slots: slots.toSorted((a, b) => a - b), from, to };
    });
  }

  equaliseCounts(): void {
    const targets = this.#targets();
    const surplus = (one: IncarnationId): number => this.#countOf(one) - (targets.get(one) ?? 0);
    for (;;) {
      const from = this.#extreme((one) => (this.#canGive(one) ? surplus(one) : 0));
      const to = this.#extreme((one) => (this.#canTake(one) ? -surplus(one) : 0));
      if (from === undefined || to === undefined) return;
      this.#wish(this.#bestSlot(from, to), from, to);
    }
  }

  /** One slot from the hottest broker to the coolest, and a cold one back if counts ask for it. */
  equaliseLoads(loads: ReadonlyMap<IncarnationId, Load>): void {
    const known = this.#receivers.filter(({ incarnation }) => loads.has(incarnation));
    const total = (one: Receiver): number => loads.get(one.incarnation)?.total ?? 0;
    const byLoad = known.toSorted((a, b) => total(b) - total(a) || a.brokerId - b.brokerId);
    const [hot, cool] = [byLoad[0], byLoad.at(-1)];
    if (hot === undefined || cool === undefined || hot === cool) return;
    const [from, to] = [hot.incarnation, cool.incarnation];
    if (this.#busy.has(from) || this.#busy.has(to)) return;
    const difference = total(hot) - total(cool);
    if (difference < loadDifferenceMin) return;
    const slot = this.#hotSlot(from, { difference, load: loads.get(from) });
    if (slot === undefined) return;
    const isFewer = this.#countOf(from) <= this.#countOf(to);
    const warm = new Set((loads.get(to)?.slots ?? []).map(([one]) => one));
    const back = this.#slotsOf(to).find((one) => !warm.has(one));
    if (isFewer && back === undefined) return;
    this.#wish(slot, from, to);
    if (isFewer && back !== undefined) this.#wish(back, to, from);
  }

  /** The slot whose move leaves the smallest difference, if that is gain enough. */
  #hotSlot(
    from: IncarnationId,
    { difference, load }: { readonly difference: number; readonly load: Load | undefined },
  ): Slot | undefined {
    let best: Slot | undefined;
    let least = difference * (1 - gainMin);
    for (const [slot, rate] of load?.slots ?? []) {
      const left = Math.abs(difference - 2 * rate);
      if (this.#owners[slot] !== from || left >= least) continue;
      best = slot;
      least = left;
    }
    return best;
  }

  /** As even as can be; who has most keeps one more, so that the fewest slots move. */
  #targets(): ReadonlyMap<IncarnationId, number> {
    const ids = this.#receivers.map((one) => one.incarnation);
    const total = ids.reduce((sum, one) => sum + this.#countOf(one), 0);
    const base = Math.floor(total / Math.max(1, ids.length));
    const byCount = ids.toSorted((a, b) => this.#countOf(b) - this.#countOf(a));
    const more = total - base * ids.length;
    return new Map(byCount.map((one, place) => [one, place < more ? base + 1 : base]));
  }

  /** The receiver with the largest positive value, the lowest broker id first. */
  #extreme(valueOf: (one: IncarnationId) => number): IncarnationId | undefined {
    let best: IncarnationId | undefined;
    let most = 0;
    for (const { incarnation } of this.#receivers) {
      const value = valueOf(incarnation);
      if (value <= most) continue;
      best = incarnation;
      most = value;
    }
    return best;
  }

  /**
   * Consecutive slots, which are a topic's consecutive partitions, shall lie on different brokers:
   * the slot that has most neighbours with `from` and fewest with `to`, the first of these.
   */
  #bestSlot(from: IncarnationId, to: IncarnationId): Slot {
    let best: number | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const slot of this.#slotsOf(from)) {
      const score = this.#nearby(slot, to) - this.#nearby(slot, from);
      if (score >= least) continue;
      best = slot;
      least = score;
    }
    assert(best !== undefined, "who has more than its share has a slot");
    return best as Slot;
  }

  /** Neighbours of a slot that are an incarnation's, as far as there are other brokers to go to. */
  #nearby(slot: Slot, incarnation: IncarnationId): number {
    const slots = this.#owners.length;
    let count = 0;
    for (let step = 1; step < this.#receivers.length; step += 1) {
      if (this.#owners[(slot + step) % slots] === incarnation) count += 1;
      if (this.#owners[(slot - step + slots * step) % slots] === incarnation) count += 1;
    }
    return count;
  }

  #slotsOf(incarnation: IncarnationId): readonly Slot[] {
    const slots: Slot[] = [];
    for (const [slot, owner] of this.#owners.entries()) {
      if (owner === incarnation) slots.push(slot as Slot);
    }
    return slots;
  }

  #wish(slot: Slot, from: IncarnationId, to: IncarnationId): void {
    const pair = `${from} ${to}`;
    const move = this.#moves.get(pair) ?? { from, to, slots: [] };
    move.slots.push(slot);
    this.#moves.set(pair, move);
    this.#owners[slot] = to;
    this.#counts.set(from, this.#countOf(from) - 1);
    this.#counts.set(to, this.#countOf(to) + 1);
    this.#given.set(from, (this.#given.get(from) ?? 0) + 1);
    this.#taken.set(to, (this.#taken.get(to) ?? 0) + 1);
  }

  #canGive(one: IncarnationId): boolean {
    return !this.#busy.has(one) && (this.#given.get(one) ?? 0) < moveSlotsMax;
  }

  #canTake(one: IncarnationId): boolean {
    return !this.#busy.has(one) && (this.#taken.get(one) ?? 0) < moveSlotsMax;
  }

  #countOf(one: IncarnationId): number {
    return this.#counts.get(one) ?? 0;
  }
}
