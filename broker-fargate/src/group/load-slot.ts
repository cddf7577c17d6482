import {
  ClassicGroup,
  type Item,
  type KeyRange,
  type KeySeeker,
  keys,
  keysUnder,
  type Slot,
  slot as slotOf,
  readingItem,
  UnreadableItemError,
} from "@millrace/core";
import { readAll, retried, type StoreAccess } from "../cluster/persist.ts";
import type { GroupSlot } from "./group-slot.ts";
import type { SlotWriter } from "./slot-writer.ts";
import { readBlock, readGroup } from "./stored-group.ts";

const pageLimit = 200;

/**
 * Reads all groups and offsets of a slot whose head is ours, and lets their members' sessions go
 * on. Nothing is written: a restart makes nobody join again.
 */
export async function loadSlot(
  access: StoreAccess,
  groups: GroupSlot,
  about: { readonly writer: SlotWriter; readonly unwrittenMs: number },
): Promise<void> {
  const { writer, unwrittenMs } = about;
  groups.start(writer);
  const itemsByName = new Map<string, Item[]>();
  const range = groupRange(groups.slot);
  for await (const item of readAll(access, keysUnder(range, pageLimit))) {
    writer.learn(item);
    const [name = ""] = item.key.slice(range.length + 1).split("/");
    const items = itemsByName.get(name);
    // A group's items come in their order, but other groups' may lie between them.
    if (items === undefined) itemsByName.set(name, [item]);
    else items.push(item);
  }
  for (const [first, ...further] of itemsByName.values()) {
    if (first === undefined) continue;
    const { groupId, snapshot } = readGroup(first, further);
    const classic = readingItem(first.key, () => ClassicGroup.restore(groupId, snapshot));
    groups.hold(groupId, { classic, itemCount: 1 + further.length });
  }
  for await (const item of readAll(access, keysUnder(offsetsRange(groups.slot), pageLimit))) {
    writer.learn(item);
    const { groupId, offsets } = readBlock(item);
    const held = groups.hold(groupId).offsets;
    readingItem(item.key, () => held.restore(blockOf(item), offsets, unwrittenMs));
  }
  for (const held of groups.groups.values()) groups.resume(held);
}

/** Slots, and how they are looked into. */
export interface SlotSearch {
  readonly first: number;
  readonly end: number;
  /** Others are not even read. */
  readonly leads: (slot: Slot) => boolean;
  readonly seeker: KeySeeker | undefined;
}

/**
 * The slots that hold any group, from `first` on and before `end`: worth opening. Each costs a
 * read, and a second one when other items lie between groups and offsets; with a seeker slots
 * without any item cost none.
 */
export function slotsWithGroups(access: StoreAccess, search: SlotSearch): AsyncIterable<Slot> {
  const { seeker } = search;
  return seeker === undefined ? readSlots(access, search) : soughtSlots(access, search, seeker);
}

async function* readSlots(access: StoreAccess, { end, first, leads }: SlotSearch) {
  for (let number = first; number < end; number += 1) {
    const slot = slotOf(number);
    if (leads(slot) && (await hasGroups(access, slot))) yield slot;
  }
}

async function hasGroups(access: StoreAccess, slot: Slot): Promise<boolean> {
  const { from } = keysUnder(groupRange(slot), 1);
  const offsets = keysUnder(offsetsRange(slot), 1);
  const key = await firstKey(access, { ...offsets, from });
  if (key === undefined) return false;
  if (key.startsWith(from) || key.startsWith(offsets.from)) return true;
  return (await firstKey(access, offsets)) !== undefined;
}

async function firstKey(access: StoreAccess, range: KeyRange): Promise<string | undefined> {
  for await (const { key } of readAll(access, range)) return key;
  return undefined;
}

/** From one key that may be a group's to the next: groups come before offsets in their slot. */
async function* soughtSlots(
  access: StoreAccess,
  { end, first, leads }: SlotSearch,
  seeker: KeySeeker,
): AsyncGenerator<Slot> {
  const to = keys.slot(slotOf(end));
  let from = keys.slot(slotOf(first));
  for (;;) {
    const bounds = { from, to };
    const key = await retried(access, () => seeker.firstKey(bounds));
    if (key === undefined) return;
    const slot = slotIn(key);
    const next = keys.slot(slotOf(slot + 1));
    const ranges = [`${groupRange(slot)}/`, `${offsetsRange(slot)}/`];
    const isGroups = ranges.some((range) => key.startsWith(range));
    if (isGroups && leads(slot)) yield slot;
    from = isGroups ? next : (ranges.find((range) => range > key) ?? next);
  }
}

function groupRange(slot: Slot): string {
  return `${keys.slot(slot)}/group`;
}

function offsetsRange(slot: Slot): string {
  return `${keys.slot(slot)}/offsets`;
}

function slotIn(key: string): Slot {
  return slotOf(Number(key.split("/")[1]));
}

function blockOf(item: Item): number {
  const block = Number(item.key.slice(item.key.lastIndexOf("/") + 1));
  if (!Number.isSafeInteger(block)) throw new UnreadableItemError(item.key, "no block number");
  return block;
}
