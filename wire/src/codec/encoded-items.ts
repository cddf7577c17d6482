/**
 * Consecutive elements of an array that were encoded before, for one version: an encoder takes them
 * in the place of the elements where the schema says `encodable`. So what is large and asked for
 * often is encoded once, and what is large can be encoded a part at a time. The bytes must not
 * change any more.
 */
export class EncodedItems {
  /** Elements. */
  readonly count: number;
  readonly pieces: readonly Uint8Array[];

  constructor(count: number, pieces: readonly Uint8Array[]) {
    this.count = count;
    this.pieces = pieces;
  }

  get byteLength(): number {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0);
  }
}

/** Elements, those that are encoded already included. */
export function countItems(items: readonly object[]): number {
  let count = 0;
  for (const item of items) count += item instanceof EncodedItems ? item.count : 1;
  return count;
}
