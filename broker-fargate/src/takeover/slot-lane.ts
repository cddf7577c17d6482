import type { Clock, Slot, Timer } from "@millrace/core";

/**
 * Slots for which something is to be done, until it succeeds: those that come together are done
 * together, those that come while it is under way come next, and those for which it failed are tried
 * again after a pause.
 */
export class SlotLane {
  readonly #clock: Clock;
  readonly #retryMs: number;
  /** Resolves with those for which it is to be tried again. */
  readonly #work: (slots: readonly Slot[]) => Promise<readonly Slot[]>;
  readonly #waiting = new Set<Slot>();
  #underWay = 0;
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  #isClosed = false;

  constructor(options: {
    readonly clock: Clock;
    readonly retryMs: number;
    readonly work: (slots: readonly Slot[]) => Promise<readonly Slot[]>;
  }) {
    this.#clock = options.clock;
    this.#retryMs = options.retryMs;
    this.#work = options.work;
  }

  /** For which it is not done yet, whether under way or to be tried again. */
  get size(): number {
    return this.#waiting.size + this.#underWay;
  }

  add(slots: Iterable<Slot>): void {
    for (const slot of slots) this.#waiting.add(slot);
    this.#run();
  }

  /** Resolves when nothing is under way; nothing comes after. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retry?.cancel();
    await this.#running;
  }

  #run(): void {
    if (this.#isClosed || this.#running !== undefined || this.#waiting.size === 0) return;
    this.#retry?.cancel();
    const slots = [...this.#waiting];
    this.#waiting.clear();
    this.#underWay = slots.length;
    this.#running = this.#work(slots).then((failed) => {
      this.#running = undefined;
      this.#underWay = 0;
      for (const slot of failed) this.#waiting.add(slot);
      if (failed.length === 0) this.#run();
      else if (!this.#isClosed) this.#retry = this.#clock.after(this.#retryMs, () => this.#run());
    });
  }
}
