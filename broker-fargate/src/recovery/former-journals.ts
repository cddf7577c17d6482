import type { Disk, IncarnationId } from "@millrace/core";
import { DiskError, MetadataError } from "@millrace/core";
import { FencedError } from "../cluster/slot-claims.ts";
import { journalDirectory } from "../journal/files/journal-files.ts";
import type { JournalItems } from "../journal/files/journal-item.ts";

export interface FormerJournalsDeps {
  readonly disk: Disk;
  readonly items: JournalItems;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Journals of former incarnations that were replayed into the logs, and are kept until the object
 * store has what they hold: the logs' folder may be lost, and nothing acknowledged with it.
 */
export class FormerJournals<Owner> {
  readonly #deps: FormerJournalsDeps;
  /** By incarnation, the partitions whose entries the object store has not yet. */
  readonly #waiting = new Map<IncarnationId, Set<Owner>>();
  /** Those with a partition that could not be loaded: they stay until the next start. */
  readonly #held = new Set<IncarnationId>();
  readonly #closing = new Set<Promise<void>>();

  constructor(deps: FormerJournalsDeps) {
    this.#deps = deps;
  }

  /** The journal stays until the partition is covered. */
  keep(incarnation: IncarnationId, owner: Owner): void {
    const owners = this.#waiting.get(incarnation) ?? new Set();
    this.#waiting.set(incarnation, owners.add(owner));
  }

  /** Nobody can tell yet whether a partition's log has what the journal has: it stays. */
  hold(incarnation: IncarnationId): void {
    this.#held.add(incarnation);
  }

  /** That were all of the journal's: without any it is closed. */
  async kept(incarnation: IncarnationId): Promise<void> {
    const isOpen = this.#waiting.has(incarnation) || this.#held.has(incarnation);
    if (!isOpen) await this.#close(incarnation);
  }

  /** Resolves when no journal is being closed. */
  async idle(): Promise<void> {
    await Promise.all(this.#closing);
  }

  /** The object store has all that the partition's log had when it was loaded, or it is gone. */
  covered(owner: Owner): void {
    for (const [incarnation, owners] of this.#waiting) {
      if (!owners.delete(owner) || owners.size > 0) continue;
      this.#waiting.delete(incarnation);
      if (this.#held.has(incarnation)) continue;
      const closing = this.#close(incarnation);
      this.#closing.add(closing);
      void closing.then(() => this.#closing.delete(closing));
    }
  }

  async #close(incarnation: IncarnationId): Promise<void> {
    const { disk, items, warn } = this.#deps;
    try {
      await items.close(incarnation);
      await disk.removeFolder(journalDirectory(incarnation));
    } catch (error) {
      const isOperational =
        error instanceof MetadataError ||
        error instanceof DiskError ||
        error instanceof FencedError;
      if (!isOperational) throw error;
      // The next start replays it once more, and comes to the same.
      warn("a former journal could not be closed", error);
    }
  }
}
