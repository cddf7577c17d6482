import type { Clock, Item, KeyRange, Page } from "@millrace/core";

/** How far back a store remembers what its keys had. */
export const pastMsMax = 10_000;

/**
 * Says which of the states that a key had in the time that counts is shown: a number from 0, the
 * oldest, up to, not including, `count`; the last one is the present one.
 */
export type ChooseState = (count: number) => number;

export interface Lately {
  /** Monotonic, at most `pastMsMax` ago. */
  readonly sinceMs: number;
  readonly choose: ChooseState;
}

/** Reads of a store that remembers: each key shows one of the states that it had since then. */
export interface PastReads {
  getLately(key: string, lately: Lately): Item | undefined;
  rangeLately(range: KeyRange, lately: Lately): Page;
}

/** The changes of the last `pastMsMax`, oldest first. */
export class RecentChanges<State> {
  readonly #clock: Clock;
  #changes: { readonly atMs: number; readonly key: string; readonly before: State | undefined }[] =
    [];
  /** Of the changes, so many at the beginning are too old. */
  #old = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The key had this state until now. */
  add(key: string, before: State | undefined): void {
    const atMs = this.#clock.monotonicMs();
    this.#changes.push({ atMs, key, before });
    while ((this.#changes[this.#old]?.atMs ?? atMs) < atMs - pastMsMax) this.#old += 1;
    // Half of it at once, so that each change is moved about once.
    if (this.#old * 2 < this.#changes.length) return;
    this.#changes = this.#changes.slice(this.#old);
    this.#old = 0;
  }

  /** By key, the states that ended since then, oldest first. */
  since(sinceMs: number): ReadonlyMap<string, readonly (State | undefined)[]> {
    const states = new Map<string, (State | undefined)[]>();
    for (const { atMs, key, before } of this.#changes) {
      if (atMs < sinceMs) continue;
      const earlier = states.get(key);
      if (earlier === undefined) states.set(key, [before]);
      else earlier.push(before);
    }
    return states;
  }
}
