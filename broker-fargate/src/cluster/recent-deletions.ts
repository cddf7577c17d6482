import type { Clock } from "@millrace/core";
import { recentDeletionMs, recentDeletionsMax } from "./limits.ts";

/**
 * The names of topics that were deleted a moment ago. Older deletions every live broker has seen;
 * past the bound the oldest names are forgotten, and made again without a wait.
 */
export class RecentDeletions {
  readonly #clock: Clock;
  /** When each was deleted, the oldest first. */
  readonly #atMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#atMs.size;
  }

  add(name: string): void {
    this.#atMs.delete(name);
    this.#atMs.set(name, this.#clock.monotonicMs());
    this.#prune();
  }

  has(name: string): boolean {
    this.#prune();
    return this.#atMs.has(name);
  }

  #prune(): void {
    const oldestMs = this.#clock.monotonicMs() - recentDeletionMs;
    for (const [name, atMs] of this.#atMs) {
      if (atMs > oldestMs && this.#atMs.size <= recentDeletionsMax) return;
      this.#atMs.delete(name);
    }
  }
}
