import { assert, type Random } from "@millrace/core";

/** Repeatable randomness: sfc32, seeded with one integer. For simulations; never for secrets. */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    assert(Number.isSafeInteger(seed) && seed >= 0, `not a seed: ${seed}`);
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 0x100000000) >>> 0;
    this.#c = 0x9e3779b9;
    // The first numbers of near seeds are near each other.
    for (let round = 0; round < 16; round += 1) this.#next();
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let index = 0; index < length; index += 1) bytes[index] = this.#next() & 0xff;
    return bytes;
  }

  below(limit: number): number {
    assert(Number.isInteger(limit) && limit > 0 && limit <= 0x100000000, `not a limit: ${limit}`);
    // Numbers above the last whole multiple of `limit` would make small results likelier.
    const fair = 0x100000000 - (0x100000000 % limit);
    for (;;) {
      const number = this.#next();
      if (number < fair) return number % limit;
    }
  }

  /** A Random of its own, whose run does not depend on how often this one is asked afterwards. */
  fork(): SeededRandom {
    return new SeededRandom(this.#next() * 0x200000 + (this.#next() >>> 11));
  }

  #next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}
