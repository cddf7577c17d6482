import type { Logger } from "pino";
import type { OpenBroker } from "./open-broker.ts";
import type { Listener } from "./server/listener.ts";

/** One life of the broker, by one incarnation. */
export interface Life {
  readonly opened: OpenBroker;
  readonly listeners: readonly Listener[];
  /** In good order. */
  end(): Promise<void>;
  /** Its incarnation is over: nothing of it counts any more. */
  abandon(): Promise<void>;
}

/**
 * The lives of a process: where another process has ended its incarnation (a paused one, say, whose
 * slots others took), the next one begins at once, with nothing of the one before (ownership rule 4).
 */
export class Lives {
  onNext: (life: Life) => void = () => undefined;
  readonly #begin: (lives: Lives) => Promise<Life>;
  readonly #log: Logger;
  #life: Life | undefined;
  /** Of those that have begun. */
  #count = 0;
  #replacing: Promise<void> | undefined;
  #isEnding = false;

  constructor(begin: (lives: Lives) => Promise<Life>, log: Logger) {
    this.#begin = begin;
    this.#log = log;
  }

  get count(): number {
    return this.#count;
  }

  async begin(): Promise<Life> {
    this.#count += 1;
    const life = await this.#begin(this);
    this.#life = life;
    return life;
  }

  /** The present life's incarnation is over. Told more than once, it counts once. */
  over(cause: unknown): void {
    if (this.#replacing !== undefined || this.#isEnding) return;
    this.#log.warn({ err: cause }, "this incarnation is over; a new one begins");
    this.#replacing = this.#replace().finally(() => {
      this.#replacing = undefined;
    });
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#replacing;
    await this.#life?.end();
  }

  async #replace(): Promise<void> {
    await this.#life?.abandon();
    this.#life = undefined;
    this.onNext(await this.begin());
  }
}
