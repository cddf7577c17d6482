import type { BrokerId, IncarnationId, Slot, TopicId } from "../ids.ts";
import type { KeyRange } from "../ports/metadata-store.ts";

/**
 * The keys of a cluster's items, format 1. Everything that moves with a slot begins with
 * `slot/{slot}/`: one range, and, as keys of three or more components, one partition of the store
 * for each slot. Keys of two, as those of topics, are one partition together. Names of users'
 * things are escaped, so that none of them contains `/` or sorts outside its range.
 */
export const keys = {
  format: "format",
  /** Its item version moves with every change of leadership, topics or configs. */
  version: "version",
  leadership: "leadership",
  features: "features",
  producerIds: "producer-ids",
  clusterConfigs: "broker-config/default",
  user: (name: string): string => `user/${escaped(name)}`,
  /** Its item version moves with every deletion of a user. */
  userDeletions: "user-deletions",
  brokerConfigs: (broker: BrokerId): string => `broker-config/broker/${broker}`,
  incarnation: (id: IncarnationId): string => `incarnation/${id}`,
  heartbeat: (id: IncarnationId): string => `heartbeat/${id}`,
  topic: (name: string): string => `topic/${escaped(name)}`,
  /** A topic whose data is still to be removed. */
  deletion: (id: TopicId): string => `deletion/${id}`,
  slot: (slot: Slot): string => `slot/${slotText(slot)}`,
  head: (slot: Slot): string => `slot/${slotText(slot)}/head`,
  dirty: (slot: Slot, topic: TopicId, partition: number): string =>
    `slot/${slotText(slot)}/dirty/${topic}/${partition}`,
  partition: (slot: Slot, topic: TopicId, partition: number): string =>
    `slot/${slotText(slot)}/partition/${topic}/${partition}`,
  /** The cold segments of a partition, by the offset at which they begin. */
  segments: (slot: Slot, topic: TopicId, partition: number): string =>
    `slot/${slotText(slot)}/segment/${topic}/${partition}`,
  segment: (
    slot: Slot,
    place: { readonly topicId: TopicId; readonly partition: number; readonly baseOffset: number },
  ): string => {
    const offset = String(place.baseOffset).padStart(20, "0");
    return `${keys.segments(slot, place.topicId, place.partition)}/${offset}`;
  },
  group: (slot: Slot, group: string): string => `slot/${slotText(slot)}/group/${escaped(group)}`,
  offsets: (slot: Slot, group: string, block: string): string =>
    `slot/${slotText(slot)}/offsets/${escaped(group)}/${block}`,
} as const;

/** The range of the keys that begin with `{prefix}/`. */
export function keysUnder(prefix: string, limit: number): KeyRange {
  // "0" is the character after "/".
  return { from: `${prefix}/`, to: `${prefix}0`, limit };
}

/** Slots are padded, so that the ranges of slots lie in their order. */
function slotText(slot: Slot): string {
  return String(slot).padStart(5, "0");
}

/**
 * The characters of topic names stand for themselves. Every other UTF-16 unit becomes `~` and four
 * hexadecimal digits, also an unpaired surrogate; an empty name is `~`.
 */
function escaped(name: string): string {
  if (name === "") return "~";
  return name.replace(
    /[^A-Za-z0-9._-]/g,
    (unit) => `~${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The name that `keys.group` and `keys.offsets` escaped. */
export function unescapedName(text: string): string {
  if (text === "~") return "";
  return text.replace(/~([0-9a-f]{4})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}
