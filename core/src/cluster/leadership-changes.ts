import { assert } from "../assert.ts";
import { type Epoch, epoch, type IncarnationId, type Slot } from "../ids.ts";
import {
  counterOf,
  type Leadership,
  type LeadershipChange,
  type Move,
  type Receiver,
  type SlotLeader,
  slotCounts,
} from "./leadership.ts";

/**
 * Changes of leadership. Each is a function of the value as it was read, written on condition that
 * the item is still as it was read, together with the version item; a refused write reads again and
 * decides anew. Each gives every incarnation that receives slots one new epoch of its own.
 */

/** A new incarnation is counted, and leads nothing yet. Its id is `newIncarnationId(before, …)`. */
export function registered(before: Leadership, incarnation: IncarnationId): Leadership {
  const counter = counterOf(incarnation);
  assert(counter === before.incarnations + 1, `${incarnation} is not the next incarnation`);
  return { ...before, incarnations: counter };
}

export interface Takeover {
  /** Who writes it; becomes the controller where there is none alive. */
  readonly by: IncarnationId;
  /** Not alive, by what the writer knows: declared dead, closed, or not heard of at all. */
  readonly isDead: (incarnation: IncarnationId) => boolean;
  /** Who gets slots: alive, not draining, of a compatible version. None is dead. */
  readonly receivers: readonly Receiver[];
}

/**
 * Spreads the slots of dead incarnations, and those without a leader, over the receivers: in the
 * order of slots, each to whoever leads the fewest by then, the lowest broker id first. So a
 * topic's consecutive slots come to different brokers. Without a receiver nobody leads them.
 * Wishes of and for the dead are gone.
 */
export function takenFrom(before: Leadership, takeover: Takeover): LeadershipChange {
  const { by, isDead, receivers } = takeover;
  assert(!isDead(by), "the dead take nothing");
  assert(!receivers.some((one) => isDead(one.incarnation)), "no dead incarnation receives slots");
  const homeless: Slot[] = [];
  for (const [number, leader] of before.leaders.entries()) {
    if (leader === undefined || isDead(leader.incarnation)) homeless.push(number as Slot);
  }
  const given = dealt(before, homeless, receivers);
  const change = reassign(before, homeless, given);
  const { controller } = before;
  return settled(before, {
    ...change,
    controller: controller === undefined || isDead(controller) ? by : controller,
    moves: movesWithout(change.moves, ({ from, to }) => isDead(from) || isDead(to)),
  });
}

/** `from` has released the slots' heads; its own write gives them, and only what it still leads. */
export function moved(
  before: Leadership,
  move: {
    readonly slots: readonly Slot[];
    readonly from: IncarnationId;
    readonly to: Receiver;
  },
): LeadershipChange {
  return given(before, move);
}

/**
 * The same incarnation leads the slots again at a new epoch: it released their heads, and the move
 * failed. Only what it still leads.
 */
export function reassigned(
  before: Leadership,
  owner: Receiver & { readonly slots: readonly Slot[] },
): LeadershipChange {
  return given(before, { slots: owner.slots, from: owner.incarnation, to: owner });
}

/** Wishes taken back: the slots stay with whoever leads them. */
export function calledOff(before: Leadership, isOff: (move: Move) => boolean): LeadershipChange {
  return settled(before, { ...before, moves: movesWithout(before.moves, isOff) });
}

/**
 * Every slot of a live incarnation that leaves shall be handed over to the receivers, spread as
 * `takenFrom` spreads. Wishes of and for it are replaced. Without a receiver nothing is wished.
 */
export function drained(
  before: Leadership,
  leaving: { readonly from: IncarnationId; readonly receivers: readonly Receiver[] },
): LeadershipChange {
  const { from } = leaving;
  const receivers = leaving.receivers.filter((one) => one.incarnation !== from);
  const others = movesWithout(before.moves, (move) => move.from === from || move.to === from);
  const slots: Slot[] = [];
  for (const [number, leader] of before.leaders.entries()) {
    if (leader?.incarnation === from) slots.push(number as Slot);
  }
  const shares = dealt({ ...before, moves: others }, slots, receivers);
  const wishes = [...shares].map(([to, its]): Move => ({ slots: its, from, to: to.incarnation }));
  return settled(before, { ...before, moves: [...others, ...wishes] });
}

/** How many slots each would lead when all wishes are done. */
export function wishedCounts(leadership: Leadership): Map<IncarnationId, number> {
  const counts = new Map(slotCounts(leadership));
  for (const { slots, from, to } of leadership.moves) {
    counts.set(from, (counts.get(from) ?? 0) - slots.length);
    counts.set(to, (counts.get(to) ?? 0) + slots.length);
  }
  return counts;
}

/** Slots dealt out one by one, each to whoever has the fewest by then. Shares are ascending. */
function dealt(
  leadership: Leadership,
  slots: readonly Slot[],
  receivers: readonly Receiver[],
): ReadonlyMap<Receiver, readonly Slot[]> {
  const counts = wishedCounts(leadership);
  const byId = receivers.toSorted((a, b) => a.brokerId - b.brokerId);
  const shares = new Map<Receiver, Slot[]>();
  const countOf = (one: Receiver): number => counts.get(one.incarnation) ?? 0;
  for (const slot of slots) {
    let least: Receiver | undefined;
    for (const one of byId) if (least === undefined || countOf(one) < countOf(least)) least = one;
    if (least === undefined) break;
    counts.set(least.incarnation, countOf(least) + 1);
    const share = shares.get(least) ?? [];
    share.push(slot);
    shares.set(least, share);
  }
  return shares;
}

/** Each receiver leads its share at a new epoch; what of `slots` is in no share has no leader. */
function reassign(
  before: Leadership,
  slots: readonly Slot[],
  shares: ReadonlyMap<Receiver, readonly Slot[]>,
): Leadership {
  const leaders: (SlotLeader | undefined)[] = [...before.leaders];
  for (const slot of slots) leaders[slot] = undefined;
  let newest: Epoch = before.epoch;
  for (const [{ brokerId, incarnation }, share] of shares) {
    newest = epoch(newest + 1);
    const leader: SlotLeader = { brokerId, incarnation, epoch: newest };
    for (const slot of share) leaders[slot] = leader;
  }
  return { ...before, epoch: newest, leaders, moves: movesOfLed(before.moves, leaders) };
}

function given(
  before: Leadership,
  change: {
    readonly slots: readonly Slot[];
    readonly from: IncarnationId;
    readonly to: Receiver;
  },
): LeadershipChange {
  const { from, to } = change;
  const led = change.slots.filter((slot) => before.leaders[slot]?.incarnation === from);
  if (led.length === 0) return "unchanged";
  const gone = new Set<Slot>(led);
  const kept = before.moves.map((move) =>
    move.from === from ? { ...move, slots: move.slots.filter((slot) => !gone.has(slot)) } : move,
  );
  const after = reassign(before, led, new Map([[to, led]]));
  return { ...after, moves: movesOfLed(kept, after.leaders) };
}

function movesWithout(moves: readonly Move[], isOff: (move: Move) => boolean): readonly Move[] {
  return moves.filter((move) => !isOff(move));
}

/** A wish speaks only of slots that its `from` leads. */
function movesOfLed(
  moves: readonly Move[],
  leaders: readonly (SlotLeader | undefined)[],
): readonly Move[] {
  const left: Move[] = [];
  for (const move of moves) {
    const slots = move.slots.filter((slot) => leaders[slot]?.incarnation === move.from);
    if (slots.length > 0) left.push(slots.length === move.slots.length ? move : { ...move, slots });
  }
  return left;
}

/** Nothing is written where nothing changes. */
function settled(before: Leadership, after: Leadership): LeadershipChange {
  const isSame =
    before.controller === after.controller &&
    before.leaders.every((leader, slot) => leader === after.leaders[slot]) &&
    JSON.stringify(before.moves) === JSON.stringify(after.moves);
  return isSame ? "unchanged" : after;
}
