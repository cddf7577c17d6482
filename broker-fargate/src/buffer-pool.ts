import { isShared } from "@millrace/core";
import { pooledBytesMax, pooledBytesMin } from "./limits.ts";
import { SharedSlabs } from "./shared-slabs.ts";

/**
 * Memory for what passes through: requests' frames, records on their way from a file to a socket,
 * and, in memory that threads share, on their way into the object store. Used again, because fresh
 * buffers cost their page faults and their garbage collection, which together are more than all
 * that the broker computes about them.
 *
 * A buffer comes back only from somebody who knows that no view of it is left; who does not know,
 * lets go of it, and the garbage collector has it. What is kept for use again is bounded by
 * `pooledBytesMax` and `pooledSharedBytesMax`. Content is whatever the last user left.
 */
export class BufferPool {
  private readonly shared = new SharedSlabs();
  /** By the power of two that is their size. */
  private readonly idle = new Map<number, ArrayBufferLike[]>();
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

  /**
   * The same, in memory that threads share: V8 does not count it, and so collects no garbage because
   * of how much of it is in use.
   */
  takeShared(bytes: number): Uint8Array {
    return this.shared.take(bytes);
  }

  /** For a view that was taken, or a part of it: once for each time. */
  giveBack(view: Uint8Array): void {
    const { buffer } = view;
    if (isShared(view)) {
      this.shared.giveBack(buffer);
      return;
    }
    const size = buffer.byteLength;
    if (size < this.bytesMin || this.idleBytes + size > pooledBytesMax) return;
    if (size !== sizeFor(size)) return;
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
