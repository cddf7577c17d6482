/**
 * SipHash-1-3 with 128 bits of output (Aumasson and Bernstein; the variant that hash tables use).
 *
 * A secret seed makes it a function of its own for every round of compaction, so that nobody can
 * send keys that collide in it; and among 2^40 keys two have the same hash with a probability of
 * 2^-49. A plain hash would be faster, and its collisions, found once, would be there for ever.
 */

/** Bytes of the seed. */
export const hashSeedBytes = 16;

/** Writes the hash of `bytes[from, from + length)` as four words; `seed` has four words, too. */
export function hashKey(
  { bytes, from, length }: KeyBytes,
  seed: Uint32Array | Int32Array,
  into: Int32Array,
): void {
  // By index: to take an array apart goes through its iterator, which costs as much as the hash.
  // Each 64-bit word as two halves: the low one (l) and the high one (h).
  let v0l = (seed[0] as number) ^ 0x70736575;
  let v0h = (seed[1] as number) ^ 0x736f6d65;
  let v1l = (seed[2] as number) ^ 0x6e646f6d ^ outputMark;
  let v1h = (seed[3] as number) ^ 0x646f7261;
  let v2l = (seed[0] as number) ^ 0x6e657261;
  let v2h = (seed[1] as number) ^ 0x6c796765;
  let v3l = (seed[2] as number) ^ 0x79746573;
  let v3h = (seed[3] as number) ^ 0x74656462;
  const blocks = (length >>> 3) + 1;
  const half = blocks + finalRounds;
  const end = from + length;
  for (let step = 0; step < half + finalRounds; step++) {
    let ml = 0;
    let mh = 0;
    if (step < blocks) {
      const at = from + step * 8;
      ml = wordAt(bytes, at, end);
      mh = wordAt(bytes, at + 4, end);
      if (step === blocks - 1) mh |= length << 24;
    } else if (step === blocks) {
      v2l ^= outputMark;
    } else if (step === half) {
      into[0] = v0l ^ v1l ^ v2l ^ v3l;
      into[1] = v0h ^ v1h ^ v2h ^ v3h;
      v1l ^= secondOutputMark;
    }
    v3l ^= ml;
    v3h ^= mh;
    // One round: four additions of 64 bits, each word rotated.
    let low = (v0l + v1l) | 0;
    v0h = (v0h + v1h + (low >>> 0 < v0l >>> 0 ? 1 : 0)) | 0;
    v0l = low;
    let high = (v1h << 13) | (v1l >>> 19);
    v1l = ((v1l << 13) | (v1h >>> 19)) ^ v0l;
    v1h = high ^ v0h;
    low = (v2l + v3l) | 0;
    v2h = (v2h + v3h + (low >>> 0 < v2l >>> 0 ? 1 : 0)) | 0;
    v2l = low;
    high = (v3h << 16) | (v3l >>> 16);
    v3l = ((v3l << 16) | (v3h >>> 16)) ^ v2l;
    v3h = high ^ v2h;
    // The first word was to be turned by 32 bits: its halves have changed places here.
    low = (v0h + v3l) | 0;
    const v0hNext = (v0l + v3h + (low >>> 0 < v0h >>> 0 ? 1 : 0)) | 0;
    v0l = low;
    v0h = v0hNext;
    high = (v3h << 21) | (v3l >>> 11);
    v3l = ((v3l << 21) | (v3h >>> 11)) ^ v0l;
    v3h = high ^ v0h;
    low = (v2l + v1l) | 0;
    v2h = (v2h + v1h + (low >>> 0 < v2l >>> 0 ? 1 : 0)) | 0;
    v2l = low;
    high = (v1h << 17) | (v1l >>> 15);
    v1l = ((v1l << 17) | (v1h >>> 15)) ^ v2l;
    v1h = high ^ v2h;
    low = v2l;
    v2l = v2h;
    v2h = low;
    v0l ^= ml;
    v0h ^= mh;
  }
  into[2] = v0l ^ v1l ^ v2l ^ v3l;
  into[3] = v0h ^ v1h ^ v2h ^ v3h;
}

export interface KeyBytes {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly length: number;
}

const outputMark = 0xee;
const secondOutputMark = 0xdd;
const finalRounds = 3;

/** Four bytes, the lowest first; zeros behind the end. */
function wordAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return (
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    );
  }
  let word = 0;
  for (let i = at; i < end; i++) word |= (bytes[i] as number) << ((i - at) * 8);
  return word;
}
