import type { Clock, IncarnationId } from "@millrace/core";
import type { Logger } from "pino";
import type { Metrics } from "./metrics/registry.ts";
import { lifeBeginMsMax } from "./limits.ts";
import type { OpenBroker } from "./open-broker.ts";
import type { Listener } from "./server/listener.ts";
import { endsWithin } from "./takeover/ends-within.ts";

/** One life of the broker, by one incarnation. */
export interface Life {
  readonly opened: OpenBroker;
  readonly listeners: readonly Listener[];
  readonly incarnation: IncarnationId;
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
  /** The next life could not begin: the process has to end. */
  onFailed: (cause: unknown) => void = () => undefined;
  readonly #begin: (lives: Lives) => Promise<Life>;
  readonly #clock: Clock;
  readonly #log: Logger;
  #life: Life | undefined;
  #former: IncarnationId | undefined;
  /** Of those that have begun. */
  #count = 0;
  /** Settled when the newest life has begun, or could not. */
  #beginning: Promise<unknown> = Promise.resolve();
  /** Of the newest life, which may have only just begun. */
  #isOver = false;
  #replacing: Promise<void> | undefined;
  #isEnding = false;

  constructor(begin: (lives: Lives) => Promise<Life>, deps: { clock: Clock; log: Logger }) {
    this.#begin = begin;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  get count(): number {
    return this.#count;
  }

  /** Of the last life that began. */
  get former(): IncarnationId | undefined {
    return this.#former;
  }

  async begin(): Promise<Life> {
    this.#count += 1;
    this.#isOver = false;
    const beginning = this.#begin(this);
    // Who asked for it is told.
    this.#beginning = beginning.catch(() => undefined);
    const life = await beginning;
    this.#life = life;
    this.#former = life.incarnation;
    return life;
  }

  /**
   * The incarnation of that life is over, `count` when it began. Told more than once, it counts once;
   * told of one that is replaced already, it does not count.
   */
  over(life: number, cause: unknown): void {
    if (life !== this.#count || this.#isOver || this.#isEnding) return;
    this.#log.warn({ err: cause }, "this incarnation is over; a new one begins");
    this.#isOver = true;
    this.#replacing ??= this.#replace().catch((error: unknown) => {
      // A process that ends closes its stores, and needs no next life.
      if (!this.#isEnding) this.onFailed(error);
    });
  }

  /**
   * A life that begins is waited for, but not for long: a store that is away may be so for hours.
   * What it has registered by then others find dead.
   */
  async end(): Promise<void> {
    this.#isEnding = true;
    const begun = this.#replacing ?? Promise.resolve();
    if (await endsWithin(this.#clock, lifeBeginMsMax, begun)) await this.#life?.end();
    else this.#log.warn({}, "a life that could not begin yet is given up");
  }

  /** A life may be over before it has begun, the next one too. */
  async #replace(): Promise<void> {
    try {
      while (this.#isOver && !this.#isEnding) {
        await this.#beginning;
        const life = this.#life;
        this.#life = undefined;
        await life?.abandon();
        const next = await this.begin();
        if (!this.#isOver) this.onNext(next);
      }
    } finally {
      // In the turn that found the newest life alive: whoever says later that it is over begins anew.
      this.#replacing = undefined;
    }
  }
}

/** How often another process ended this one's incarnation: each life's metrics are new. */
export function observeLives(metrics: Metrics, lives: Pick<Lives, "count">): void {
  metrics.observe(
    {
      kind: "counter",
      name: "millrace_incarnations_fenced_total",
      help: "Incarnations of this process that other processes ended; after each it began anew.",
    },
    () => Math.max(0, lives.count - 1),
  );
}
