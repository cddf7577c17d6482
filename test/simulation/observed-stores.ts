import { MemoryMetadataStore, MemoryObjectStore } from "@millrace/adapter-memory";
import type { Clock, TransactOutcome, Write } from "@millrace/core";

/** Told of what takes effect in the stores, in its order. */
export interface StoreObserver {
  written(writes: readonly Write[]): void;
  stored(key: string, bytes: Uint8Array): void;
  /** Of those that were there. */
  deleted(keys: readonly string[]): void;
}

export class ObservedMetadataStore extends MemoryMetadataStore {
  readonly #observer: StoreObserver;

  constructor(clock: Clock, observer: StoreObserver) {
    super({ clock });
    this.#observer = observer;
  }

  override async transact(writes: readonly Write[]): Promise<TransactOutcome> {
    const outcome = await super.transact(writes);
    if (outcome.ok) this.#observer.written(writes.filter(({ kind }) => kind !== "check"));
    return outcome;
  }
}

export class ObservedObjectStore extends MemoryObjectStore {
  readonly #observer: StoreObserver;

  constructor(observer: StoreObserver) {
    super();
    this.#observer = observer;
  }

  override async putIfAbsent(
    key: string,
    parts: readonly Uint8Array[],
  ): Promise<"stored" | "exists"> {
    const outcome = await super.putIfAbsent(key, parts);
    if (outcome === "stored") this.#observer.stored(key, this.bytesOf(key) ?? new Uint8Array(0));
    return outcome;
  }

  override async delete(keys: readonly string[]): Promise<void> {
    const there = keys.filter((key) => this.bytesOf(key) !== undefined);
    await super.delete(keys);
    this.#observer.deleted(there);
  }
}
