import { type BrokerId, epoch, type IncarnationId, incarnationId, type Slot } from "../ids.ts";
import type { Item, ItemValue, JsonValue } from "../ports/metadata-store.ts";
import { type Leadership, type Move, noLeadership, type SlotLeader } from "./leadership.ts";
import { formatSlots, parseSlots } from "./slot-list.ts";
import { readingItem, UnreadableItemError } from "./unreadable-item.ts";

/** From this level of `millrace.version` on, an assignment lists all slots of an epoch. */
export const slotListsLevel = 2;

/**
 * The item of leadership: `{epoch, incarnations, controller?, assignments, moves?}`, as the finalised
 * level of `millrace.version` writes it. An assignment is `{broker, incarnation, epoch, slots:
 * "0,3,6-9"}`, one for each epoch; below `slotListsLevel` it is `{firstSlot, lastSlot, broker,
 * incarnation, epoch}`, one for each range. `epoch` and `incarnations` stay as they are at every
 * level: a version that cannot read the rest counts itself by them.
 */
export function leadershipItem(leadership: Leadership, level: number): ItemValue {
  const { epoch: newest, incarnations, controller, moves } = leadership;
  const assignments =
    level < slotListsLevel ? rangeAssignments(leadership) : listAssignments(leadership);
  return {
    epoch: newest,
    incarnations,
    ...(controller === undefined ? {} : { controller }),
    assignments,
    ...(moves.length === 0 ? {} : { moves: moves.map(moveJson) }),
  };
}

/** The item with one incarnation more, and all else as it is, in whatever form that may be. */
export function countedItem(item: Item | undefined): ItemValue {
  if (item === undefined) return { epoch: 0, incarnations: 1, assignments: [] };
  return { ...item.value, incarnations: readWithoutLeaders(item, 0).incarnations + 1 };
}

/**
 * What every version can read of leadership, whatever form its assignments have. By what such a
 * version knows, nobody leads anything. Throws UnreadableItemError.
 */
export function readWithoutLeaders(item: Item, slots: number): Leadership {
  return { ...noLeadership(slots), ...readingItem(item.key, () => readCounts(item)) };
}

/** Throws UnreadableItemError. `slots`: how many the cluster has, from its format. */
export function readLeadership(item: Item, slots: number): Leadership {
  return readingItem(item.key, () => leadershipOf(item, slots));
}

function leadershipOf(item: Item, slots: number): Leadership {
  const { controller, assignments, moves } = item.value;
  const leaders = Array.from<SlotLeader | undefined>({ length: slots });
  for (const entry of listOf(item, assignments, "assignments")) assign(item, leaders, entry);
  const wishes = moves === undefined ? [] : listOf(item, moves, "moves");
  return {
    ...readCounts(item),
    leaders,
    controller: typeof controller === "string" ? incarnationId(controller) : undefined,
    moves: wishes.map((entry) => readMove(item, { entry, slots })),
  };
}

function readCounts({ key, value }: Item): Pick<Leadership, "epoch" | "incarnations"> {
  const { epoch: newest, incarnations } = value;
  if (typeof newest !== "number" || typeof incarnations !== "number") {
    throw new UnreadableItemError(key, "epoch or incarnations is missing");
  }
  return { epoch: epoch(newest), incarnations };
}

interface Assigned {
  readonly leader: SlotLeader;
  readonly slots: Slot[];
}

function listAssignments({ leaders }: Leadership): JsonValue[] {
  // An epoch belongs to one incarnation, so it tells assignments apart.
  const byEpoch = new Map<number, Assigned>();
  let group: Assigned | undefined;
  for (let number = 0; number < leaders.length; number += 1) {
    const leader = leaders[number];
    if (leader === undefined) continue;
    if (group?.leader.epoch !== leader.epoch) {
      group = byEpoch.get(leader.epoch) ?? { leader, slots: [] };
      byEpoch.set(leader.epoch, group);
    }
    group.slots.push(number as Slot);
  }
  const groups = [...byEpoch.values()];
  return groups.map(({ leader, slots }) => {
    return { ...leaderJson(leader), slots: formatSlots(slots) };
  });
}

function rangeAssignments({ leaders }: Leadership): JsonValue[] {
  const assignments: JsonValue[] = [];
  for (let first = 0; first < leaders.length; ) {
    const leader = leaders[first];
    let end = first + 1;
    while (end < leaders.length && leaders[end]?.epoch === leader?.epoch) end += 1;
    if (leader !== undefined) {
      assignments.push({ firstSlot: first, lastSlot: end - 1, ...leaderJson(leader) });
    }
    first = end;
  }
  return assignments;
}

function leaderJson({ brokerId: broker, incarnation, epoch: given }: SlotLeader): ItemValue {
  return { broker, incarnation, epoch: given };
}

function moveJson({ slots, from, to }: Move): JsonValue {
  return { slots: formatSlots(slots), from, to };
}

type Entry = Readonly<Record<string, unknown>>;

function listOf(item: Item, value: JsonValue | undefined, name: string): readonly Entry[] {
  if (Array.isArray(value)) return value;
  throw new UnreadableItemError(item.key, `${name} is not a list`);
}

function assign(item: Item, leaders: (SlotLeader | undefined)[], entry: Entry): void {
  const { broker, incarnation, epoch: given } = entry;
  if (typeof broker !== "number" || typeof incarnation !== "string" || typeof given !== "number") {
    throw new UnreadableItemError(item.key, "an assignment is not complete");
  }
  const leader: SlotLeader = {
    brokerId: broker as BrokerId,
    incarnation: incarnationId(incarnation),
    epoch: epoch(given),
  };
  for (const slot of slotsOfEntry(item, entry, leaders.length)) {
    if (leaders[slot] !== undefined) {
      throw new UnreadableItemError(item.key, `slot ${slot} has two leaders`);
    }
    leaders[slot] = leader;
  }
}

function slotsOfEntry(item: Item, entry: Entry, slots: number): readonly Slot[] {
  const { firstSlot, lastSlot } = entry;
  const text =
    typeof firstSlot === "number" && typeof lastSlot === "number"
      ? `${firstSlot}-${lastSlot}`
      : entry["slots"];
  const found = typeof text === "string" ? parseSlots(text, slots) : undefined;
  if (found === undefined) throw new UnreadableItemError(item.key, "slots is not a list of slots");
  return found;
}

function readMove(
  item: Item,
  { entry, slots }: { readonly entry: Entry; readonly slots: number },
): Move {
  const { from, to } = entry;
  if (typeof from !== "string" || typeof to !== "string") {
    throw new UnreadableItemError(item.key, "a move is not complete");
  }
  const wished: readonly Slot[] = slotsOfEntry(item, entry, slots);
  const ids: Readonly<Record<"from" | "to", IncarnationId>> = {
    from: incarnationId(from),
    to: incarnationId(to),
  };
  return { slots: wished, ...ids };
}
