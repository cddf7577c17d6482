import { pooledSharedBytesMax, sharedSlabBytes } from "./limits.ts";

interface Slab {
  readonly memory: SharedArrayBuffer;
  /** What was taken of it lies before here. */
  usedBytes: number;
  /** Views that were taken and have not come back. */
  held: number;
}

/**
 * Memory that threads share, for views of all sizes, cut from slabs one after another. A slab is used
 * again once all that was taken of it came back: what goes into one object was read together, and
 * comes back together.
 *
 * V8 does not count shared memory, and so collects none because of how much was dropped. With
 * buffers by size, those of one size were kept while others were dropped and made anew, and
 * hundreds of megabytes lay around: here any slab serves any size, and next to nothing is dropped.
 */
export class SharedSlabs {
  readonly #slabs = new WeakMap<ArrayBufferLike, Slab>();
  readonly #idle: Slab[] = [];
  #current: Slab | undefined;

  /** A view of exactly `bytes`. */
  take(bytes: number): Uint8Array {
    const slab = this.#withRoomFor(bytes);
    const view = new Uint8Array(slab.memory, slab.usedBytes, bytes);
    slab.usedBytes += bytes;
    slab.held += 1;
    return view;
  }

  /** The memory of a view that was taken: once for each. What is somebody else's is not taken in. */
  giveBack(memory: ArrayBufferLike): void {
    const slab = this.#slabs.get(memory);
    if (slab === undefined) return;
    slab.held -= 1;
    if (slab.held > 0) return;
    slab.usedBytes = 0;
    if (slab === this.#current || memory.byteLength !== sharedSlabBytes) return;
    if ((this.#idle.length + 1) * sharedSlabBytes <= pooledSharedBytesMax) this.#idle.push(slab);
  }

  #withRoomFor(bytes: number): Slab {
    const current = this.#current;
    if (bytes > sharedSlabBytes) return this.#make(bytes);
    if (current !== undefined && current.usedBytes + bytes <= sharedSlabBytes) return current;
    this.#current = this.#idle.pop() ?? this.#make(sharedSlabBytes);
    return this.#current;
  }

  #make(bytes: number): Slab {
    const slab = { memory: new SharedArrayBuffer(bytes), usedBytes: 0, held: 0 };
    this.#slabs.set(slab.memory, slab);
    return slab;
  }
}
