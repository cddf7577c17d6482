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
 * into a segment, because what it lies in at least doubles with each time. Where `planRest` left a
 * part that is not smaller so than the one before it, it is taken in, with all that come after it.
 */
export function planTail(tail: Tail, segmentBytesMin: number): TailPlan {
  const packedEnd = packedEndOf(tail);
  if (packedEnd >= tail.to) return { kind: "nothing" };
  if (tail.bytes >= segmentBytesMin) return { kind: "segment" };
  let bytes = newBytesOf(tail);
  let from = packedEnd;
  const free = freeOf(tail);
  const falling = fallingCount(free);
  for (const [at, part] of [...free.entries()].toReversed()) {
    const isLarger = powerOfTwo(part.batchesBytes) > powerOfTwo(bytes);
    if (isLarger && at < falling) break;
    bytes += part.batchesBytes;
    from = part.baseOffset;
  }
  return { kind: "packed", from };
}

/**
 * How what is not in the object store goes there soonest: in a packed part of its own, so that nothing
 * that is there is read again; a later plan takes such parts in. What is enough for a cold segment
 * makes one, with what is packed before it.
 */
export function planRest(tail: Tail, segmentBytesMin: number): TailPlan {
  const from = packedEndOf(tail);
  if (from >= tail.to) return { kind: "nothing" };
  return newBytesOf(tail) >= segmentBytesMin ? { kind: "segment" } : { kind: "packed", from };
}

function newBytesOf({ bytes, packed }: Tail): number {
  return packed.reduce((left, { batchesBytes }) => left - batchesBytes, bytes);
}

/** The packed parts that one which ends where the tail does may take in. */
function freeOf({ from, packed, to }: Tail): readonly ColdPart[] {
  const barred = packed.findLastIndex(({ baseOffset }) => {
    return baseOffset < from || to - baseOffset > packedSpanMax;
  });
  return packed.slice(barred + 1);
}

/** From the oldest on, parts of which each has a smaller power of two than the one before it. */
function fallingCount(parts: readonly ColdPart[]): number {
  const sizes = parts.map(({ batchesBytes }) => powerOfTwo(batchesBytes));
  const rise = sizes.findIndex((size, at) => at > 0 && size >= (sizes[at - 1] ?? size));
  return rise < 0 ? parts.length : rise;
}

function packedEndOf({ from, packed }: Tail): number {
  return packed.at(-1)?.nextOffset ?? from;
}

/** The largest that is not above `bytes`, as an exponent. */
function powerOfTwo(bytes: number): number {
  return Math.floor(Math.log2(bytes));
}
