import { isShared } from "@millrace/core";
import { pooledBytesMax, pooledBytesMin, pooledSharedBytesMax } from "./limits.ts";

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
  private readonly own = new IdleBuffers((size) => new ArrayBuffer(size), pooledBytesMax);
  private readonly shared = new IdleBuffers(
    (size) => new SharedArrayBuffer(size),
    pooledSharedBytesMax,
  );
  private readonly bytesMin: number;

  /** A simulation, whose frames and reads are small, has smaller ones used again. */
  constructor(bytesMin: number = pooledBytesMin) {
    this.bytesMin = bytesMin;
  }

  /** A view of exactly `bytes`. */
  take(bytes: number): Uint8Array {
    return bytes < this.bytesMin ? new Uint8Array(bytes) : this.own.take(bytes);
  }

  /**
   * The same, in memory that threads share: V8 does not count it, and so collects no garbage because
   * of how much of it is in use.
   */
  takeShared(bytes: number): Uint8Array {
    if (bytes < this.bytesMin) return new Uint8Array(new SharedArrayBuffer(bytes));
    return this.shared.take(bytes);
  }

  /** For a view that was taken, or a part of it: once for each time. */
  giveBack(view: Uint8Array): void {
    if (view.buffer.byteLength < this.bytesMin) return;
    if (isShared(view)) this.shared.giveBack(view.buffer);
    else this.own.giveBack(view.buffer);
  }
}

/** Buffers that nobody uses now, up to so many bytes of them. */
class IdleBuffers {
  readonly #allocate: (size: number) => ArrayBufferLike;
  readonly #bytesMax: number;
  /** By the power of two that is their size. */
  readonly #idle = new Map<number, ArrayBufferLike[]>();
  #idleBytes = 0;

  constructor(allocate: (size: number) => ArrayBufferLike, bytesMax: number) {
    this.#allocate = allocate;
    this.#bytesMax = bytesMax;
  }

  take(bytes: number): Uint8Array {
    const size = sizeFor(bytes);
    const buffer = this.#idle.get(size)?.pop();
    if (buffer === undefined) return new Uint8Array(this.#allocate(size), 0, bytes);
    this.#idleBytes -= size;
    return new Uint8Array(buffer, 0, bytes);
  }

  giveBack(buffer: ArrayBufferLike): void {
    const size = buffer.byteLength;
    if (size !== sizeFor(size) || this.#idleBytes + size > this.#bytesMax) return;
    const others = this.#idle.get(size);
    if (others === undefined) this.#idle.set(size, [buffer]);
    else others.push(buffer);
    this.#idleBytes += size;
  }
}

/** The next power of two: at most half of a buffer is left unused. */
function sizeFor(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes));
}
