/** Byte sequences that lie in several arrays, one after another. */

export function totalBytes(parts: readonly Uint8Array[]): number {
  let total = 0;
  for (const part of parts) total += part.length;
  return total;
}

/** Views of the bytes from `from` up to, not including, `to`. */
export function sliceParts(
  parts: readonly Uint8Array[],
  from: number,
  to: number,
): readonly Uint8Array[] {
  const slices: Uint8Array[] = [];
  let start = 0;
  for (const part of parts) {
    const end = start + part.length;
    if (end > from && start < to) {
      slices.push(part.subarray(Math.max(0, from - start), Math.min(part.length, to - start)));
    }
    start = end;
  }
  return slices;
}
