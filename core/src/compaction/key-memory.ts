/**
 * Memory for key maps, one after another.
 *
 * It is shared between the event loop and the thread that fills the map: an ArrayBuffer that moved
 * from one to the other with every piece of the log made each of them collect its garbage at every
 * move, because memory that arrives counts as memory that was asked for. For the same reason nobody
 * collects shared memory in time, which does not count at all: so what one round is done with serves
 * the next, unless it was collected meanwhile. Nothing is held between rounds.
 */
export class KeyMemory {
  #last: WeakRef<SharedArrayBuffer> | undefined;

  /** So many bytes at least; `used` ones hold what a map left there. */
  take(bytes: number): { readonly memory: SharedArrayBuffer; readonly state: "zeros" | "used" } {
    const last = this.#last?.deref();
    this.#last = undefined;
    if (last !== undefined && last.byteLength >= bytes) return { memory: last, state: "used" };
    // Twice as large as the former: what lies around uncollected is then no more than the present.
    // Pages that nobody touches cost nothing.
    const wanted = Math.max(bytes, Math.min(bytes * growthMax, (last?.byteLength ?? 0) * 2));
    return { memory: new SharedArrayBuffer(wanted), state: "zeros" };
  }

  /** Of a map that no thread works on any more. */
  giveBack({ buffer }: Uint8Array): void {
    if (buffer instanceof SharedArrayBuffer) this.#last = new WeakRef(buffer);
  }
}

const growthMax = 2;
