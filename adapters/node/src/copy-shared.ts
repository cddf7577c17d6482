/**
 * Copies all of `bytes` to `at`, where one of the two is shared memory. `fill` is memcpy; `set` goes
 * byte by byte where they do not lie alike, which takes eight times as long.
 */
export function copyShared(bytes: Uint8Array, into: Buffer, at: number): void {
  // `fill` takes no bytes for a mistake.
  if (bytes.length > 0) into.fill(bytes, at, at + bytes.length);
}
