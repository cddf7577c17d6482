import type { Clock, Timer } from "@millrace/core";
import { timerMsMax } from "../limits.ts";

/**
 * Calls `idle` once nothing was noted for `msMax`; what is under way on our side counts as activity.
 * Above 2^31 - 1 ms it never does.
 */
export class IdleWatch {
  readonly #clock: Clock;
  readonly #watched: {
    readonly msMax: number;
    readonly isOurTurn: () => boolean;
    readonly idle: () => void;
  };
  #lastActiveMs: number;
  #timer: Timer | undefined;

  constructor(
    clock: Clock,
    watched: {
      readonly msMax: number;
      readonly isOurTurn: () => boolean;
      readonly idle: () => void;
    },
  ) {
    this.#clock = clock;
    this.#watched = watched;
    this.#lastActiveMs = clock.monotonicMs();
    this.#await(watched.msMax);
  }

  /** Something happened now; returns when that is, by the monotonic clock. */
  note(): number {
    this.#lastActiveMs = this.#clock.monotonicMs();
    return this.#lastActiveMs;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #await(delayMs: number): void {
    if (delayMs > timerMsMax) return;
    this.#timer = this.#clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#watched.isOurTurn()) this.#lastActiveMs = nowMs;
    const leftMs = this.#lastActiveMs + this.#watched.msMax - nowMs;
    if (leftMs > 0) this.#await(leftMs);
    else this.#watched.idle();
  }
}
