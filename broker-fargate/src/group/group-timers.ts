import type { Clock, GroupTimer, Timer } from "@millrace/core";

interface Armed {
  deadlineMs: number;
  timer: Timer;
}

/**
 * A group's timers by name. A heartbeat only moves its deadline: the clock's timer is armed again
 * when it fires too early, once a session, not once a heartbeat.
 */
export class GroupTimers {
  readonly #clock: Clock;
  readonly #fire: (timer: GroupTimer) => void;
  readonly #armed = new Map<GroupTimer, Armed>();

  constructor(clock: Clock, fire: (timer: GroupTimer) => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  set(name: GroupTimer, delayMs: number): void {
    const deadlineMs = this.#clock.monotonicMs() + delayMs;
    const armed = this.#armed.get(name);
    if (armed !== undefined && deadlineMs >= armed.deadlineMs) {
      armed.deadlineMs = deadlineMs;
      return;
    }
    armed?.timer.cancel();
    this.#armed.set(name, { deadlineMs, timer: this.#arm(name, delayMs) });
  }

  cancel(name: GroupTimer): void {
    this.#armed.get(name)?.timer.cancel();
    this.#armed.delete(name);
  }

  cancelAll(): void {
    for (const { timer } of this.#armed.values()) timer.cancel();
    this.#armed.clear();
  }

  #arm(name: GroupTimer, delayMs: number): Timer {
    return this.#clock.after(delayMs, () => this.#fired(name));
  }

  #fired(name: GroupTimer): void {
    const armed = this.#armed.get(name);
    if (armed === undefined) return;
    const leftMs = armed.deadlineMs - this.#clock.monotonicMs();
    if (leftMs > 0) {
      armed.timer = this.#arm(name, leftMs);
      return;
    }
    this.#armed.delete(name);
    this.#fire(name);
  }
}
