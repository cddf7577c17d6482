import { assert } from "../assert.ts";
import { expandSeed, hashKeys, hashSeedBytes, hashWords, type KeyColumns } from "./key-hash.ts";
import type { KeyMemory } from "./key-memory.ts";
import { keyMapLoadPercentMax } from "./limits.ts";

export interface KeyBytes {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly length: number;
}

/** Keys of some records, and their offsets. */
export interface RecordKeys extends KeyColumns {
  readonly offsets: Float64Array;
}

/** How large a map may be, and what it is seeded with. */
export interface KeyMapRoom {
  readonly budgetBytes: number;
  readonly keysMax: number;
  /** `hashSeedBytes` random ones. */
  readonly seed: Uint8Array;
  /** Where the memory comes from; fresh by default. */
  readonly memory?: KeyMemory;
}

/**
 * The last offset of each key, in one piece of memory of a fixed size.
 *
 * Keys are kept by a hash of 16 bytes (key-hash.ts), as Kafka keeps them, and not as they are: an
 * entry then takes 24 bytes however long its key is, so that a budget in bytes is a number of keys,
 * and the whole is one SharedArrayBuffer, in which a thread works without a copy. Two keys with
 * one hash would cost the older one its record; the seed, new for every map, leaves that to chance
 * alone, and the chance is 2^-128 for a pair.
 *
 * Words of 32 bits: the first six are the number of entries, the seed, and 1 where the slots hold
 * what another map left there; then six a slot: the hash, and the offset plus one (high, low), so
 * that zeros are an empty slot. Linear probing from the slot that the hash's first word names.
 *
 * Many keys are hashed first, then the slots are touched in which their look-ups begin, and only then
 * they are looked up: a slot is mostly in no cache, and in a loop of nothing else the processor
 * waits for many of them at once.
 */
export class KeyMap {
  readonly bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #seed: Int32Array;
  readonly #slots: number;
  readonly #keysMax: number;
  #hashes = new Int32Array(hashWords);
  /**
   * Of the keys that were hashed last: where the slots begin that their hashes name. The entry behind
   * them is what was read in touching the slots, so that those reads are not left out.
   */
  #homes = new Int32Array(2);
  readonly #one: { -readonly [Name in keyof RecordKeys]: RecordKeys[Name] } = {
    ...{ count: 1, body: new Uint8Array(0), keyAts: new Int32Array(1) },
    ...{ keyBytes: new Int32Array(1), offsets: new Float64Array(1) },
  };

  private constructor(bytes: Uint8Array) {
    assert(bytes.length % entryBytes === 0, "a key map has whole slots");
    this.bytes = bytes;
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.#seed = expandSeed(this.#words.subarray(1, 1 + hashSeedBytes / 4));
    this.#slots = bytes.length / entryBytes - 1;
    this.#keysMax = Math.max(1, Math.floor((this.#slots * keyMapLoadPercentMax) / 100));
  }

  /** An empty map within the budget, no larger than `keysMax` keys need. */
  static create(room: KeyMapRoom): KeyMap {
    return KeyMap.over(KeyMap.layOut(room));
  }

  /** The bytes of such a map; `over` makes it one. Takes no time, however large it is. */
  static layOut(room: KeyMapRoom): Uint8Array {
    const wanted = Math.ceil((room.keysMax * 100) / keyMapLoadPercentMax) + 1;
    const affordable = Math.floor(room.budgetBytes / entryBytes) - 1;
    const slots = Math.max(slotsMin, Math.min(wanted, affordable));
    const size = (slots + 1) * entryBytes;
    const taken = room.memory?.take(size);
    const bytes = new Uint8Array(taken?.memory ?? new SharedArrayBuffer(size), 0, size);
    const header = new Int32Array(bytes.buffer, 0, wordsPerSlot);
    header[0] = 0;
    header[leftoverAt] = taken?.state === "used" ? 1 : 0;
    bytes.set(room.seed.subarray(0, hashSeedBytes), 4);
    return bytes;
  }

  /** The map in memory that was laid out for one, or that another KeyMap's `bytes` were. */
  static over(bytes: Uint8Array): KeyMap {
    const map = new KeyMap(bytes);
    if (map.#words[leftoverAt] !== 0) {
      map.#words.fill(0, wordsPerSlot);
      map.#words[leftoverAt] = 0;
    }
    return map;
  }

  get size(): number {
    return this.#words[0] ?? 0;
  }

  /** `full`: the key is a new one, and there is no room for it. Offsets come rising. */
  put(key: KeyBytes, offset: number): "put" | "full" {
    this.#one.offsets[0] = offset;
    return this.putAll(this.#only(key)) === 1 ? "put" : "full";
  }

  /** The last offset that was put for the key; -1: none was. */
  offsetOf(key: KeyBytes): number {
    const into = new Float64Array(1);
    this.findAll(this.#only(key), into);
    return into[0] ?? -1;
  }

  /** How many were put: fewer than all where the next is a new key without room. Null keys are not. */
  putAll(keys: RecordKeys): number {
    const words = this.#words;
    const hashes = this.#hashAll(keys);
    const { count, keyBytes, offsets } = keys;
    for (let i = 0; i < count; i++) {
      if ((keyBytes[i] as number) < 0) continue;
      const at = this.#slotOf(hashes, i);
      if (words[at + 4] === 0 && words[at + 5] === 0) {
        const size = words[0] as number;
        if (size >= this.#keysMax) return i;
        words[0] = size + 1;
        for (let word = 0; word < hashWords; word++) {
          words[at + word] = hashes[i * hashWords + word] as number;
        }
      }
      const stored = (offsets[i] as number) + 1;
      words[at + 4] = Math.floor(stored / twoToThe32);
      words[at + 5] = stored | 0;
    }
    return count;
  }

  /** The last offset that was put for each key; -1: none was, or it is null. */
  findAll(keys: KeyColumns, into: Float64Array): void {
    const words = this.#words;
    const hashes = this.#hashAll(keys);
    const { count, keyBytes } = keys;
    for (let i = 0; i < count; i++) {
      let offset = -1;
      if ((keyBytes[i] as number) >= 0) {
        const at = this.#slotOf(hashes, i);
        offset += (words[at + 4] as number) * twoToThe32 + ((words[at + 5] as number) >>> 0);
      }
      into[i] = offset;
    }
  }

  #hashAll(keys: KeyColumns): Int32Array {
    const { count } = keys;
    if (this.#homes.length <= count) {
      this.#hashes = new Int32Array(count * hashWords);
      this.#homes = new Int32Array(count + 1);
    }
    const hashes = this.#hashes;
    hashKeys(keys, this.#seed, hashes);
    const words = this.#words;
    const homes = this.#homes;
    const perHash = this.#slots / twoToThe32;
    let touched = 0;
    for (let i = 0; i < count; i++) {
      const first = (hashes[i * hashWords] as number) >>> 0;
      const at = (((first * perHash) | 0) + 1) * wordsPerSlot;
      homes[i] = at;
      touched ^= (words[at] as number) ^ (words[at + 5] as number);
    }
    homes[count] = touched;
    return hashes;
  }

  /** Where the slot begins of the key that was hashed as the i-th, or the empty one for it. */
  #slotOf(hashes: Int32Array, i: number): number {
    const words = this.#words;
    const from = i * hashWords;
    let at = this.#homes[i] as number;
    for (;;) {
      if (words[at + 4] === 0 && words[at + 5] === 0) return at;
      const isSame =
        words[at] === hashes[from] &&
        words[at + 1] === hashes[from + 1] &&
        words[at + 2] === hashes[from + 2] &&
        words[at + 3] === hashes[from + 3];
      if (isSame) return at;
      at += wordsPerSlot;
      if (at === words.length) at = wordsPerSlot;
    }
  }

  #only({ bytes, from, length }: KeyBytes): RecordKeys {
    this.#one.body = bytes;
    this.#one.keyAts[0] = from;
    this.#one.keyBytes[0] = length;
    return this.#one;
  }
}

const leftoverAt = 5;
const wordsPerSlot = 6;
const entryBytes = wordsPerSlot * 4;
const slotsMin = 2;
const twoToThe32 = 4_294_967_296;
