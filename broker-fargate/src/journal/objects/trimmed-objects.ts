import { type Clock, type IncarnationId, ObjectError } from "@millrace/core";
import type { ObjectAccess } from "../../tier/object-access.ts";
import { journalKey } from "./journal-keys.ts";
import type { JournalLimits } from "../limits.ts";

export interface TrimmedObjectsOptions {
  readonly objects: ObjectAccess;
  readonly clock: Clock;
  readonly cluster: string;
  readonly incarnation: IncarnationId;
  readonly limits: JournalLimits;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Deletes the objects of an incarnation's own journal that its recorded trim has passed: upwards
 * from the lowest seq, some in one request, the next request only when that one is done, so that
 * what is left has no gap but within one request (ownership rule 3). In the background, and again
 * until it is done. What a process leaves behind goes with its whole journal.
 */
export class TrimmedObjects {
  readonly #options: TrimmedObjectsOptions;
  /** All below it are deleted. */
  #deletedTo = 0;
  #trim = 0;
  #isStopped = false;
  #running: Promise<void> | undefined;

  constructor(options: TrimmedObjectsOptions) {
    this.#options = options;
  }

  /** The trim is recorded, durably. */
  raise(trim: number): void {
    this.#trim = trim;
    this.#running ??= this.#deleteAll().finally(() => {
      this.#running = undefined;
    });
  }

  /** Nothing is deleted any more, but for the request that is under way. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves when all below the trim is deleted, or nothing will be. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #deleteAll(): Promise<void> {
    const { clock, cluster, incarnation, limits, objects, warn } = this.#options;
    while (this.#deletedTo < this.#trim && !this.#isStopped) {
      const from = this.#deletedTo;
      const count = Math.min(this.#trim - from, limits.deletedPerCallMax);
      const keys = Array.from({ length: count }, (_, i) =>
        journalKey(cluster, incarnation, from + i),
      );
      try {
        await objects.delete(keys);
        this.#deletedTo = from + count;
      } catch (error) {
        if (!(error instanceof ObjectError)) throw error;
        warn("trimmed objects of the journal could not be deleted; they are tried again", error);
        await new Promise<void>((resolve) => clock.after(limits.deletePauseMs, resolve));
      }
    }
  }
}
