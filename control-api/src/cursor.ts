/**
 * Cursors: where the next page of a list begins. A caller can't read anything into one, and one of
 * another list, or one that was changed, is refused. They are no secret and grant nothing.
 */
import { type Hashing, isSameSecret, utf8Bytes, utf8Text } from "@millrace/core";
import { ProblemError } from "./problems.ts";
import { urlBytes, urlText } from "./text.ts";

const checkBytes = 8;

/** `list` names the list: its path, and what it was narrowed to. */
export function cursorOf(hashing: Hashing, list: string, after: string): string {
  const position = utf8Bytes(after);
  const check = checkOf(hashing, list, position);
  return urlText(Uint8Array.from([...check, ...position]));
}

/** Of a list whose positions may be any text. Throws ProblemError. */
export function afterCursor(
  hashing: Hashing,
  list: string,
  cursor: string | undefined,
): string | undefined {
  return positionAfter(cursor, { hashing, list, read: (text) => text });
}

/**
 * Who reads this code can make a cursor: `read` gives undefined for what is no position of the list.
 * Undefined: the list's beginning. Throws ProblemError.
 */
export function positionAfter<Position>(
  cursor: string | undefined,
  of: {
    readonly hashing: Hashing;
    readonly list: string;
    readonly read: (text: string) => Position | undefined;
  },
): Position | undefined {
  if (cursor === undefined) return undefined;
  const bytes = urlBytes(cursor) ?? new Uint8Array();
  const position = bytes.subarray(checkBytes);
  const check = bytes.subarray(0, checkBytes);
  const text = utf8Text(position);
  const isOfList = isSameSecret(check, checkOf(of.hashing, of.list, position));
  const after = isOfList && text !== undefined ? of.read(text) : undefined;
  if (after !== undefined) return after;
  const detail = "not a `nextCursor` of this list";
  const errors = [{ pointer: "query/cursor", detail }];
  throw new ProblemError("invalid-request", detail, { errors });
}

/** An id of this kind. */
export function idPosition(prefix: "cr" | "key"): (text: string) => string | undefined {
  const pattern = new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{16}$`, "u");
  return (text) => (pattern.test(text) ? text : undefined);
}

function checkOf(hashing: Hashing, list: string, position: Uint8Array): Uint8Array {
  const said = [...utf8Bytes(`cursor 1 ${list}\0`), ...position];
  return hashing.digest("SHA-256", Uint8Array.from(said)).subarray(0, checkBytes);
}

/** A page of what is in memory, ascending by `keyOf`. */
export function pageInMemory<Item>(
  sorted: readonly Item[],
  keyOf: (item: Item) => string,
  page: { readonly limit: number; readonly after: string | undefined },
): { readonly items: readonly Item[]; readonly next: string | undefined } {
  const { after, limit } = page;
  const rest = after === undefined ? sorted : sorted.filter((item) => keyOf(item) > after);
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rest.length > limit && last !== undefined ? keyOf(last) : undefined };
}
