import { type BrokerId, epoch, type IncarnationId, incarnationId, type Slot } from "../ids.ts";
import type { Item, ItemValue, JsonValue } from "../ports/metadata-store.ts";
import type { Leadership, Move, SlotLeader } from "./leadership.ts";
import { formatSlots, parseSlots } from "./slot-list.ts";
import { UnreadableItemError } from "./topic.ts";

/**
 * The item of leadership: `{epoch, incarnations, controller?, assignments, moves?}`. An assignment
 * is `{broker, incarnation, epoch, slots: "0,3,6-9"}`. Where one incarnation leads every slot at
 * one epoch it is `{firstSlot, lastSlot, broker, incarnation, epoch}`, which is all that the first
 * versions of Millrace read.
 */
export function leadershipItem(leadership: Leadership): ItemValue {
  const { epoch: newest, incarnations, controller, moves } = leadership;
  return {
    epoch: newest,
    incarnations,
    ...(controller === undefined ? {} : { controller }),
    assignments: assignmentsOf(leadership),
    ...(moves.length === 0 ? {} : { moves: moves.map(moveJson) }),
  };
}

/** Throws UnreadableItemError. `slots`: how many the cluster has, from its format. */
export function readLeadership(item: Item, slots: number): Leadership {
  const { epoch: newest, incarnations, controller, assignments, moves } = item.value;
  if (typeof newest !== "number" || typeof incarnations !== "number") {
    throw new UnreadableItemError(item.key, "epoch or incarnations is missing");
  }
  const leaders = Array.from<SlotLeader | undefined>({ length: slots });
  for (const entry of listOf(item, assignments, "assignments")) assign(item, leaders, entry);
  const wishes = moves === undefined ? [] : listOf(item, moves, "moves");
  return {
    epoch: epoch(newest),
    incarnations,
    leaders,
    controller: typeof controller === "string" ? incarnationId(controller) : undefined,
    moves: wishes.map((entry) => readMove(item, { entry, slots })),
  };
}

function assignmentsOf({ leaders }: Leadership): JsonValue[] {
  // An epoch belongs to one incarnation, so it tells assignments apart.
  const byEpoch = new Map<number, { readonly leader: SlotLeader; readonly slots: Slot[] }>();
  for (const [number, leader] of leaders.entries()) {
    if (leader === undefined) continue;
    const group = byEpoch.get(leader.epoch) ?? { leader, slots: [] };
    group.slots.push(number as Slot);
    byEpoch.set(leader.epoch, group);
  }
  const groups = [...byEpoch.values()];
  return groups.map(({ leader, slots }) => {
    const { brokerId: broker, incarnation, epoch: given } = leader;
    const rest = { broker, incarnation, epoch: given };
    if (slots.length < leaders.length) return { ...rest, slots: formatSlots(slots) };
    return { firstSlot: 0, lastSlot: leaders.length - 1, ...rest };
  });
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
