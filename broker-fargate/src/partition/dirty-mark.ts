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
  /** The lowest offset that the store may name; infinite: it has no mark. */
  #stored: number;

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
    this.#stored = at.isListed ? 0 : Number.POSITIVE_INFINITY;
  }

  get isMarked(): boolean {
    return this.#state === "marked";
  }

  /** A restart would verify nothing below it. Infinite: nothing at all. */
  get recoveryPoint(): number {
    return this.#stored;
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
    if (this.#state !== "marked") return;
    await this.#items.putDirty(this.#at, recoveryPoint);
    // A mark that was taken away meanwhile, and made anew, says so itself.
    if (this.#state === "marked") this.#stored = Math.max(this.#stored, recoveryPoint);
  }

  /**
   * Takes the mark away: everything is durable, and nothing is written until it is marked again.
   */
  async remove(): Promise<void> {
    if (this.#state !== "marked") return;
    this.#state = "unmarking";
    try {
      await this.#items.removeDirty(this.#at);
      this.#stored = Number.POSITIVE_INFINITY;
    } finally {
      this.#state = "clean";
      this.#onMarked();
    }
  }

  async #put(recoveryPoint: number): Promise<void> {
    this.#stored = Math.min(this.#stored, recoveryPoint);
    try {
      await this.#items.putDirty(this.#at, recoveryPoint);
      this.#stored = recoveryPoint;
      this.#state = "marked";
    } catch (error) {
      this.#state = "clean";
      this.#onFailed(error);
      return;
    }
    this.#onMarked();
  }
}
