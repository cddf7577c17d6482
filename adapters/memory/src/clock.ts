import { assert, type Clock, type Timer } from "@millrace/core";

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * Time that moves only when it is told to. Timers fire in the order of their due times, those of
 * one time in the order in which they were set, so that one seed is one run.
 *
 * A scheduler drives it: wait for a macrotask, so that promise chains take no virtual time; then
 * `fireNext`; and so on.
 */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #wallOffsetMs: number;
  #order = 0;
  /** Ascending by due time, then by order. */
  readonly #timers: Pending[] = [];

  constructor(start: { readonly wallMs: number } = { wallMs: 1_700_000_000_000 }) {
    this.#wallOffsetMs = start.wallMs;
  }

  /** Whole milliseconds, as clocks on the wall have them, whatever timers were set to. */
  wallMs(): number {
    return Math.floor(this.#nowMs) + this.#wallOffsetMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    assert(delayMs >= 0, `a timer cannot be set ${delayMs} ms ahead`);
    const timer = { dueMs: this.#nowMs + delayMs, order: this.#order, run };
    this.#order += 1;
    this.#timers.splice(this.#placeOf(timer), 0, timer);
    return { cancel: () => this.#cancel(timer) };
  }

  /** When the next timer is due, in monotonic time. */
  get nextDueMs(): number | undefined {
    return this.#timers[0]?.dueMs;
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Moves time to the next timer and fires it; false when there is none. */
  fireNext(): boolean {
    const timer = this.#timers.shift();
    if (timer === undefined) return false;
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.run();
    return true;
  }

  /** Moves time on by `ms`, firing what becomes due on the way, timers set meanwhile included. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    while (this.nextDueMs !== undefined && this.nextDueMs <= endMs) this.fireNext();
    this.#nowMs = endMs;
  }

  /** A step of the wall clock, forth or back; monotonic time does not feel it. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  #placeOf(timer: Pending): number {
    let [low, high] = [0, this.#timers.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#timers[middle];
      // A later order comes behind all timers of its time.
      if (other !== undefined && other.dueMs <= timer.dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #cancel(timer: Pending): void {
    const index = this.#timers.indexOf(timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }
}
