import { SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import { Trace } from "./trace.ts";

/** What everything simulated shares: one time, one chance, one trace, one count of events. */
export class World {
  readonly clock: VirtualClock = new VirtualClock();
  readonly random: SeededRandom;
  readonly trace: Trace;
  #events = 0;

  constructor(options: { readonly seed: number; readonly keepTrace: "all" | "digest" }) {
    this.random = new SeededRandom(options.seed);
    const { clock } = this;
    this.trace = new Trace({ nowMs: () => clock.monotonicMs(), keep: options.keepTrace });
  }

  /** What happened: operations of clients, calls of ports, and faults. */
  get events(): number {
    return this.#events;
  }

  count(): void {
    this.#events += 1;
  }

  get nowMs(): number {
    return this.clock.monotonicMs();
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return this.random.below(limit);
  }

  /** An integer from `from` up to and including `to`. */
  between(from: number, to: number): number {
    return from + this.random.below(to - from + 1);
  }

  /** True in so many of a thousand cases. */
  chance(perThousand: number): boolean {
    return this.random.below(1000) < perThousand;
  }

  pick<Choice>(choices: readonly Choice[]): Choice {
    if (choices.length === 0) throw new Error("nothing to pick from");
    return choices[this.random.below(choices.length)] as Choice;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.after(ms, resolve));
  }

  /**
   * Lets time pass, timer by timer, until `isDone`, or until the time limit. Before each timer all
   * promise chains come to rest, so that they take no virtual time. `afterEvent` is called then.
   */
  async runUntil(
    isDone: () => boolean,
    limits: { readonly untilMs: number; readonly afterEvent: () => void },
  ): Promise<"done" | "timeIsUp"> {
    for (;;) {
      await atRest();
      limits.afterEvent();
      if (isDone()) return "done";
      const dueMs = this.clock.nextDueMs;
      if (dueMs === undefined || dueMs > limits.untilMs) return "timeIsUp";
      this.clock.fireNext();
    }
  }
}

let rests = 0;
/** Of so many rests one is a macrotask. */
const restsPerMacrotask = 8;

/**
 * Resolves when no promise is left to continue. Node runs its ticks when all promise chains have
 * come to rest, which takes a fraction of the time of a turn of its event loop; but only such a turn
 * tells of rejections that nobody handled, so there is one now and then.
 */
export function atRest(): Promise<void> {
  rests += 1;
  const isMacrotask = rests % restsPerMacrotask === 0;
  return new Promise((resolve) => {
    if (isMacrotask) setImmediate(resolve);
    else process.nextTick(resolve);
  });
}
