import { assert } from "../assert.ts";
import {
  type Condition,
  type Item,
  itemBytesMax,
  keyBytesMax,
  type KeyRange,
  transactBytesMax,
  transactWritesMax,
  type Write,
} from "./metadata-store.ts";

/** The rules of MetadataStore that every adapter holds in the same way. */

/** Whether the condition holds for what is there. */
export function holds(condition: Condition | undefined, found: Item | undefined): boolean {
  if (condition === undefined) return true;
  switch (condition.is) {
    case "absent":
      return found === undefined;
    case "version":
      return found?.version === condition.version;
    case "epochAtMost":
      return epochOf(found) <= condition.epoch;
  }
}

function epochOf(item: Item | undefined): number {
  const epoch = item?.value["epoch"];
  return typeof epoch === "number" ? epoch : 0;
}

/** Throws on a bug of the caller: too many writes, a key twice, a key or value too large. */
export function assertWrites(writes: readonly Pick<Write, "key">[]): void {
  assert(writes.length <= transactWritesMax, `too many writes: ${writes.length}`);
  const seen = new Set<string>();
  for (const { key } of writes) {
    assertKey(key);
    assert(!seen.has(key), `key written twice: ${key}`);
    seen.add(key);
  }
}

export function assertKey(key: string): void {
  assert(key !== "", "a key is empty");
  assert(key.length <= keyBytesMax, `a key has more than ${keyBytesMax} bytes`);
  assert(/^[!-~]+$/.test(key), `a key has other characters than printable ASCII: ${key}`);
}

/** The key's first two components if it has three or more, otherwise its first. */
export function keyPartition(key: string): string {
  const first = key.indexOf("/");
  if (first === -1) return key;
  const second = key.indexOf("/", first + 1);
  return key.slice(0, second === -1 ? first : second);
}

/** The range's partition. Throws on a bug of the caller: bounds that are not of one partition. */
export function rangePartition({ from, to, limit }: KeyRange): string {
  assert(Number.isSafeInteger(limit) && limit > 0, `not a limit: ${limit}`);
  assertKey(from);
  assertKey(to);
  const partition = keyPartition(from);
  const isWithin = from.startsWith(`${partition}/`) && to <= `${partition}0`;
  assert(isWithin, `a range from ${from} to ${to} is not of one partition`);
  return partition;
}

/**
 * Throws when the range met a key of another partition: one from `topic/` on, say, a `topic/a/b`.
 * Not every store can see it, so that the caller must not rest on it.
 */
export function assertInPartition(partition: string, key: string): void {
  const isInside = keyPartition(key) === partition;
  assert(isInside, `a range of the partition ${partition} met the key ${key}`);
}

/**
 * The JSON of each write's value, empty for other writes. Throws on a bug of the caller: see
 * `assertWrites` and `itemJson`; or too many bytes in all.
 */
export function jsonsOf(writes: readonly Write[]): readonly string[] {
  assertWrites(writes);
  const jsons = writes.map((write) => (write.kind === "put" ? itemJson(write) : ""));
  const units = jsons.reduce((sum, json) => sum + json.length, 0);
  const bytes = (): number => jsons.reduce((sum, json) => sum + utf8Bytes(json), 0);
  assert(units * 3 <= transactBytesMax || bytes() <= transactBytesMax, "too many bytes to write");
  return jsons;
}

/** The value's JSON, for which the bound is checked. */
export function itemJson(write: Extract<Write, { readonly kind: "put" }>): string {
  const json = JSON.stringify(write.value);
  const isSmall = json.length * 3 <= itemBytesMax;
  assert(isSmall || utf8Bytes(json) <= itemBytesMax, `the item ${write.key} is too large`);
  return json;
}

function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
