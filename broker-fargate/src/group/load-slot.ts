import {
  ClassicGroup,
  type Item,
  keys,
  keysUnder,
  type Slot,
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

/** Whether the slot has any group: worth opening. */
export async function hasGroups(access: StoreAccess, slot: Slot): Promise<boolean> {
  for (const prefix of [groupRange(slot), offsetsRange(slot)]) {
    for await (const item of readAll(access, keysUnder(prefix, 1))) return item.version > 0;
  }
  return false;
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
