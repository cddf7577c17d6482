import { DiskError } from "@millrace/core";
import type { PartitionLog } from "@millrace/core";
import type { TieredPartition } from "../tier/tiered-partition.ts";
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

/**
 * Makes the stored `offset` the log's first one, and deletes what lies below it. That is in force
 * also where the disk does not let go of the files, or has no room for the empty segment that takes
 * the place of the last one: they are tried again with the next offset, or the next check.
 */
export function deleteBelow(
  { log, tiered }: { readonly log: PartitionLog; readonly tiered: TieredPartition | undefined },
  offset: number,
  warn: (what: string, cause: unknown) => void,
): void {
  tiered?.cutStart(offset).catch((error: unknown) => {
    // Readers see the new start; the next load of the partition deletes what is left.
    warn("objects below a partition's start could not be deleted yet", error);
  });
  try {
    log.advanceStartOffset(offset);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    warn("segments below a partition's start could not be deleted yet", error);
  }
}
