import {
  assertObjectKey,
  assertObjectListing,
  assertObjectRange,
  objectBytes,
  ObjectError,
  type ObjectListing,
  type ObjectPage,
  type ObjectRange,
  type ObjectStore,
} from "@millrace/core";

/**
 * An object store in memory. It is the remote store: what a simulated broker put there outlives the
 * broker's crash as long as this object lives; `reopen` gives the same objects behind a new handle.
 * A call takes effect within the call; its promise resolves later.
 */
export class MemoryObjectStore implements ObjectStore {
  readonly #content: Content;
  #isClosed = false;

  constructor(content: Content = new Content()) {
    this.#content = content;
  }

  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    this.#checkOpen();
    assertObjectKey(key);
    if (this.#content.objects.has(key)) return "exists";
    if (this.#content.isInTheWay(key)) throw refused(`a folder is in the way of ${key}`);
    this.#content.add(key, joined(parts));
    return "stored";
  }

  async readRange(key: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    assertObjectKey(key);
    assertObjectRange(range);
    const found = this.#content.objects.get(key)?.subarray(range.from, range.from + range.bytes);
    if (range.into === undefined) return found?.slice();
    if (found !== undefined) range.into.set(found);
    return found && range.into.subarray(0, found.length);
  }

  async list(listing: ObjectListing): Promise<ObjectPage> {
    this.#checkOpen();
    assertObjectListing(listing);
    const { prefix, after, limit } = listing;
    const { sorted } = this.#content;
    const start = Math.max(
      lowerBound(sorted, prefix),
      after === undefined ? 0 : above(sorted, after),
    );
    const objects: { readonly key: string; readonly bytes: number }[] = [];
    for (let index = start; index < sorted.length; index += 1) {
      const key = sorted[index] ?? "";
      if (!key.startsWith(prefix)) break;
      if (objects.length === limit) return { objects, next: sorted[index - 1] ?? "" };
      objects.push({ key, bytes: this.#content.objects.get(key)?.length ?? 0 });
    }
    return { objects };
  }

  async delete(keys: readonly string[]): Promise<void> {
    this.#checkOpen();
    for (const key of keys) assertObjectKey(key);
    for (const key of keys) this.#content.remove(key);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  /** The same objects behind a new handle, as after a restart; also when this one was closed. */
  reopen(): MemoryObjectStore {
    return new MemoryObjectStore(this.#content);
  }

  /** All keys in order. */
  get keys(): readonly string[] {
    return this.#content.sorted;
  }

  /** Of all objects together. */
  get usedBytes(): number {
    return this.#content.usedBytes;
  }

  /** A copy of the object's bytes. */
  bytesOf(key: string): Uint8Array | undefined {
    return this.#content.objects.get(key)?.slice();
  }

  /** Damage from outside: flips one bit of an object that is there, for good. */
  flipBit(key: string, bit: number): void {
    const bytes = this.#content.objects.get(key);
    const at = Math.floor(bit / 8);
    const before = bytes?.[at];
    if (bytes === undefined || before === undefined) throw new RangeError(`no such bit: ${key}`);
    bytes[at] = before ^ (1 << (bit % 8));
  }

  #checkOpen(): void {
    if (this.#isClosed) throw refused("the store is closed");
  }
}

/** What the handles of one store share. */
class Content {
  readonly objects: Map<string, Uint8Array> = new Map();
  usedBytes = 0;
  /** How many objects lie below each folder. */
  readonly #folders = new Map<string, number>();
  /** `undefined` after a key came or went. */
  #sorted: readonly string[] | undefined;

  get sorted(): readonly string[] {
    this.#sorted ??= [...this.objects.keys()].sort();
    return this.#sorted;
  }

  isInTheWay(key: string): boolean {
    return this.#folders.has(key) || foldersOf(key).some((folder) => this.objects.has(folder));
  }

  add(key: string, bytes: Uint8Array): void {
    this.objects.set(key, bytes);
    this.usedBytes += bytes.length;
    this.#sorted = undefined;
    for (const folder of foldersOf(key)) {
      this.#folders.set(folder, (this.#folders.get(folder) ?? 0) + 1);
    }
  }

  remove(key: string): void {
    const bytes = this.objects.get(key);
    if (bytes === undefined) return;
    this.objects.delete(key);
    this.usedBytes -= bytes.length;
    this.#sorted = undefined;
    for (const folder of foldersOf(key)) {
      const left = (this.#folders.get(folder) ?? 1) - 1;
      if (left === 0) this.#folders.delete(folder);
      else this.#folders.set(folder, left);
    }
  }
}

function foldersOf(key: string): readonly string[] {
  const names = key.split("/");
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join("/"));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(objectBytes(parts));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function refused(message: string): ObjectError {
  return new ObjectError(message, { retriable: false, applied: "no" });
}

/** The first index whose key is not below `key`. Keys are ASCII: UTF-16 units order them as bytes. */
function lowerBound(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function above(keys: readonly string[], key: string): number {
  const at = lowerBound(keys, key);
  return keys[at] === key ? at + 1 : at;
}
