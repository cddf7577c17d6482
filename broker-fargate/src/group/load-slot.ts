import {
  ClassicGroup,
  type Item,
  type KeyRange,
  keys,
  keysUnder,
  type Slot,
  slot as slotOf,
  UnreadableItemError,
} from "@millrace/core";
import { readAll, type StoreAccess } from "../cluster/persist.ts";
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
    const classic = ClassicGroup.restore(groupId, snapshot);
    groups.hold(groupId, { classic, itemCount: 1 + further.length });
  }
  for await (const item of readAll(access, keysUnder(offsetsRange(groups.slot), pageLimit))) {
    writer.learn(item);
    const { groupId, offsets } = readBlock(item);
    groups.hold(groupId).offsets.restore(blockOf(item), offsets, unwrittenMs);
  }
  for (const held of groups.groups.values()) groups.resume(held);
}

/**
 * The slots that hold any group, from `first` on and before `end`: worth opening. Each costs a
 * read, and a second one when other items lie between groups and offsets.
 */
export async function* slotsWithGroups(
  access: StoreAccess,
  { first, end }: { readonly first: number; readonly end: number },
): AsyncGenerator<Slot> {
  for (let number = first; number < end; number += 1) {
    const slot = slotOf(number);
    if (await hasGroups(access, slot)) yield slot;
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

function groupRange(slot: Slot): string {
  return `${keys.slot(slot)}/group`;
}

function offsetsRange(slot: Slot): string {
  return `${keys.slot(slot)}/offsets`;
}

function blockOf(item: Item): number {
  const block = Number(item.key.slice(item.key.lastIndexOf("/") + 1));
  if (!Number.isSafeInteger(block)) throw new UnreadableItemError(item.key, "no block number");
  return block;
}
