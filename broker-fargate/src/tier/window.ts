/** Bytes one after another that lie in several pieces. */
export interface Window {
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
}

/** `bytes` bytes from `at` on, which the window has; not copied where one piece has them all. */
export function bytesAt(window: Window, at: number, bytes: number): Uint8Array {
  let skip = at;
  for (const piece of window.pieces) {
    if (skip + bytes <= piece.length) return piece.subarray(skip, skip + bytes);
    if (skip < piece.length) break;
    skip -= piece.length;
  }
  const copy = new Uint8Array(bytes);
  copyFrom(window, at, copy);
  return copy;
}

/** Fills `into` from `at` on. */
export function copyFrom(window: Window, at: number, into: Uint8Array): void {
  let skip = at;
  let filled = 0;
  for (const piece of window.pieces) {
    if (skip < piece.length && filled < into.length) {
      const some = piece.subarray(skip, skip + into.length - filled);
      into.set(some, filled);
      filled += some.length;
    }
    skip = Math.max(0, skip - piece.length);
  }
}
