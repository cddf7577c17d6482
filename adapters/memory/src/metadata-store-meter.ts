import {
  billedBytes,
  type Consistency,
  type Item,
  type KeyRange,
  type MetadataStore,
  type OnConsumed,
  type Page,
  readUnits,
  type TransactOutcome,
  type Write,
  writeUnits,
} from "@millrace/core";

/**
 * A store that tells what DynamoDB would bill for its calls, for a cost that is counted where
 * there is no DynamoDB. It counts each call once, as one try.
 *
 * As the DynamoDB adapter does, it takes a single value over an item that it has seen for a plain
 * write, and everything else for a transaction.
 */
export class MeteredMetadataStore implements MetadataStore {
  readonly #inner: MetadataStore;
  readonly #onConsumed: OnConsumed;
  /** The billed bytes of the items that were read or written last. */
  readonly #bytes = new Map<string, number>();

  constructor(inner: MetadataStore, onConsumed: OnConsumed) {
    this.#inner = inner;
    this.#onConsumed = onConsumed;
  }

  async get(key: string, consistency: Consistency = "strong"): Promise<Item | undefined> {
    const item = await this.#inner.get(key, consistency);
    this.#learn(key, item, consistency);
    const units = readUnits(item === undefined ? 0 : bytesOf(item), consistency);
    this.#onConsumed({ operation: "get", kind: "read", units });
    return item;
  }

  async range(range: KeyRange): Promise<Page> {
    const { consistency = "strong" } = range;
    const page = await this.#inner.range(range);
    for (const item of page.items) this.#learn(item.key, item, consistency);
    const bytes = page.items.reduce((sum, item) => sum + bytesOf(item), 0);
    const units = readUnits(bytes, consistency);
    this.#onConsumed({ operation: "range", kind: "read", units });
    return page;
  }

  async transact(writes: readonly Write[]): Promise<TransactOutcome> {
    this.#count(writes);
    const outcome = await this.#inner.transact(writes);
    if (outcome.ok) this.#wrote(writes);
    else for (const { found, key } of outcome.refused) this.#learn(key, found, "strong");
    return outcome;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #count(writes: readonly Write[]): void {
    const [only, second] = writes;
    if (only === undefined) return;
    const isAlone = second === undefined;
    if (isAlone && only.kind === "check") {
      const units = readUnits(this.#bytes.get(only.key) ?? 0);
      this.#onConsumed({ operation: "get", kind: "read", units });
      return;
    }
    const isPlain = isAlone && only.kind === "put" && this.#bytes.has(only.key);
    const units = writes.reduce((sum, write) => sum + writeUnits(this.#largest(write)), 0);
    const consumed = isPlain
      ? ({ operation: "put", units } as const)
      : ({ operation: "transact", units: 2 * units } as const);
    this.#onConsumed({ ...consumed, kind: "write" });
  }

  /** Of what the write leaves and what it is known to find. */
  #largest(write: Write): number {
    const before = this.#bytes.get(write.key) ?? 0;
    return write.kind === "put" ? Math.max(before, bytesOf(write)) : before;
  }

  #wrote(writes: readonly Write[]): void {
    for (const write of writes) {
      if (write.kind === "put") this.#bytes.set(write.key, bytesOf(write));
      if (write.kind === "delete") this.#bytes.delete(write.key);
    }
  }

  #learn(key: string, item: Item | undefined, consistency: Consistency): void {
    if (consistency === "eventual") return;
    if (item === undefined) this.#bytes.delete(key);
    else this.#bytes.set(key, bytesOf(item));
  }
}

function bytesOf({ key, value }: Pick<Item, "key" | "value">): number {
  return billedBytes({ key, jsonBytes: JSON.stringify(value).length });
}
