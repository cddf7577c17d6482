/** Zigzag varints, as records have their numbers: 7 bits a byte, the lowest first. */

/** Signed to unsigned, so that small negative numbers are short too; past 32 bits as well. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

export function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = zigzag(value); left >= 128; left = Math.floor(left / 128)) bytes++;
  return bytes;
}

/** Writes the value, within 2^52 to both sides, at `at`; returns where it ends. */
export function encodeVarint(into: Uint8Array, at: number, value: number): number {
  let end = at;
  let left = zigzag(value);
  for (; left >= 128; left = Math.floor(left / 128)) into[end++] = (left % 128) | 0x80;
  into[end++] = left;
  return end;
}
