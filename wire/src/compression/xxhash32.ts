const PRIME_1 = 0x9e3779b1;
const PRIME_2 = 0x85ebca77;
const PRIME_3 = 0xc2b2ae3d;
const PRIME_4 = 0x27d4eb2f;
const PRIME_5 = 0x165667b1;

const STRIPE_BYTES = 16;

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function round(lane: number, word: number): number {
  return Math.imul(rotateLeft((lane + Math.imul(word, PRIME_2)) | 0, 13), PRIME_1);
}

function read32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/**
 * XXH32 of `bytes` with seed 0, unsigned: the checksum that lz4's frames carry.
 * Source: github.com/Cyan4973/xxHash, doc/xxhash_spec.md.
 */
export function xxhash32(bytes: Uint8Array): number {
  const end = bytes.length;
  let at = 0;
  let hash: number;
  if (end >= STRIPE_BYTES) {
    let lane1 = (PRIME_1 + PRIME_2) | 0;
    let lane2 = PRIME_2 | 0;
    let lane3 = 0;
    let lane4 = -PRIME_1 | 0;
    for (; at <= end - STRIPE_BYTES; at += STRIPE_BYTES) {
      lane1 = round(lane1, read32(bytes, at));
      lane2 = round(lane2, read32(bytes, at + 4));
      lane3 = round(lane3, read32(bytes, at + 8));
      lane4 = round(lane4, read32(bytes, at + 12));
    }
    hash =
      rotateLeft(lane1, 1) + rotateLeft(lane2, 7) + rotateLeft(lane3, 12) + rotateLeft(lane4, 18);
  } else {
    hash = PRIME_5;
  }
  hash = (hash + end) | 0;
  for (; at <= end - 4; at += 4) {
    hash = (hash + Math.imul(read32(bytes, at), PRIME_3)) | 0;
    hash = Math.imul(rotateLeft(hash, 17), PRIME_4);
  }
  for (; at < end; at++) {
    hash = (hash + Math.imul(bytes[at] as number, PRIME_5)) | 0;
    hash = Math.imul(rotateLeft(hash, 11), PRIME_1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
