import {
  assertKey,
  assertWrites,
  holds,
  type Item,
  type ItemValue,
  itemJson,
  type KeyRange,
  MetadataError,
  type MetadataStore,
  type Page,
  type TransactOutcome,
  type Write,
} from "@millrace/core";

interface Stored {
  readonly version: number;
  /** JSON, so that nobody shares an object with the store. */
  readonly json: string;
}

/**
 * A metadata store in memory. What was written is "durable" as long as the object lives: a
 * simulated restart opens it again. A transaction takes effect within the call; its promise resolves later.
 */
export class MemoryMetadataStore implements MetadataStore {
  readonly #items = new Map<string, Stored>();
  /** Keys in order; `undefined` after one came or went. */
  #sorted: readonly string[] | undefined;
  #isClosed = false;

  async get(key: string): Promise<Item | undefined> {
    this.#checkOpen();
    assertKey(key);
    return this.#find(key);
  }

  async range({ from, to, limit }: KeyRange): Promise<Page> {
    this.#checkOpen();
    this.#sorted ??= [...this.#items.keys()].sort();
    const keys = this.#sorted;
    const start = lowerBound(keys, from);
    const end = Math.max(start, lowerBound(keys, to));
    const stop = Math.min(end, start + limit);
    const items: Item[] = [];
    for (const key of keys.slice(start, stop)) {
      const item = this.#find(key);
      if (item !== undefined) items.push(item);
    }
    const next = stop < end ? keys[stop] : undefined;
    return next === undefined ? { items } : { items, next };
  }

  async transact(writes: readonly Write[]): Promise<TransactOutcome> {
    this.#checkOpen();
    assertWrites(writes);
    const jsons = writes.map((write) => (write.kind === "put" ? itemJson(write) : ""));
    const refused: { readonly key: string; readonly found: Item | undefined }[] = [];
    for (const { key, condition } of writes) {
      const found = this.#find(key);
      if (!holds(condition, found)) refused.push({ key, found });
    }
    if (refused.length > 0) return { ok: false, refused };
    writes.forEach((write, index) => this.#apply(write, jsons[index] ?? ""));
    return { ok: true };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  /** The same items behind a new handle, as after a restart; also when this one was closed. */
  reopen(): MemoryMetadataStore {
    const store = new MemoryMetadataStore();
    for (const [key, stored] of this.#items) store.#items.set(key, stored);
    return store;
  }

  #find(key: string): Item | undefined {
    const stored = this.#items.get(key);
    if (stored === undefined) return undefined;
    return { key, version: stored.version, value: JSON.parse(stored.json) as ItemValue };
  }

  #apply(write: Write, json: string): void {
    const before = this.#items.get(write.key);
    switch (write.kind) {
      case "check":
        return;
      case "delete":
        if (this.#items.delete(write.key)) this.#sorted = undefined;
        return;
      case "put":
        if (before === undefined) this.#sorted = undefined;
        this.#items.set(write.key, { version: (before?.version ?? 0) + 1, json });
    }
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new MetadataError("the store is closed", { retriable: false, applied: "no" });
  }
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
