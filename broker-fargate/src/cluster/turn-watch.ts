import { type Clock, heartbeatMs, type Timer } from "@millrace/core";

/** When the event loop came round last: without a stall, and without a call of a store. */
export class TurnWatch {
  readonly #clock: Clock;
  #turnedMs: number;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#turnedMs = clock.monotonicMs();
  }

  get turnedMs(): number {
    return this.#turnedMs;
  }

  begin(): void {
    this.#turnedMs = this.#clock.monotonicMs();
    this.#timer = this.#clock.after(heartbeatMs, () => this.begin());
  }

  end(): void {
    this.#timer?.cancel();
  }
}
