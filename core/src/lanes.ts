/**
 * Works on every item, in order, on at most `lanesMax` of them at a time. Resolves or rejects when
 * nothing is under way any more; a lane ends at its first failure, which is then thrown.
 */
export async function inLanes<Item>(
  items: readonly Item[],
  lanesMax: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  const lanes = Array.from({ length: Math.min(lanesMax, items.length) }, lane);
  for (const outcome of await Promise.allSettled(lanes)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}

/** Lets at most `max` tasks run at once; the others wait, in order. */
export class Lanes {
  readonly #max: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Starts the task at once where there is room. Settles as the task does. */
  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#running === this.#max) {
      // Whoever ends hands its place on, so that `#running` does not change.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
