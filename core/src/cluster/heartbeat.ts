import { type IncarnationId, incarnationId, type Slot } from "../ids.ts";
import type { Item, ItemValue } from "../ports/metadata-store.ts";
import { hotSlotsMax } from "./limits.ts";
import { readingItem, UnreadableItemError } from "./unreadable-item.ts";

/**
 * What a member says every `heartbeatMs`, put unconditionally by it alone. Only that the counter
 * moves says that it is alive; nobody compares clocks.
 */
export interface Heartbeat {
  readonly incarnation: IncarnationId;
  readonly counter: number;
  /** Every entry of its journal below this seq is durable. A hint: a fence starts looking there. */
  readonly durable: number;
  readonly load: Load;
  /** It knows every change of leadership, topics and configs up to this version of the item. */
  readonly seen: number;
  /** It wants to leave: it gets no slots, and its own are to be moved away. */
  readonly isDraining: boolean;
  /** It knows of no other member: the next one comes after `aloneHeartbeatMs`. */
  readonly isAlone: boolean;
}

/** Bytes per second, in and out. */
export interface Load {
  readonly total: number;
  /** The hottest slots, at most `hotSlotsMax`, hottest first. */
  readonly slots: readonly (readonly [slot: Slot, bytesPerSecond: number])[];
}

/** `{counter, durable, load, slots: [[slot, bytes per second] …], seen, draining?, alone?}`. */
export function heartbeatItem(heartbeat: Omit<Heartbeat, "incarnation">): ItemValue {
  const { counter, durable, load, seen, isAlone, isDraining } = heartbeat;
  const hottest = load.slots.toSorted((a, b) => b[1] - a[1]).slice(0, hotSlotsMax);
  return {
    counter,
    durable,
    load: load.total,
    slots: hottest.map(([slot, rate]) => [slot, rate]),
    seen,
    ...(isDraining ? { draining: true } : {}),
    ...(isAlone ? { alone: true } : {}),
  };
}

/** Throws UnreadableItemError. */
export function readHeartbeat(item: Item): Heartbeat {
  return readingItem(item.key, () => heartbeatOf(item));
}

function heartbeatOf(item: Item): Heartbeat {
  const { alone, counter, durable, load, slots, seen, draining } = item.value;
  if (typeof counter !== "number" || typeof durable !== "number" || typeof load !== "number") {
    throw new UnreadableItemError(item.key, "counter, durable or load is missing");
  }
  if (!Array.isArray(slots)) throw new UnreadableItemError(item.key, "slots is not a list");
  const entries: readonly unknown[] = slots;
  return {
    incarnation: incarnationId(item.key.slice(item.key.indexOf("/") + 1)),
    counter,
    durable,
    load: { total: load, slots: entries.map((entry) => readHot(item, entry)) },
    seen: typeof seen === "number" ? seen : 0,
    isDraining: draining === true,
    isAlone: alone === true,
  };
}

function readHot(item: Item, entry: unknown): readonly [Slot, number] {
  const [slot, rate]: readonly unknown[] = Array.isArray(entry) ? entry : [];
  if (typeof slot !== "number" || typeof rate !== "number") {
    throw new UnreadableItemError(item.key, "a hot slot is not complete");
  }
  return [slot as Slot, rate];
}
