import type { Clock } from "@millrace/core";

/** The longest time a timer can be set to. */
const timerMsMax = 0x7fffffff;

/**
 * Holds a stream of bytes to a rate (`log.cleaner.io.max.bytes.per.second`): who was faster waits
 * until the rate is kept again. A second without bytes allows no burst afterwards.
 */
export class Throttle {
  readonly #clock: Clock;
  /** Monotonic time at which what passed so far is paid for. */
  #paidUpMs = 0;
  #isReleased = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when so many bytes, which have passed, are within the rate; at once, if they are. */
  async pass(bytes: number, bytesPerSecond: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    this.#paidUpMs = Math.max(this.#paidUpMs, nowMs) + (bytes * 1000) / bytesPerSecond;
    for (;;) {
      // Timers are no finer, and small debts add up.
      const waitMs = Math.floor(this.#paidUpMs - this.#clock.monotonicMs());
      if (this.#isReleased || !(waitMs >= 1)) return;
      await this.#wait(Math.min(waitMs, timerMsMax));
    }
  }

  /** Lets go of who waits, and of who comes. */
  release(): void {
    this.#isReleased = true;
    this.#wake?.();
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
