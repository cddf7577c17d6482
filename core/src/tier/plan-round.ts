/** A partition's bytes that the object store has not. */
export interface UntieredTail {
  readonly newBytes: number;
  /** With the packed ones before them, which a cold segment takes in. */
  readonly bytes: number;
}

export interface RoundBounds {
  readonly segmentBytesMin: number;
  /** New bytes that may be left, of all tails together. */
  readonly leftBytesMax: number;
}

/**
 * Which tails a round takes that was begun by new bytes, wherever they came: those that are enough
 * for a cold segment. A smaller one would be packed, and stored again soon after, each time that
 * another partition has got its share of bytes; it waits for a round that is begun by its age.
 *
 * Where more is left than may be, the largest go too, until half of that is left: fewer and larger
 * images than if all went, and not again with the next round.
 */
export function planRound<Of extends UntieredTail>(
  tails: readonly Of[],
  { leftBytesMax, segmentBytesMin }: RoundBounds,
): readonly Of[] {
  const taken = tails.filter(({ bytes }) => bytes >= segmentBytesMin);
  const small = tails.filter(({ bytes }) => bytes < segmentBytesMin);
  let leftBytes = small.reduce((sum, { newBytes }) => sum + newBytes, 0);
  if (leftBytes <= leftBytesMax) return taken;
  for (const tail of small.toSorted((one, other) => other.newBytes - one.newBytes)) {
    if (leftBytes <= leftBytesMax / 2) break;
    taken.push(tail);
    leftBytes -= tail.newBytes;
  }
  return taken;
}
