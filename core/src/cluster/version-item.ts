import type { Item, Write } from "../ports/metadata-store.ts";
import { keys } from "./keys.ts";
import { changedKeysMax } from "./limits.ts";

/**
 * The write that goes, unconditionally, into every transaction that changes leadership, topics or
 * configs: whoever polls the version item learns that something changed, and what.
 */
export function versionMoved(changed: readonly string[]): Write {
  const value = changed.length > changedKeysMax ? {} : { changed: [...changed] };
  return { kind: "put", key: keys.version, value };
}

/** The version item as it was read. */
export interface SeenVersion {
  /** Rises by one with every change; 0 where no cluster was made yet. */
  readonly version: number;
  /** The keys that the newest of these changes wrote; undefined: not known. */
  readonly changed: readonly string[] | undefined;
}

export function readVersion(item: Item | undefined): SeenVersion {
  if (item === undefined) return { version: 0, changed: undefined };
  const changed: unknown = item.value["changed"];
  const isList = Array.isArray(changed) && changed.every((key) => typeof key === "string");
  return { version: item.version, changed: isList ? changed : undefined };
}

/**
 * The keys that changed since version `known`; undefined: any may have. Only the last step tells
 * what it changed, so a larger one tells nothing.
 */
export function changedSince(known: number, seen: SeenVersion): readonly string[] | undefined {
  if (seen.version === known) return [];
  return seen.version === known + 1 ? seen.changed : undefined;
}
