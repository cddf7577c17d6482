/** Branded identifiers, each built by one checked function. Parse at the edge, trust inside. */

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/**
 * A topic's id: 32 lower-case hex digits, never zero, never used twice (KIP-516). It carries the
 * mark of wire's `Uuid` too, so that it goes into a message as it is.
 */
export type TopicId = Branded<string & { readonly __uuid: "Uuid" }, "TopicId">;
/** A broker's node id: an int32, 0 or more. */
export type BrokerId = Branded<number, "BrokerId">;
/** The unit of ownership: 0 … slots − 1. Partitions, groups and transactional ids hash to one. */
export type Slot = Branded<number, "Slot">;
/** A slot's epoch: the leader epoch of its partitions, the coordinator epoch of its groups. */
export type Epoch = Branded<number, "Epoch">;
/** One life of a broker process: `{counter}-{32 hex digits}`, never used twice. */
export type IncarnationId = Branded<string, "IncarnationId">;

const topicIdPattern = /^[0-9a-f]{32}$/;
const zeroId = "0".repeat(32);
const incarnationPattern = /^[0-9]{1,15}-[0-9a-f]{32}$/;
const maxInt32 = 0x7fffffff;

export function topicId(hex: string): TopicId {
  if (!topicIdPattern.test(hex) || hex === zeroId) throw new RangeError(`not a topic id: ${hex}`);
  return hex as TopicId;
}

export function brokerId(value: number): BrokerId {
  return int32(value, "broker id") as BrokerId;
}

export function slot(value: number): Slot {
  return int32(value, "slot") as Slot;
}

export function epoch(value: number): Epoch {
  return int32(value, "epoch") as Epoch;
}

export function incarnationId(text: string): IncarnationId {
  if (!incarnationPattern.test(text)) throw new RangeError(`not an incarnation id: ${text}`);
  return text as IncarnationId;
}

function int32(value: number, name: string): number {
  if (!Number.isInteger(value) || value < 0 || value > maxInt32) {
    throw new RangeError(`${name} out of range: ${value}`);
  }
  return value;
}
