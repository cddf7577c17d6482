/**
 * Time, as the broker sees it.
 *
 * Not promised: that wall time never jumps, or that a timer fires on time. Timers decide when to
 * try; they never decide who wins.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. For record timestamps and reports only. */
  wallMs(): number;
  /** Milliseconds since some fixed moment of this process; never goes back. For durations. */
  monotonicMs(): number;
  /**
   * Calls `run` once, `delayMs` or later, unless cancelled first. Never calls it synchronously: a
   * delay of 0 means the next turn, when everything that is ready now has happened.
   */
  after(delayMs: number, run: () => void): Timer;
}

export interface Timer {
  /** No effect when the timer has fired or was cancelled before. */
  cancel(): void;
}
