import type { MarkedPartition, PartitionItems } from "./partition-items.ts";

/**
 * A partition's log start as the store keeps it.
 *
 * It is stored before the log deletes anything below it: a recovery that is given an older start
 * takes the deleted segments for lost ones. So it never falls, also where calls overlap.
 */
export class StoredStart {
  readonly #at: MarkedPartition;
  readonly #items: PartitionItems;
  /** The highest that was stored, or is being stored. */
  #highest = 0;

  constructor(at: MarkedPartition, items: PartitionItems) {
    this.#at = at;
    this.#items = items;
  }

  /** Resolves with the start that is then durable, at least `offset`. Rejects as PartitionItems. */
  async raiseTo(offset: number): Promise<number> {
    const start = Math.max(this.#highest, offset);
    this.#highest = start;
    await this.#items.putStartOffset(this.#at, start);
    return start;
  }
}

export type DeleteRecordsOutcome =
  | { readonly kind: "ok"; readonly logStartOffset: number }
  | { readonly kind: "outOfRange" };
