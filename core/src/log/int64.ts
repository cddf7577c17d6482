/** Safe integers as two 32-bit halves: reading a BigInt costs some thirty times more. */

const twoToThe32 = 4_294_967_296;

export function readInt64(view: DataView, at: number): number {
  return view.getInt32(at) * twoToThe32 + view.getUint32(at + 4);
}

export function writeInt64(view: DataView, at: number, value: number): void {
  view.setInt32(at, Math.floor(value / twoToThe32));
  view.setUint32(at + 4, value);
}
