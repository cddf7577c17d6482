import type { MarkedPartition, PartitionItems } from "./partition-items.ts";

/**
 * One partition's place on the dirty list, as its owner sees it.
 *
 * clean → marking → marked → unmarking → clean. Only while marked may bytes be written that are not
 * synced. When the store does not answer nobody knows whether the mark is there: the state is then
 * clean, since another mark harms nothing and a forgotten one only costs a check of the log.
 */
export class DirtyMark {
  readonly #at: MarkedPartition;
  readonly #items: PartitionItems;
  readonly #onMarked: () => void;
  readonly #onFailed: (cause: unknown) => void;
  #state: "clean" | "marking" | "marked" | "unmarking";

  constructor(
    at: MarkedPartition & { readonly isListed: boolean },
    deps: {
      readonly items: PartitionItems;
      /** The mark was made, or taken away: what waited may look again. */
      readonly onMarked: () => void;
      readonly onFailed: (cause: unknown) => void;
    },
  ) {
    this.#at = at;
    this.#items = deps.items;
    this.#onMarked = deps.onMarked;
    this.#onFailed = deps.onFailed;
    this.#state = at.isListed ? "marked" : "clean";
  }

  get isMarked(): boolean {
    return this.#state === "marked";
  }

  /** True when the partition is marked; otherwise begins to mark it, if it has not begun. */
  ensure(recoveryPoint: number): boolean {
    if (this.#state === "marked") return true;
    if (this.#state === "clean") {
      this.#state = "marking";
      void this.#put(recoveryPoint);
    }
    return false;
  }

  /** Says that the log is durable below `recoveryPoint`, so that less of it is checked. */
  async move(recoveryPoint: number): Promise<void> {
    if (this.#state === "marked") await this.#items.putDirty(this.#at, recoveryPoint);
  }

  /**
   * Takes the mark away: everything is durable, and nothing is written until it is marked again.
   */
  async remove(): Promise<void> {
    if (this.#state !== "marked") return;
    this.#state = "unmarking";
    try {
      await this.#items.removeDirty(this.#at);
    } finally {
      this.#state = "clean";
      this.#onMarked();
    }
  }

  async #put(recoveryPoint: number): Promise<void> {
    try {
      await this.#items.putDirty(this.#at, recoveryPoint);
      this.#state = "marked";
    } catch (error) {
      this.#state = "clean";
      this.#onFailed(error);
      return;
    }
    this.#onMarked();
  }
}
