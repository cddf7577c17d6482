import { DiskError, inLanes } from "@millrace/core";
import type { IncarnationId } from "@millrace/core";
import { CheckpointDamagedError } from "../tier/former-checkpoints.ts";
import { FormerJournals } from "./former-journals.ts";
import type { OfflinePartition, ReplayedPartition } from "./journal-recovery.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { type RecoverPartitionsDeps, recoverPartitions } from "./recover-partitions.ts";

export interface FormerLivesDeps extends Omit<RecoverPartitionsDeps, "offline" | "keep"> {
  /** It is offline until another start. */
  readonly offline: (partition: OfflinePartition) => void;
  /** Rejects as Partitions.open. */
  readonly open: (at: ReplayedPartition) => Promise<PartitionOwner>;
  /** The next round takes it into the object store. */
  readonly tier: (owner: PartitionOwner) => void;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * What a broker that is alone finds of its former lives: their journals are replayed into the logs
 * before anybody may listen, and kept until the object store has what they hold.
 */
export class FormerLives {
  readonly #deps: FormerLivesDeps;
  readonly #journals: FormerJournals<PartitionOwner>;

  constructor(deps: FormerLivesDeps) {
    this.#deps = deps;
    this.#journals = new FormerJournals(deps);
  }

  /** Rejects with JournalDamagedError, DiskError, MetadataError: then nobody may serve. */
  recover(): Promise<void> {
    return recoverPartitions({
      ...this.#deps,
      offline: (incarnation, partition) => {
        this.#deps.offline(partition);
        this.#journals.hold(incarnation);
      },
      keep: (incarnation, places) => this.#keepUntilTiered(incarnation, places),
    });
  }

  /** The object store has all that the partition's log had when it was loaded, or it is gone. */
  covered(owner: PartitionOwner): void {
    this.#journals.covered(owner);
  }

  /** Resolves when no journal is being closed. */
  idle(): Promise<void> {
    return this.#journals.idle();
  }

  /** The partitions are loaded, and go into the object store with the next round. */
  async #keepUntilTiered(
    incarnation: IncarnationId,
    places: readonly ReplayedPartition[],
  ): Promise<void> {
    const { limits, open, tier, warn } = this.#deps;
    await inLanes(places, limits.loadsInFlightMax, async (at) => {
      try {
        const owner = await open(at);
        this.#journals.keep(incarnation, owner);
        tier(owner);
      } catch (error) {
        // It is offline, alone. Whether its log has it all, or it was set aside, a start may tell.
        const isOffline = error instanceof DiskError && !error.retriable;
        if (!isOffline && !(error instanceof CheckpointDamagedError)) throw error;
        warn("a partition of a former journal could not be opened", error);
        this.#journals.hold(incarnation);
      }
    });
    await this.#journals.kept(incarnation);
  }
}
