/** Waiting, with an end: the only place where the SDK reads a clock, sets timers or draws lots. */
import { backoffMsMax, backoffMsMin } from "./limits.ts";

/**
 * An option of every call that waits.
 *
 * @example
 * ```ts
 * import { type Abortable, connect, string } from "@millrace/sdk";
 *
 * const soon: Abortable = { signal: AbortSignal.timeout(1_000) };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * await client.topic("lines", { value: string() }).send({ value: "hello" }, soon);
 * ```
 */
export interface Abortable {
  /** Ends the wait: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export function nowMs(): number {
  return performance.now();
}

/** For timestamps of records only. */
export function wallClockMs(): number {
  return Date.now();
}

/**
 * Runs once, when the delay has passed by `nowMs`: Node's timers may come up to a millisecond before
 * that, and who then looks at the clock would find nothing to do. Returns what calls it off.
 */
export function later(delayMs: number, run: () => void): () => void {
  const dueMs = nowMs() + delayMs;
  let timer: ReturnType<typeof setTimeout>;
  const look = (): void => {
    const restMs = dueMs - nowMs();
    if (restMs <= 0) run();
    else timer = setTimeout(look, Math.ceil(restMs));
  };
  timer = setTimeout(look, Math.ceil(delayMs));
  return () => clearTimeout(timer);
}

/** Runs once, after what this turn of the event loop still brings. */
export function afterThisTurn(run: () => void): () => void {
  const handle = setImmediate(run);
  return () => clearImmediate(handle);
}

/** Resolves after the delay; rejects with the signal's reason if it comes first. */
export function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    // A signal may outlive any number of waits: it keeps nothing of those that are over.
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** The promise, or the signal's reason, whichever comes first. What the promise does goes on. */
export function withSignal<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) {
      // Its outcome is nobody's any more; a rejection would end the process.
      promise.catch(() => undefined);
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    promise
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort))
      .catch(() => undefined);
  });
}

/** How long to wait before the given retry (from 1): it doubles, and half of it is drawn by lot. */
export function backoffMs(attempt: number): number {
  const whole = Math.min(backoffMsMax, backoffMsMin * 2 ** (attempt - 1));
  return whole / 2 + (Math.random() * whole) / 2;
}

/**
 * Calls until it succeeds, fails for good, or the time is up: then it rejects with the last
 * failure. `retriable` says which failures are worth another try.
 */
export async function retrying<T>(
  call: () => Promise<T>,
  options: Abortable & {
    readonly forMs: number;
    readonly retriable: (error: unknown) => boolean;
  },
): Promise<T> {
  const untilMs = nowMs() + options.forMs;
  for (let attempt = 1; ; attempt += 1) {
    options.signal?.throwIfAborted();
    try {
      return await withSignal(call(), options.signal);
    } catch (error) {
      const waitMs = backoffMs(attempt);
      const over = options.signal?.aborted === true || nowMs() + waitMs > untilMs;
      if (over || !options.retriable(error)) throw error;
      await sleep(waitMs, options.signal);
    }
  }
}

/** A whole number from 0 on, below the bound, drawn by lot. */
export function anyBelow(bound: number): number {
  return Math.floor(Math.random() * bound);
}

/** A text that nobody can guess and nobody else has: 122 random bits. */
export function newUniqueText(): string {
  return crypto.randomUUID();
}
