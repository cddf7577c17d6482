import { type Epoch, type Item, keys, readHead, type Slot } from "@millrace/core";
import type { Guard } from "./guarded-writes.ts";

/**
 * What an owner of a slot writes under it at its epoch is guarded by the slot's head (ownership rule
 * 10). An epoch belongs to one incarnation, and a head that was handed over has no owner: neither a
 * successor's claim nor an own release is ever undone.
 */
export function headGuard(slot: Slot, epoch: Epoch): Guard {
  const allows = (item: Item | undefined): boolean => {
    const head = item === undefined ? undefined : readHead(item);
    return head?.epoch === epoch && head.owner !== undefined;
  };
  return { key: keys.head(slot), allows };
}
