import { assert } from "../assert.ts";
import { type IncarnationId, incarnationId } from "../ids.ts";
import type { Item, ItemValue, JsonValue, Write } from "../ports/metadata-store.ts";
import { keys } from "./keys.ts";
import { readingItem, UnreadableItemError } from "./unreadable-item.ts";

/**
 * The journal's part of an incarnation's item (ownership rules 3 and 11):
 *
 *     open ──────────────> closed{end}   by its owner, who ends in good order
 *     open ──> closing ──> closed{end}   by whoever takes over by force, perhaps several at once
 *
 * Everything but the state changes only while it is open, so `closing` freezes `trim` and
 * `checkpoint`: the range [trim, end) of the journal and that checkpoint are what a successor
 * replays. `trim` never falls. Every write holds only if the item is still as it was read; what a
 * refused one means, `judgeRefusal` says.
 */
export interface JournalItem {
  readonly incarnation: IncarnationId;
  readonly state: JournalState;
  /** The first entry that is not in a registered checkpoint or the manifest. */
  readonly trim: number;
  /** After the last entry; absent before it is closed, and for journals in files. */
  readonly end?: number;
  /** The newest registered one. */
  readonly checkpoint?: CheckpointName;
  readonly isInObjects: boolean;
}

export type JournalState = "open" | "closing" | "closed";

export interface CheckpointName {
  readonly number: number;
  readonly bytes: number;
}

export type JournalChange =
  | { readonly kind: "write"; readonly write: Write }
  /** The item says so already. */
  | { readonly kind: "unchanged" }
  /** Not open any more, or gone: the incarnation is over. */
  | { readonly kind: "over" };

/** Throws UnreadableItemError. */
export function readJournalItem(item: Item): JournalItem {
  return readingItem(item.key, () => journalItemOf(item));
}

function journalItemOf(item: Item): JournalItem {
  const { state, trim, end, checkpoint, journal } = item.value;
  if (state !== "open" && state !== "closing" && state !== "closed") {
    throw new UnreadableItemError(item.key, "state is not one of a journal");
  }
  if (typeof trim !== "number") throw new UnreadableItemError(item.key, "trim is missing");
  return {
    incarnation: incarnationId(item.key.slice(item.key.indexOf("/") + 1)),
    state,
    trim,
    ...(typeof end === "number" ? { end } : {}),
    ...(checkpoint === undefined ? {} : { checkpoint: readCheckpoint(item, checkpoint) }),
    isInObjects: journal === "objects",
  };
}

function readCheckpoint(item: Item, json: JsonValue): CheckpointName {
  const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
  const { number, bytes } = isObject ? (json as ItemValue) : {};
  if (typeof number !== "number" || typeof bytes !== "number") {
    throw new UnreadableItemError(item.key, "checkpoint is not complete");
  }
  return { number, bytes };
}

/** Everything below `trim` is in registered checkpoints or the manifest. */
export function decideTrim(item: Item | undefined, trim: number): JournalChange {
  if (item === undefined || !isOpen(item)) return { kind: "over" };
  if (trim <= readJournalItem(item).trim) return { kind: "unchanged" };
  return changed(item, { trim });
}

/** Registers a checkpoint, which leads to all older ones. Numbers of an incarnation only rise. */
export function decideCheckpoint(
  item: Item | undefined,
  checkpoint: CheckpointName,
): JournalChange {
  if (item === undefined || !isOpen(item)) return { kind: "over" };
  const before = readJournalItem(item).checkpoint;
  assert(before === undefined || before.number <= checkpoint.number, "checkpoints only rise");
  if (before?.number === checkpoint.number) return { kind: "unchanged" };
  return changed(item, { checkpoint: { bytes: checkpoint.bytes, number: checkpoint.number } });
}

/**
 * Step (b) of a takeover by force. `unchanged`: it is closing or closed already, by somebody
 * else's write; `over`: there is no such item, so no head names it (rule 8).
 */
export function decideClosing(item: Item | undefined): JournalChange {
  if (item === undefined) return { kind: "over" };
  return isOpen(item) ? changed(item, { state: "closing" }) : { kind: "unchanged" };
}

/**
 * Step (d): a fence lies at `end`, and everything below is an entry. `unchanged`: somebody else has
 * written the same. Never of a journal that is open: its owner could still move `trim`.
 */
export function decideClosed(item: Item | undefined, end: number): JournalChange {
  if (item === undefined) return { kind: "over" };
  const journal = readJournalItem(item);
  assert(journal.state !== "open", `${item.key} is closed only after it was closing`);
  if (journal.state === "closing") return changed(item, { state: "closed", end });
  // Two fences would be two ends, and one of them loses records.
  assert(journal.end === undefined || journal.end === end, `${item.key} has ended elsewhere`);
  return { kind: "unchanged" };
}

/**
 * The owner ends in good order: all its PUTs are answered, so nothing can lie at `end` or above
 * that it acknowledged. Without `end`: a journal in files, all of which lies in segments.
 */
export function decideGracefulEnd(item: Item | undefined, end?: number): JournalChange {
  if (item === undefined || !isOpen(item)) return { kind: "over" };
  return changed(item, { state: "closed", ...(end === undefined ? {} : { end }) });
}

/**
 * What makes a transaction hold only while the incarnation is not over. The item is the one that it
 * read, or wrote, last; its own writes of `trim` and checkpoints move the version, so these and the
 * claims wait for each other.
 */
export function checkOpen(item: Item): Write {
  assert(isOpen(item), `${item.key} is open`);
  return { kind: "check", key: item.key, condition: { is: "version", version: item.version } };
}

/**
 * `applied`: the write had its effect, and its reply was lost. `again`: read, and decide anew.
 * `over`: whoever acted as an open journal's owner is over. For the writes of `decideClosing` and
 * `decideClosed` read again in any case: another taker may have gone further.
 */
export type Refusal = "applied" | "again" | "over";

/** What a refused write means, given what was found in its place. */
export function judgeRefusal(write: Write, found: Item | undefined): Refusal {
  if (found === undefined) return "over";
  if (write.kind === "put" && isSameValue(write.value, found.value)) return "applied";
  return isOpen(found) ? "again" : "over";
}

export function incarnationOfKey(key: string): IncarnationId {
  const prefix = keys.incarnation("" as IncarnationId);
  assert(key.startsWith(prefix), `${key} is an incarnation's`);
  return incarnationId(key.slice(prefix.length));
}

function isOpen(item: Item): boolean {
  return item.value["state"] === "open";
}

function changed(item: Item, change: ItemValue): JournalChange {
  const { key, version } = item;
  const value = { ...item.value, ...change };
  return {
    kind: "write",
    write: { kind: "put", key, value, condition: { is: "version", version } },
  };
}

/** Stores may give the names of an object back in another order. */
function isSameValue(a: JsonValue, b: JsonValue): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [left, right] = [a as ItemValue, b as ItemValue];
  const names = Object.keys(left);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    names.length === Object.keys(right).length &&
    names.every((name) => name in right && isSameValue(left[name] ?? null, right[name] ?? null))
  );
}
