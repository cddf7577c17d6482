import { pooledBytesMax, pooledBytesMin } from "./limits.ts";

/**
 * Memory for what passes through: requests' frames, and records on their way from a file to a
 * socket. Used again, because fresh buffers cost their page faults and their garbage collection,
 * which together are more than all that the broker computes about them.
 *
 * A buffer comes back only from somebody who knows that no view of it is left; who does not know,
 * lets go of it, and the garbage collector has it. What is kept for use again is bounded by
 * `pooledBytesMax`. Content is whatever the last user left.
 */
export class BufferPool {
  /** By the power of two that is their size. */
  private readonly idle = new Map<number, ArrayBuffer[]>();
  private idleBytes = 0;
  private readonly bytesMin: number;

  /** A simulation, whose frames and reads are small, has smaller ones used again. */
  constructor(bytesMin: number = pooledBytesMin) {
    this.bytesMin = bytesMin;
  }

  /** A view of exactly `bytes`. */
  take(bytes: number): Uint8Array {
    if (bytes < this.bytesMin) return new Uint8Array(bytes);
    const size = sizeFor(bytes);
    const buffer = this.idle.get(size)?.pop();
    if (buffer === undefined) return new Uint8Array(new ArrayBuffer(size), 0, bytes);
    this.idleBytes -= size;
    return new Uint8Array(buffer, 0, bytes);
  }

  /** For a view that `take` gave, or a part of it: once for each `take`. */
  giveBack(view: Uint8Array): void {
    const { buffer } = view;
    const size = buffer.byteLength;
    if (size < this.bytesMin || this.idleBytes + size > pooledBytesMax) return;
    if (!(buffer instanceof ArrayBuffer) || size !== sizeFor(size)) return;
    const others = this.idle.get(size);
    if (others === undefined) this.idle.set(size, [buffer]);
    else others.push(buffer);
    this.idleBytes += size;
  }
}

/** The next power of two: at most half of a buffer is left unused. */
function sizeFor(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes));
}
