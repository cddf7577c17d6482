import { assert } from "../assert.ts";
import {
  type Condition,
  type Item,
  itemBytesMax,
  keyBytesMax,
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
export function assertWrites(writes: readonly Write[]): void {
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
  assert(utf8Bytes(key) <= keyBytesMax, `a key has more than ${keyBytesMax} bytes`);
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
