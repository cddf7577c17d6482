import { assert } from "../assert.ts";
import { hashKey, hashSeedBytes, type KeyBytes } from "./key-hash.ts";
import { keyMapLoadPercentMax } from "./limits.ts";

/**
 * The last offset of each key, in one piece of memory of a fixed size.
 *
 * Keys are kept by a hash of 16 bytes (key-hash.ts), as Kafka keeps them, and not as they are: an
 * entry then takes 24 bytes however long its key is, so that a budget in bytes is a number of keys,
 * and the whole is one ArrayBuffer, which moves to a thread and back without a copy. Two keys with
 * one hash would cost the older one its record; the seed, new for every map, leaves that to chance
 * alone, and the chance is 2^-128 for a pair.
 *
 * Words of 32 bits: the first six are the number of entries, the seed, and one unused; then six a
 * slot: the hash, and the offset plus one (high, low), so that zeros are an empty slot. Linear
 * probing from the slot that the hash's first word names.
 */
export class KeyMap {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Uint32Array;
  readonly #seed: Uint32Array;
  readonly #slots: number;
  readonly #keysMax: number;
  readonly #hash = new Int32Array(4);

  private constructor(bytes: Uint8Array<ArrayBuffer>) {
    assert(bytes.length % entryBytes === 0, "a key map has whole slots");
    this.bytes = bytes;
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.#seed = this.#words.subarray(1, 1 + hashSeedBytes / 4);
    this.#slots = bytes.length / entryBytes - 1;
    this.#keysMax = Math.max(1, Math.floor((this.#slots * keyMapLoadPercentMax) / 100));
  }

  /** An empty map within the budget, no larger than `keysMax` keys need. */
  static create(room: {
    readonly budgetBytes: number;
    readonly keysMax: number;
    /** `hashSeedBytes` random ones. */
    readonly seed: Uint8Array;
  }): KeyMap {
    const wanted = Math.ceil((room.keysMax * 100) / keyMapLoadPercentMax) + 1;
    const affordable = Math.floor(room.budgetBytes / entryBytes) - 1;
    const slots = Math.max(slotsMin, Math.min(wanted, affordable));
    const bytes = new Uint8Array((slots + 1) * entryBytes);
    bytes.set(room.seed.subarray(0, hashSeedBytes), 4);
    return new KeyMap(bytes);
  }

  /** The map in memory that another KeyMap's `bytes` were. */
  static over(bytes: Uint8Array<ArrayBuffer>): KeyMap {
    return new KeyMap(bytes);
  }

  get size(): number {
    return this.#words[0] ?? 0;
  }

  /** `full`: the key is a new one, and there is no room for it. Offsets come rising. */
  put(key: KeyBytes, offset: number): "put" | "full" {
    const words = this.#words;
    const at = this.#find(key);
    const isNew = words[at + 4] === 0 && words[at + 5] === 0;
    if (isNew) {
      if (this.size >= this.#keysMax) return "full";
      words[0] = this.size + 1;
      for (let i = 0; i < 4; i++) words[at + i] = this.#hash[i] ?? 0;
    }
    const stored = offset + 1;
    words[at + 4] = Math.floor(stored / twoToThe32);
    words[at + 5] = stored >>> 0;
    return "put";
  }

  /** The last offset that was put for the key; -1: none was. */
  offsetOf(key: KeyBytes): number {
    const at = this.#find(key);
    const words = this.#words;
    return (words[at + 4] as number) * twoToThe32 + (words[at + 5] as number) - 1;
  }

  /** Where the key's slot begins, or the empty one in which it would lie. Leaves the hash. */
  #find(key: KeyBytes): number {
    const words = this.#words;
    const hash = this.#hash;
    hashKey(key, this.#seed, hash);
    const first = (hash[0] as number) >>> 0;
    const second = (hash[1] as number) >>> 0;
    const third = (hash[2] as number) >>> 0;
    const fourth = (hash[3] as number) >>> 0;
    let slot = Math.floor((first / twoToThe32) * this.#slots);
    for (;;) {
      const at = (slot + 1) * wordsPerSlot;
      if (words[at + 4] === 0 && words[at + 5] === 0) return at;
      const isSame =
        words[at] === first &&
        words[at + 1] === second &&
        words[at + 2] === third &&
        words[at + 3] === fourth;
      if (isSame) return at;
      slot = slot + 1 === this.#slots ? 0 : slot + 1;
    }
  }
}

const wordsPerSlot = 6;
const entryBytes = wordsPerSlot * 4;
const slotsMin = 2;
const twoToThe32 = 4_294_967_296;
