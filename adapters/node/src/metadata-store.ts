import {
  assertKey,
  type Item,
  type KeyRange,
  type KeySeeker,
  MetadataError,
  type MetadataStore,
  type Page,
  type TransactOutcome,
  type Write,
} from "@millrace/core";
import { parsedItem, parsedOutcome, parsedPage, withJsons } from "./item-bytes.ts";
import { LmdbItems } from "./lmdb-items.ts";

/**
 * The metadata store in an embedded LMDB, one folder, one process at a time (the lock on the data
 * directory sees to that). What is durable when, and what shares a commit: see LmdbItems.
 */
export class LmdbMetadataStore implements MetadataStore, KeySeeker {
  readonly #items: LmdbItems;
  #isClosed = false;

  private constructor(items: LmdbItems) {
    this.#items = items;
  }

  /** Opens the store in `folder`, which is made when absent. Throws MetadataError. */
  static open(folder: string): LmdbMetadataStore {
    return new LmdbMetadataStore(LmdbItems.open(folder));
  }

  /** Every read is strong. */
  async get(key: string): Promise<Item | undefined> {
    this.#checkOpen();
    assertKey(key);
    const item = this.#items.get(key);
    return item === undefined ? undefined : parsedItem(item);
  }

  /** Every read is strong. */
  async range(range: KeyRange): Promise<Page> {
    this.#checkOpen();
    return parsedPage(this.#items.range(range));
  }

  async firstKey(bounds: Pick<KeyRange, "from" | "to">): Promise<string | undefined> {
    this.#checkOpen();
    return this.#items.firstKey(bounds);
  }

  async transact(writes: readonly Write[]): Promise<TransactOutcome> {
    this.#checkOpen();
    return parsedOutcome(await this.#items.transact(withJsons(writes)));
  }

  /** All that it holds, of every partition, in order: for tools and tests. */
  items(): readonly Item[] {
    this.#checkOpen();
    return this.#items.all().map(parsedItem);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#items.close();
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new MetadataError("the store is closed", { retriable: false, applied: "no" });
  }
}
