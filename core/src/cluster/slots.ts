import { type Slot, slot, type TopicId } from "../ids.ts";

/**
 * A partition's slot: `(hash(topicId) + partition) mod slots`, so that a topic's consecutive
 * partitions lie in different slots. Part of format 1: it never changes.
 */
export function slotOfPartition(topic: TopicId, partition: number, slots: number): Slot {
  return slot((hashOf(topic) + partition) % slots);
}

/** The same from the slot of the topic's partition 0: for many, without hashing the id for each. */
export function slotOfLater(first: Slot, partition: number, slots: number): Slot {
  return slot((first + partition) % slots);
}

/** The slot of a group's or a transactional id's coordinator. Part of format 1. */
export function slotOfGroup(group: string, slots: number): Slot {
  return slot(hashOf(group) % slots);
}

/**
 * 32 bits, unsigned: FNV-1a over the UTF-16 units, low byte first, then MurmurHash3's finaliser,
 * which spreads what FNV leaves in the low bits of short names.
 */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
