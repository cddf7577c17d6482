import type { Clock } from "@millrace/core";

/**
 * Work that may come in heaps, such as a request's first touch of a thousand partitions, a little in
 * each turn of the event loop: once `busyMsMax` were spent, the rest waits for later turns, in order.
 * A task runs at once while there is time and nobody waits.
 *
 * Virtual time does not pass while a task runs, so that in a simulation nothing ever waits.
 */
export class TimedTurns {
  readonly #clock: Clock;
  readonly #busyMsMax: number;
  readonly #waiting: (() => void)[] = [];
  /** Since when `#busyMs` counts. */
  #sinceMs = Number.NEGATIVE_INFINITY;
  #busyMs = 0;

  constructor(clock: Clock, busyMsMax: number) {
    this.#clock = clock;
    this.#busyMsMax = busyMsMax;
  }

  /** Resolves or rejects as the task returns or throws. */
  run<Result>(task: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        try {
          resolve(task());
        } catch (error) {
          reject(error);
        }
      };
      const nowMs = this.#clock.monotonicMs();
      // Nobody can tell where a turn ends; after so long a pause others had theirs.
      if (nowMs - this.#sinceMs > 2 * this.#busyMsMax) this.#startCounting(nowMs);
      if (this.#waiting.length === 0 && this.#busyMs < this.#busyMsMax) this.#count(settle);
      else this.#wait(settle);
    });
  }

  #wait(task: () => void): void {
    this.#waiting.push(task);
    if (this.#waiting.length === 1) this.#clock.after(0, () => this.#goOn());
  }

  #goOn(): void {
    this.#startCounting(this.#clock.monotonicMs());
    while (this.#busyMs < this.#busyMsMax) {
      const task = this.#waiting[0];
      if (task === undefined) return;
      this.#count(task);
      this.#waiting.shift();
    }
    if (this.#waiting.length > 0) this.#clock.after(0, () => this.#goOn());
  }

  #startCounting(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#busyMs = 0;
  }

  #count(task: () => void): void {
    const startedMs = this.#clock.monotonicMs();
    task();
    this.#busyMs += this.#clock.monotonicMs() - startedMs;
  }
}
