/**
 * `bytes[at, at + length)` as a string if all of it is ASCII, or null. A call of TextDecoder costs more than this for
 * the short strings that requests are full of: topic names, client ids, hosts.
 */
export function shortAscii(bytes: Uint8Array, at: number, length: number): string | null {
  let text = "";
  let from = at;
  const end = at + length;
  for (; end - from >= 8; from += 8) {
    const eight = asciiOfEight(bytes, from);
    if (eight === null) return null;
    text += eight;
  }
  for (; from < end; from += 1) {
    const code = bytes[from] as number;
    if (code >= 0x80) return null;
    text += String.fromCharCode(code);
  }
  return text;
}

function asciiOfEight(bytes: Uint8Array, at: number): string | null {
  const a = bytes[at] as number;
  const b = bytes[at + 1] as number;
  const c = bytes[at + 2] as number;
  const d = bytes[at + 3] as number;
  const e = bytes[at + 4] as number;
  const f = bytes[at + 5] as number;
  const g = bytes[at + 6] as number;
  const h = bytes[at + 7] as number;
  if ((a | b | c | d | e | f | g | h) >= 0x80) return null;
  return String.fromCharCode(a, b, c, d, e, f, g, h);
}

const hexDigits = "0123456789abcdef";
const highDigit = Uint8Array.from({ length: 256 }, (_, byte) => hexDigits.charCodeAt(byte >> 4));
const lowDigit = Uint8Array.from({ length: 256 }, (_, byte) => hexDigits.charCodeAt(byte & 15));

/** The 16 bytes from `at` on as 32 lower-case hex digits. The caller has checked that they are there. */
export function hexOf16(bytes: Uint8Array, at: number): string {
  const a = hexOf8(bytes, at);
  return a + hexOf8(bytes, at + 8);
}

/** Sixteen codes in one call make a flat string; adding digits up one by one would make a tree. */
function hexOf8(bytes: Uint8Array, at: number): string {
  const a = bytes[at] as number;
  const b = bytes[at + 1] as number;
  const c = bytes[at + 2] as number;
  const d = bytes[at + 3] as number;
  const e = bytes[at + 4] as number;
  const f = bytes[at + 5] as number;
  const g = bytes[at + 6] as number;
  const h = bytes[at + 7] as number;
  // biome-ignore format: two digits a byte
  return String.fromCharCode(
    highDigit[a] as number, lowDigit[a] as number, highDigit[b] as number, lowDigit[b] as number,
    highDigit[c] as number, lowDigit[c] as number, highDigit[d] as number, lowDigit[d] as number,
    highDigit[e] as number, lowDigit[e] as number, highDigit[f] as number, lowDigit[f] as number,
    highDigit[g] as number, lowDigit[g] as number, highDigit[h] as number, lowDigit[h] as number,
  );
}
