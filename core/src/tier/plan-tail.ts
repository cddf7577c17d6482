import type { ColdPart } from "./cold-part.ts";

/** Offsets that an image can span: with more, one would end where the part before it ended. */
const packedSpanMax = 0xffff_ffff;

/** What a partition has that no cold segment holds. */
export interface Tail {
  /** Where the cold segments end, or the log begins. */
  readonly from: number;
  /** The durable end of the log. */
  readonly to: number;
  /** Of its batches from `from` to `to`. */
  readonly bytes: number;
  /** The parts of it that lie in packs, in order. */
  readonly packed: readonly ColdPart[];
}

export type TailPlan =
  /** All of it is in the object store. */
  | { readonly kind: "nothing" }
  /** Enough for a cold segment, which begins at the tail's begin. */
  | { readonly kind: "segment" }
  /** One packed part from `from` to the tail's end, in the place of those that begin there. */
  | { readonly kind: "packed"; readonly from: number };

/**
 * How a tail goes into the object store.
 *
 * A new packed part takes in those before it, the newest first, as long as one has no larger a size
 * in powers of two than what it has by then. So the parts of a partition differ in that, whatever
 * it gets: there is a logarithm of them, and a byte is packed that often at most before it goes
 * into a segment, because what it lies in at least doubles with each time.
 */
export function planTail(tail: Tail, segmentBytesMin: number): TailPlan {
  const packedEnd = packedEndOf(tail);
  if (packedEnd >= tail.to) return { kind: "nothing" };
  if (tail.bytes >= segmentBytesMin) return { kind: "segment" };
  let bytes = tail.bytes;
  for (const part of tail.packed) bytes -= part.batchesBytes;
  let from = packedEnd;
  for (const part of tail.packed.toReversed()) {
    if (powerOfTwo(part.batchesBytes) > powerOfTwo(bytes) || part.baseOffset < tail.from) break;
    if (tail.to - part.baseOffset > packedSpanMax) break;
    bytes += part.batchesBytes;
    from = part.baseOffset;
  }
  return { kind: "packed", from };
}

/**
 * How what is not in the object store goes there soonest: in a packed part of its own, however small
 * or large. Nothing that is there is read again; a later plan takes such parts in.
 */
export function planRest(tail: Tail): TailPlan {
  const from = packedEndOf(tail);
  return from >= tail.to ? { kind: "nothing" } : { kind: "packed", from };
}

function packedEndOf({ from, packed }: Tail): number {
  return packed.at(-1)?.nextOffset ?? from;
}

/** The largest that is not above `bytes`, as an exponent. */
function powerOfTwo(bytes: number): number {
  return Math.floor(Math.log2(bytes));
}
