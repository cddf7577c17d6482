import { type BrokerId, brokerId, type Epoch, type IncarnationId } from "../ids.ts";
import type { Item, ItemValue, JsonValue } from "../ports/metadata-store.ts";
import { incarnationOfKey, type JournalState, readJournalItem } from "./journal-item.ts";
import { readingItem, UnreadableItemError } from "./unreadable-item.ts";

/** A broker of the cluster, as its incarnation's item tells of it. */
export interface Member {
  readonly brokerId: BrokerId;
  readonly incarnation: IncarnationId;
  /** Only an open one is a member still; the others are over. */
  readonly state: JournalState;
  readonly listeners: readonly MemberListener[];
  readonly rack: string | undefined;
  /** Levels of `millrace.version` that it works under, inclusive. */
  readonly versions: { readonly min: number; readonly max: number };
}

/** Where a listener is reached, as it is advertised. */
export interface MemberListener {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** Levels of those that were born before the item told them. */
const firstVersions = { min: 1, max: 1 } as const;

/** The item of an incarnation at its birth: an open journal, nothing in it, nothing trimmed. */
export function memberItem(
  born: Omit<Member, "incarnation" | "state"> & { readonly epoch: Epoch },
): ItemValue {
  const { listeners, rack, versions } = born;
  return {
    state: "open",
    broker: born.brokerId,
    epoch: born.epoch,
    trim: 0,
    journal: "objects",
    listeners: listeners.map(({ name, host, port }) => ({ name, host, port })),
    ...(rack === undefined ? {} : { rack }),
    versions: { min: versions.min, max: versions.max },
  };
}

/** Throws UnreadableItemError. An item of a broker that is alone has no listeners. */
export function readMember(item: Item): Member {
  return readingItem(item.key, () => memberOf(item));
}

function memberOf(item: Item): Member {
  const { broker, listeners, rack, versions } = item.value;
  if (typeof broker !== "number") throw new UnreadableItemError(item.key, "broker is missing");
  const list: readonly unknown[] = Array.isArray(listeners) ? listeners : [];
  return {
    brokerId: brokerId(broker),
    incarnation: incarnationOfKey(item.key),
    state: readJournalItem(item).state,
    listeners: list.map((entry) => readListener(item, entry)),
    rack: typeof rack === "string" ? rack : undefined,
    versions: versions === undefined ? firstVersions : readVersions(item, versions),
  };
}

/** Whether it may be given slots under the finalised level of `millrace.version`. */
export function isCompatible(member: Member, level: number): boolean {
  return member.versions.min <= level && level <= member.versions.max;
}

function readListener(item: Item, entry: unknown): MemberListener {
  const { name, host, port } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof name !== "string" || typeof host !== "string" || typeof port !== "number") {
    throw new UnreadableItemError(item.key, "a listener is not complete");
  }
  return { name, host, port };
}

function readVersions(item: Item, json: JsonValue): Member["versions"] {
  const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
  const { min, max } = isObject ? (json as ItemValue) : {};
  if (typeof min !== "number" || typeof max !== "number") {
    throw new UnreadableItemError(item.key, "versions is not complete");
  }
  return { min, max };
}
