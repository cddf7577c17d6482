import type { Clock, Timer } from "@millrace/core";

/**
 * One life of a process: from its start to its kill. When it is over, none of its timers fires and
 * none of its calls to the outside returns, so nothing of it can go on; that somebody still makes
 * such calls would be a fault of the simulation, so they throw.
 *
 * A paused one (SIGSTOP) does nothing either, and does not know it: timers that became due, replies
 * and whatever else came meanwhile reach it when it goes on, all at once.
 */
export class Life {
  readonly name: string;
  #isOver = false;
  #isFrozen = false;
  #isPaused = false;
  #turns = 0;
  /** What came while it was paused, and behind it. */
  #late: (() => void)[] = [];
  #isCatchingUp = false;
  readonly #atEnd = new Set<() => void>();

  constructor(name: string) {
    this.name = name;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** It is about to be over: what it still asks of the outside has no effect. */
  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** How often something reached it: as long as this is the same, nothing in it has changed. */
  get turns(): number {
    return this.#turns;
  }

  freeze(): void {
    this.#isFrozen = true;
  }

  end(): void {
    this.#isOver = true;
    this.#late = [];
    for (const run of this.#atEnd) run();
    this.#atEnd.clear();
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** `turn` begins a turn of the event loop: what came late comes in turns of its own. */
  resume(turn: (run: () => void) => void): void {
    this.#isPaused = false;
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    const next = (): void => {
      const run = this.#isPaused ? undefined : this.#late.shift();
      this.#isCatchingUp = run !== undefined;
      this.#turns += 1;
      run?.();
      if (run !== undefined) turn(next);
    };
    turn(next);
  }

  /** Something reaches it from outside: now, or when it goes on, or never. */
  deliver(run: () => void): void {
    if (this.#isOver) return;
    if (this.#isPaused || this.#isCatchingUp) {
      this.#late.push(run);
      return;
    }
    this.#turns += 1;
    run();
  }

  /** Resolves at once, or when it goes on, or never. */
  goesOn(): Promise<void> {
    return new Promise((resolve) => this.deliver(resolve));
  }

  /** Called once when the life ends; the function that is returned takes it back. */
  onEnd(run: () => void): () => void {
    this.#atEnd.add(run);
    return () => this.#atEnd.delete(run);
  }

  /** Throws if the life is over. */
  check(call: string): void {
    if (this.#isOver) throw new Error(`${this.name} is dead and calls ${call}`);
  }

  /** The promise's outcome, unless the life ends before: then it never settles. */
  fence<Result>(promise: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      promise.then(
        (result) => this.deliver(() => resolve(result)),
        (error: unknown) => this.deliver(() => reject(error)),
      );
    });
  }

  clock(clock: Clock): Clock {
    return {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, run): Timer => {
        this.check("after");
        let isCancelled = false;
        // A timer of years, which means never, would otherwise wait in the queue for each life.
        const timer = clock.after(delayMs, () => {
          forget();
          this.deliver(() => {
            if (!isCancelled) run();
          });
        });
        const forget = this.onEnd(() => timer.cancel());
        return {
          cancel: () => {
            isCancelled = true;
            forget();
            timer.cancel();
          },
        };
      },
    };
  }
}
