/**
 * The hash by which Java's client places keys (`org.apache.kafka.common.utils.Utils.murmur2`, made
 * positive). The default of @platformatic/kafka 2.12.1 places them elsewhere; its compatible one
 * gives what this gives, by arithmetic on BigInts.
 */

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

function mixed(word: number): number {
  const product = Math.imul(word, multiplier);
  return Math.imul(product ^ (product >>> 24), multiplier);
}

/** 31 bits. */
export function positiveMurmur2(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length - (bytes.length % 4);
  let hash = seed ^ bytes.length;
  for (let at = 0; at < whole; at += 4) {
    hash = Math.imul(hash, multiplier) ^ mixed(view.getInt32(at, true));
  }
  if (whole < bytes.length) {
    let tail = 0;
    for (let at = bytes.length - 1; at >= whole; at -= 1) tail = (tail << 8) | (bytes[at] ?? 0);
    hash = Math.imul(hash ^ tail, multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return (hash ^ (hash >>> 15)) & 0x7fffffff;
}
