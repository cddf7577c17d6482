import {
  assertInPartition,
  assertKey,
  type Clock,
  holds,
  type Item,
  type ItemValue,
  jsonsOf,
  type KeyRange,
  type KeySeeker,
  MetadataError,
  type MetadataStore,
  type Page,
  pageBytesMax,
  rangePartition,
  type TransactOutcome,
  type Write,
} from "@millrace/core";
import { type Lately, type PastReads, RecentChanges } from "./metadata-store-past.ts";

interface Stored {
  readonly version: number;
  /** JSON, so that nobody shares an object with the store. */
  readonly json: string;
}

type Find = (key: string) => Stored | undefined;

/**
 * A metadata store in memory. What was written is "durable" as long as the object lives: a
 * simulated restart opens it again. A transaction takes effect within the call; its promise resolves later.
 *
 * Its own reads are all strong. With a clock it remembers what keys had lately, for a
 * FaultyMetadataStore whose eventual reads show it.
 */
export class MemoryMetadataStore implements MetadataStore, KeySeeker, PastReads {
  readonly #clock: Clock | undefined;
  readonly #items = new Map<string, Stored>();
  readonly #changes: RecentChanges<Stored> | undefined;
  /** Keys in order; `undefined` after one came or went. */
  #sorted: readonly string[] | undefined;
  #isClosed = false;

  constructor(options: { readonly clock?: Clock } = {}) {
    this.#clock = options.clock;
    this.#changes = options.clock && new RecentChanges(options.clock);
  }

  async get(key: string): Promise<Item | undefined> {
    return this.#get(key, (each) => this.#items.get(each));
  }

  async range(range: KeyRange): Promise<Page> {
    return this.#range(range, { keys: this.#keys(), find: (key) => this.#items.get(key) });
  }

  async firstKey({ from, to }: Pick<KeyRange, "from" | "to">): Promise<string | undefined> {
    this.#checkOpen();
    const keys = this.#keys();
    const key = keys[lowerBound(keys, from)];
    return key === undefined || key >= to ? undefined : key;
  }

  async transact(writes: readonly Write[]): Promise<TransactOutcome> {
    this.#checkOpen();
    const jsons = jsonsOf(writes);
    const refused: { readonly key: string; readonly found: Item | undefined }[] = [];
    for (const { key, condition } of writes) {
      const found = itemOf(key, this.#items.get(key));
      if (!holds(condition, found)) refused.push({ key, found });
    }
    if (refused.length > 0) return { ok: false, refused };
    writes.forEach((write, index) => this.#apply(write, jsons[index] ?? ""));
    return { ok: true };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  getLately(key: string, lately: Lately): Item | undefined {
    return this.#get(key, this.#findLately(lately).find);
  }

  rangeLately(range: KeyRange, lately: Lately): Page {
    const { find, changed } = this.#findLately(lately);
    const keys = new Set(this.#keys());
    for (const key of changed) keys.add(key);
    return this.#range(range, { keys: [...keys].sort(), find });
  }

  /** The same items behind a new handle, as after a restart; also when this one was closed. */
  reopen(): MemoryMetadataStore {
    const store = new MemoryMetadataStore(this.#clock === undefined ? {} : { clock: this.#clock });
    for (const [key, stored] of this.#items) store.#items.set(key, stored);
    return store;
  }

  /** All that it holds, of every partition, in order: for tests. */
  items(): readonly Item[] {
    return this.#keys().flatMap((key) => itemOf(key, this.#items.get(key)) ?? []);
  }

  #get(key: string, find: Find): Item | undefined {
    this.#checkOpen();
    assertKey(key);
    return itemOf(key, find(key));
  }

  #range(range: KeyRange, { keys, find }: { readonly keys: readonly string[]; find: Find }): Page {
    this.#checkOpen();
    const partition = rangePartition(range);
    const end = lowerBound(keys, range.to);
    const items: Item[] = [];
    let bytes = 0;
    for (let index = lowerBound(keys, range.from); index < end; index += 1) {
      const key = keys[index] ?? "";
      if (items.length === range.limit || bytes >= pageBytesMax) return { items, next: key };
      assertInPartition(partition, key);
      const stored = find(key);
      const item = itemOf(key, stored);
      if (item !== undefined) items.push(item);
      bytes += stored?.json.length ?? 0;
    }
    return { items };
  }

  #findLately({ sinceMs, choose }: Lately): { find: Find; changed: Iterable<string> } {
    const past = this.#changes?.since(sinceMs) ?? new Map<string, readonly Stored[]>();
    const find: Find = (key) => {
      const earlier = past.get(key);
      if (earlier === undefined) return this.#items.get(key);
      const chosen = choose(earlier.length + 1);
      return chosen < earlier.length ? earlier[chosen] : this.#items.get(key);
    };
    return { find, changed: past.keys() };
  }

  #keys(): readonly string[] {
    this.#sorted ??= [...this.#items.keys()].sort();
    return this.#sorted;
  }

  #apply(write: Write, json: string): void {
    if (write.kind === "check") return;
    const before = this.#items.get(write.key);
    this.#changes?.add(write.key, before);
    if (write.kind === "delete") {
      if (this.#items.delete(write.key)) this.#sorted = undefined;
      return;
    }
    if (before === undefined) this.#sorted = undefined;
    this.#items.set(write.key, { version: (before?.version ?? 0) + 1, json });
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new MetadataError("the store is closed", { retriable: false, applied: "no" });
  }
}

function itemOf(key: string, stored: Stored | undefined): Item | undefined {
  if (stored === undefined) return undefined;
  return { key, version: stored.version, value: JSON.parse(stored.json) as ItemValue };
}

/** The first index whose key is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
