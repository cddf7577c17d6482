import { assert } from "../assert.ts";
import {
  type BrokerId,
  type Epoch,
  epoch,
  type IncarnationId,
  incarnationId,
  type Slot,
} from "../ids.ts";

/**
 * The whole cluster's leadership, one item: which incarnation leads which slots at which epoch. An
 * epoch belongs to one incarnation and is never used again; a restarted process serves nothing
 * until it stands here with a new one.
 *
 * Every change is a decision (`leadership-changes.ts`, `spread.ts`) from the value as it was read
 * to the next one, written on condition that the item is still as it was read.
 */
export interface Leadership {
  /** The newest epoch given. */
  readonly epoch: Epoch;
  /** How many incarnations there have been; the next one's counter is one more. */
  readonly incarnations: number;
  /** By slot, as many as the cluster has slots. Undefined: nobody leads it. */
  readonly leaders: readonly (SlotLeader | undefined)[];
  /** Who spreads slots and acts on the dead, before others do. */
  readonly controller: IncarnationId | undefined;
  /** What the controller wishes of live incarnations. Each slot stands in one of them at most. */
  readonly moves: readonly Move[];
}

/** Who leads a slot, and so its partitions, and coordinates its groups. */
export interface SlotLeader {
  readonly brokerId: BrokerId;
  readonly incarnation: IncarnationId;
  /** The leader epoch of the slot's partitions. */
  readonly epoch: Epoch;
}

/** A wish that `from`, which leads the slots, hands them over to `to`. Only `from` carries it out. */
export interface Move {
  /** Ascending. */
  readonly slots: readonly Slot[];
  readonly from: IncarnationId;
  readonly to: IncarnationId;
}

/** An incarnation that is alive and may be given slots. */
export interface Receiver {
  readonly brokerId: BrokerId;
  readonly incarnation: IncarnationId;
}

/** The next value, or that nothing is to be written. */
export type LeadershipChange = Leadership | "unchanged";

/** Before anything led a slot. */
export function noLeadership(slots: number): Leadership {
  return {
    epoch: epoch(0),
    incarnations: 0,
    leaders: Array.from({ length: slots }, () => undefined),
    controller: undefined,
    moves: [],
  };
}

/** Constant time. */
export function leaderOf(leadership: Leadership, slot: Slot): SlotLeader | undefined {
  return leadership.leaders[slot];
}

/** The slots that an incarnation leads, ascending. Takes a look at each slot. */
export function slotsOf(leadership: Leadership, incarnation: IncarnationId): readonly Slot[] {
  const slots: Slot[] = [];
  for (const [number, leader] of leadership.leaders.entries()) {
    if (leader?.incarnation === incarnation) slots.push(number as Slot);
  }
  return slots;
}

/** How many slots each incarnation leads; those without any are not there. */
export function slotCounts(leadership: Leadership): ReadonlyMap<IncarnationId, number> {
  const counts = new Map<IncarnationId, number>();
  for (const leader of leadership.leaders) {
    if (leader === undefined) continue;
    counts.set(leader.incarnation, (counts.get(leader.incarnation) ?? 0) + 1);
  }
  return counts;
}

/** A new incarnation's id: its counter and 128 random bits, as 32 hex digits. */
export function newIncarnationId(leadership: Leadership | undefined, bits: string): IncarnationId {
  return incarnationId(`${(leadership?.incarnations ?? 0) + 1}-${bits}`);
}

/** The counter of an incarnation: a later life has a larger one. */
export function counterOf(incarnation: IncarnationId): number {
  const counter = Number(incarnation.slice(0, incarnation.indexOf("-")));
  assert(Number.isSafeInteger(counter), "an incarnation begins with its counter");
  return counter;
}

/** Leadership after a broker that is alone took every slot, with a new epoch. */
export function takeEverySlot(
  before: Leadership | undefined,
  owner: Receiver & { readonly slots: number },
): Leadership {
  const next = epoch((before?.epoch ?? 0) + 1);
  const { brokerId, incarnation, slots } = owner;
  const leader: SlotLeader = { brokerId, incarnation, epoch: next };
  return {
    epoch: next,
    incarnations: (before?.incarnations ?? 0) + 1,
    leaders: Array.from({ length: slots }, () => leader),
    controller: undefined,
    moves: [],
  };
}
