const TWO_TO_THE_32 = 4_294_967_296;

/**
 * A signed 64-bit big-endian integer as a number, read as two halves: a BigInt would cost an
 * allocation. A value past 2^53 comes back rounded, and is then no safe integer.
 */
export function readInt64(view: DataView, at: number): number {
  return view.getInt32(at) * TWO_TO_THE_32 + view.getUint32(at + 4);
}

/** Writes a safe integer as 64 bits, big endian. */
export function writeInt64(view: DataView, at: number, value: number): void {
  view.setInt32(at, Math.floor(value / TWO_TO_THE_32));
  // setUint32 keeps the low 32 bits of any safe integer, negative ones included.
  view.setUint32(at + 4, value);
}
