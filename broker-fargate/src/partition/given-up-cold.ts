import type { Clock } from "@millrace/core";
import { FencedError } from "../cluster/slot-claims.ts";
import { isGivenUp } from "../tier/tiered-partition.ts";
import type { PartitionOwner } from "./owner.ts";
import { isStoreError } from "./store-error.ts";

export interface GivenUpColdDeps {
  readonly clock: Clock;
  readonly retryMs: number;
  /** Resolves when no round copies anything that it began before. */
  readonly roundOver: () => Promise<void>;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Deletes what the object store has of topics that are not to be there any more (KIP-950:
 * `remote.storage.enable=false` with `remote.log.delete.on.disable=true`): the log starts where its
 * hot part does. Begun when the setting changes and whenever such a partition is loaded; tried again
 * until it is done, or wanted no more.
 */
export class GivenUpCold {
  readonly #deps: GivenUpColdDeps;

  constructor(deps: GivenUpColdDeps) {
    this.#deps = deps;
  }

  /** Does nothing for a partition that keeps what it has there. */
  look(owner: PartitionOwner): void {
    if (!isLeft(owner) && !isHalfDone(owner)) return;
    this.#remove(owner).catch((error: unknown) => {
      if (!isStoreError(error) && !(error instanceof FencedError)) throw error;
      this.#deps.warn("what the object store has of a partition could not be deleted yet", error);
      this.#deps.clock.after(this.#deps.retryMs, () => this.look(owner));
    });
  }

  async #remove(owner: PartitionOwner): Promise<void> {
    await this.#deps.roundOver();
    // Also where it is wanted again: what is still named would come back.
    if (isHalfDone(owner)) await owner.tiered?.changes.settled();
    if (!isLeft(owner)) return;
    await owner.deleteRecordsBefore(owner.earliestLocalOffset);
    await owner.tiered?.changes.removeAll();
    // Hot damage that was given up meanwhile has nowhere to be read from now.
    await owner.deleteRecordsBefore(owner.earliestLocalOffset);
    // A round for others of the slot may have taken over what was packed then.
    await this.#deps.roundOver();
    this.look(owner);
  }
}

function isLeft(owner: PartitionOwner): boolean {
  const { isOver, settings, tiered } = owner;
  if (isOver || tiered === undefined || tiered.changes.isClosed) return false;
  return isGivenUp(settings) && !tiered.cold.isEmpty;
}

function isHalfDone({ isOver, tiered }: PartitionOwner): boolean {
  if (isOver || tiered === undefined || tiered.changes.isClosed) return false;
  return tiered.changes.isUnsettled;
}
