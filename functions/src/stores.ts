import type { ClusterId, MetadataStore } from "@millrace/core";
import { openTablesMax } from "./limits.ts";

/** The metadata stores of clusters, kept for the next call; the longest unused one is closed. */
export class OpenTables {
  readonly #openOne: (cluster: ClusterId) => Promise<MetadataStore>;
  /** The longest unused first. */
  readonly #open = new Map<ClusterId, Promise<MetadataStore>>();

  constructor(openOne: (cluster: ClusterId) => Promise<MetadataStore>) {
    this.#openOne = openOne;
  }

  async of(cluster: ClusterId): Promise<MetadataStore> {
    const store = this.#open.get(cluster) ?? this.#opened(cluster);
    this.#open.delete(cluster);
    this.#open.set(cluster, store);
    await this.#closeOldest();
    return store;
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    // Who asked for one that could not be opened was told.
    await Promise.allSettled(all.map(async (store) => (await store).close()));
  }

  /** One that could not be opened is opened anew by who asks next. */
  #opened(cluster: ClusterId): Promise<MetadataStore> {
    const store = this.#openOne(cluster);
    store.catch(() => {
      if (this.#open.get(cluster) === store) this.#open.delete(cluster);
    });
    return store;
  }

  async #closeOldest(): Promise<void> {
    const [oldest] = this.#open;
    if (oldest === undefined || this.#open.size <= openTablesMax) return;
    const [cluster, store] = oldest;
    this.#open.delete(cluster);
    const opened = await store.catch(() => undefined);
    await opened?.close();
  }
}
