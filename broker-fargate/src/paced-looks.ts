import type { Clock } from "@millrace/core";

export interface PacedLooksLimits {
  /** Partitions that are looked at in one turn of the event loop. */
  readonly partitionsPerTurnMax: number;
  /** How long they are looked at before others have a turn. */
  readonly turnMsMax: number;
  readonly turnPauseMs: number;
}

/**
 * Lets background work look at many partitions, one after another, without holding up anybody: some
 * in each turn of the event loop, with a pause between.
 */
export class PacedLooks {
  readonly #clock: Clock;
  readonly #limits: PacedLooksLimits;
  #beganMs = 0;
  #partitions = 0;
  /** Ends the pause between two turns. */
  #resume: (() => void) | undefined;
  #isClosed = false;

  constructor(clock: Clock, limits: PacedLooksLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** A turn begins now. */
  begin(): void {
    this.#beganMs = this.#clock.monotonicMs();
    this.#partitions = 0;
  }

  /** Resolves when one more partition may be looked at. */
  async next(): Promise<void> {
    const { partitionsPerTurnMax, turnMsMax, turnPauseMs } = this.#limits;
    const isOver =
      this.#partitions >= partitionsPerTurnMax ||
      this.#clock.monotonicMs() - this.#beganMs >= turnMsMax;
    if (isOver && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#resume = resolve;
        this.#clock.after(turnPauseMs, resolve);
      });
      this.begin();
    }
    this.#partitions += 1;
  }

  /** Ends a pause, and there is none any more: whoever looks is about to stop. */
  close(): void {
    this.#isClosed = true;
    this.#resume?.();
  }
}
