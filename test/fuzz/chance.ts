import { SeededRandom } from "@millrace/adapter-memory";

/** All choices of one case: the same seed makes the same ones. */
export class Chance {
  readonly random: SeededRandom;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
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
  perThousand(count: number): boolean {
    return this.random.below(1000) < count;
  }

  pick<Choice>(choices: readonly Choice[]): Choice {
    if (choices.length === 0) throw new Error("nothing to pick from");
    return choices[this.random.below(choices.length)] as Choice;
  }

  /** Mostly small, seldom up to `most`: lengths and sizes. */
  skewed(most: number): number {
    const bound = this.pick([1, 4, 16, most]);
    return this.below(Math.min(bound, most) + 1);
  }

  bytes(length: number): Uint8Array {
    return this.random.bytes(length);
  }
}
