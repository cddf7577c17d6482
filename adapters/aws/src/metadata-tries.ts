import { type Clock, MetadataError, type Random } from "@millrace/core";
import { writeBackoffMsFirst, writeBackoffMsMax, writeMsMax, writeTriesMax } from "./limits.ts";

/** The tries of one write: how many, what they may have done, and the waits between them. */
export class WriteTries {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #startedMs: number;
  #failed = 0;
  #mayBeApplied = false;

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#random = random;
    this.#startedMs = clock.monotonicMs();
  }

  /** Whether an earlier try may have had its effect. */
  get mayBeApplied(): boolean {
    return this.#mayBeApplied;
  }

  /**
   * Resolves when it is time for another try, after a wait with full jitter. Throws the failure
   * when it was the last one; its `applied` speaks for all of them.
   */
  async failed(error: MetadataError): Promise<void> {
    this.#mayBeApplied ||= error.applied === "maybe";
    this.#failed += 1;
    const isLate = this.#clock.monotonicMs() - this.#startedMs >= writeMsMax;
    const isLast = !error.retriable || this.#failed === writeTriesMax || isLate;
    if (isLast) throw this.#given(error);
    const longestMs = Math.min(writeBackoffMsMax, writeBackoffMsFirst * 2 ** (this.#failed - 1));
    const waitMs = this.#random.below(longestMs + 1);
    await new Promise<void>((resolve) => this.#clock.after(waitMs, resolve));
  }

  #given(error: MetadataError): MetadataError {
    const applied = this.#mayBeApplied ? "maybe" : "no";
    if (error.applied === applied) return error;
    const { message, retriable } = error;
    return new MetadataError(message, { retriable, applied, cause: error });
  }
}
