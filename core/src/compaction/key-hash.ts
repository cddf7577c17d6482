/**
 * Chaskey-12, a keyed hash of 128 bits (Mouha and others, SAC 2014; ISO/IEC 29192-6).
 *
 * A secret seed makes it a function of its own for every round of compaction, so that nobody can
 * send keys that collide in it; and among 2^40 keys two have the same hash with a probability of
 * 2^-49. A plain hash would be faster, and its collisions, found once, would be there for ever. It
 * is made for words of 32 bits, which is what JavaScript computes with: SipHash, whose words of 64
 * bits are two here and a carry, takes several times as long.
 */

/** Bytes of the seed. */
export const hashSeedBytes = 16;

/** Words of a hash. */
export const hashWords = 4;

/** Some keys, as columns: entry i of each is about the i-th. */
export interface KeyColumns {
  readonly count: number;
  /** The memory that the keys lie in. */
  readonly body: Uint8Array;
  readonly keyAts: Int32Array;
  /** -1: there is no key. */
  readonly keyBytes: Int32Array;
}

/** What the hashes of a seed of four words are made with: it, doubled once, and doubled twice. */
export function expandSeed(seed: Int32Array): Int32Array {
  const expanded = new Int32Array(3 * hashWords);
  expanded.set(seed.subarray(0, hashWords));
  for (let at = hashWords; at < expanded.length; at++) {
    const word = expanded[at - hashWords] as number;
    // A number of 128 bits, the lowest word first; what leaves it at the top comes in as 0x87.
    const isLowest = at % hashWords === 0;
    const before = expanded[isLowest ? at - 1 : at - hashWords - 1] as number;
    expanded[at] = (word << 1) ^ (isLowest ? (before >> 31) & 0x87 : before >>> 31);
  }
  return expanded;
}

/** Writes the hashes of the keys, four words each, those of nulls excepted. */
export function hashKeys(keys: KeyColumns, expandedSeed: Int32Array, into: Int32Array): void {
  const { count, keyBytes } = keys;
  for (let i = 0; i < count; i++) {
    if ((keyBytes[i] as number) >= 0) hashKey(keys, i, expandedSeed, into);
  }
}

function hashKey(keys: KeyColumns, index: number, seed: Int32Array, into: Int32Array): void {
  const { body } = keys;
  let at = keys.keyAts[index] as number;
  const end = at + (keys.keyBytes[index] as number);
  let v0 = seed[0] as number;
  let v1 = seed[1] as number;
  let v2 = seed[2] as number;
  let v3 = seed[3] as number;
  // The last block, which no key is without, is made with the first doubling where it is whole.
  let last = 0;
  for (; last === 0; at += blockBytes) {
    if (at + blockBytes >= end) last = at + blockBytes === end ? hashWords : 2 * hashWords;
    v0 ^= wordAt(body, at, end);
    v1 ^= wordAt(body, at + 4, end);
    v2 ^= wordAt(body, at + 8, end);
    v3 ^= wordAt(body, at + 12, end);
    if (last !== 0) {
      v0 ^= seed[last] as number;
      v1 ^= seed[last + 1] as number;
      v2 ^= seed[last + 2] as number;
      v3 ^= seed[last + 3] as number;
    }
    for (let round = 0; round < rounds; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 13) | (v3 >>> 19)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 7) | (v1 >>> 25)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
  }
  const out = index * hashWords;
  into[out] = v0 ^ (seed[last] as number);
  into[out + 1] = v1 ^ (seed[last + 1] as number);
  into[out + 2] = v2 ^ (seed[last + 2] as number);
  into[out + 3] = v3 ^ (seed[last + 3] as number);
}

const rounds = 12;
const blockBytes = 16;

/** Four bytes, the lowest first; behind the end a 1, and then zeros. */
function wordAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return (
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    );
  }
  if (at > end) return 0;
  let word = 1 << ((end - at) * 8);
  for (let i = at; i < end; i++) word |= (bytes[i] as number) << ((i - at) * 8);
  return word;
}
