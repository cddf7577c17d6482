import type { Clock, Timer } from "@millrace/core";
import type { TierLimits } from "./limits.ts";

/** How much faster than its bytes came a round reads them: it is over before the next one is due. */
const aheadOfIngress = 1.5;
/** What a read costs beside its bytes, in bytes that take as long. */
export const readCostBytes = 16_384;
/** So much of a delay is made up for by turns without a pause; an upload may take longer. */
const madeUpForMsMax = 1_000;

export type PaceLimits = Pick<TierLimits, "uploadReadBytesPerTurn" | "uploadReadBytesPerSecondMin">;

/**
 * Spreads what a round reads, checks and stores over the time that its bytes took to come. At full
 * speed it wants 0.1 to 0.2 CPU seconds for 64 MiB at once; where the processors are busy, whoever
 * produces meanwhile waits until that is made up for.
 *
 * A round that somebody waits for, as at the end, is hurried: it still lets others have turns.
 */
export class UploadPace {
  readonly #clock: Clock;
  readonly #limits: PaceLimits;
  /** Read since others last had a turn of the event loop. */
  #turnBytes = 0;
  #bytesPerMs = Number.POSITIVE_INFINITY;
  /** When the next turn is due, monotonic. */
  #nextMs = 0;
  #beganMs: number;
  readonly #pauses = new Set<Pause>();
  /** Lets go of each thing that takes its time. */
  readonly #slow = new Set<() => void>();

  constructor(clock: Clock, limits: PaceLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#beganMs = clock.monotonicMs();
  }

  /** A round begins that reads so many bytes, or fewer. */
  begin(bytes: number): void {
    const nowMs = this.#clock.monotonicMs();
    const bytesPerMsMin = this.#limits.uploadReadBytesPerSecondMin / 1_000;
    const ingress = bytes / Math.max(1, nowMs - this.#beganMs);
    this.#bytesPerMs = Math.max(bytesPerMsMin, aheadOfIngress * ingress);
    this.#beganMs = nowMs;
    this.#nextMs = nowMs;
  }

  /** Somebody waits for the round that is under way. */
  hurry(): void {
    this.#bytesPerMs = Number.POSITIVE_INFINITY;
    this.#nextMs = 0;
    for (const { go, timer } of this.#pauses) {
      timer.cancel();
      go();
    }
    this.#pauses.clear();
    for (const letGo of this.#slow) letGo();
    this.#slow.clear();
  }

  /**
   * What takes its time, while nobody waits for the round; undefined where somebody does, or comes to:
   * then nobody waits for it any more, and `onLate` gets what comes of it.
   */
  async unlessHurried<Result>(
    begin: () => Promise<Result>,
    onLate: (result: Result) => void,
  ): Promise<Result | undefined> {
    if (this.#bytesPerMs === Number.POSITIVE_INFINITY) return undefined;
    let isLate = false;
    let letGo = (): void => undefined;
    const hurried = new Promise<undefined>((resolve) => {
      letGo = () => {
        isLate = true;
        resolve(undefined);
      };
    });
    const inTime = async (): Promise<Result> => {
      const result = await begin();
      if (isLate) onLate(result);
      return result;
    };
    this.#slow.add(letGo);
    try {
      return await Promise.race([inTime(), hurried]);
    } finally {
      this.#slow.delete(letGo);
    }
  }

  /** So many bytes were read: resolves when the next ones may be. */
  async read(bytes: number): Promise<void> {
    this.#turnBytes += bytes + readCostBytes;
    if (this.#turnBytes < this.#limits.uploadReadBytesPerTurn) return;
    const nowMs = this.#clock.monotonicMs();
    // Where everything takes longer than it should, as with busy processors, a pause on top of that
    // would let the round fall behind what comes, and with it the journal.
    this.#nextMs = Math.max(this.#nextMs, nowMs - madeUpForMsMax);
    this.#nextMs += this.#turnBytes / this.#bytesPerMs;
    this.#turnBytes = 0;
    const pauseMs = Math.max(0, this.#nextMs - nowMs);
    await new Promise<void>((resolve) => {
      const pause: Pause = {
        go: resolve,
        timer: this.#clock.after(pauseMs, () => {
          this.#pauses.delete(pause);
          resolve();
        }),
      };
      this.#pauses.add(pause);
    });
  }
}

interface Pause {
  readonly go: () => void;
  readonly timer: Timer;
}
