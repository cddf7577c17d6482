import { type Clock, MetadataError, type Random, type Timer } from "@millrace/core";
import { storeRetryMsMax, storeRetryMsMin } from "./limits.ts";

export interface RhythmOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** From the beginning of a run to the beginning of the next, in ms. */
  readonly everyMs: () => number;
  /** A MetadataError is tried again with pauses; anything else is a bug, and thrown. */
  readonly run: () => Promise<void>;
  /** The first failure after a success, and the first success after failures. */
  readonly onStore: (now: "away" | "back", cause: MetadataError | undefined) => void;
}

/** Calls `run` again and again, never twice at once, until it is closed. */
export class Rhythm {
  readonly #options: RhythmOptions;
  #timer: Timer | undefined;
  /** When the next run is due. */
  #dueMs = Number.POSITIVE_INFINITY;
  #running: Promise<void> | undefined;
  #failures = 0;
  #waiting: (() => void)[] = [];
  #isClosed = false;

  constructor(options: RhythmOptions) {
    this.#options = options;
  }

  /**
   * A run begins now, or as soon as the one under way has ended. Resolves when a run that began
   * after the call has succeeded, or at the close.
   */
  now(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const done = new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#dueMs = this.#options.clock.monotonicMs();
    this.#next();
    return done;
  }

  /** A run begins at that moment at the latest, in monotonic time. */
  by(atMs: number): void {
    if (atMs >= this.#dueMs || this.#isClosed) return;
    this.#dueMs = atMs;
    this.#next();
  }

  /** Resolves when nothing is under way; nothing comes after. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const resolve of this.#waiting.splice(0)) resolve();
    await this.#running;
  }

  #next(): void {
    if (this.#isClosed || this.#running !== undefined) return;
    this.#timer?.cancel();
    const { clock } = this.#options;
    const delayMs = this.#dueMs - clock.monotonicMs();
    if (delayMs > 0) this.#timer = clock.after(delayMs, () => this.#begin());
    else this.#begin();
  }

  #begin(): void {
    const { clock, everyMs } = this.#options;
    const begunMs = clock.monotonicMs();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#running = this.#run(waiting).then(() => {
      this.#running = undefined;
      const pauseMs = this.#failures > 0 ? this.#pauseMs() : 0;
      const nextMs = pauseMs > 0 ? clock.monotonicMs() + pauseMs : begunMs + everyMs();
      this.#dueMs = Math.min(this.#dueMs, nextMs);
      this.#next();
    });
  }

  async #run(waiting: readonly (() => void)[]): Promise<void> {
    const { run, onStore } = this.#options;
    try {
      await run();
      if (this.#failures > 0) onStore("back", undefined);
      this.#failures = 0;
      for (const resolve of waiting) resolve();
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      this.#failures += 1;
      this.#waiting.unshift(...waiting);
      if (this.#failures === 1) onStore("away", error);
      if (this.#isClosed) for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }

  #pauseMs(): number {
    const longestMs = Math.min(storeRetryMsMax, storeRetryMsMin * 2 ** (this.#failures - 1));
    return longestMs / 2 + this.#options.random.below(longestMs / 2);
  }
}
