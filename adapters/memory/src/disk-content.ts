import type { Random } from "@millrace/core";

interface RunningSync {
  readonly number: number;
  readonly from: number;
  readonly size: number;
  readonly bytes: Uint8Array;
}

const firstCapacityBytes = 1024;
/** What a disk writes in one step. */
const sectorBytes = 512;

/**
 * A file's bytes twice: as the process sees them, and as a power loss would find them for sure.
 * They differ from `unsyncedFrom` on at most.
 */
export class MemoryContent {
  /** Wall time of the last change, ms. */
  modifiedMs = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #size = 0;
  #durable: Uint8Array = new Uint8Array(0);
  #durableSize = 0;
  /** The lowest position changed since the last sync began. */
  #changedFrom = Number.POSITIVE_INFINITY;
  #running: RunningSync[] = [];
  #syncsBegun = 0;
  #lastDone = 0;

  get size(): number {
    return this.#size;
  }

  get unsyncedFrom(): number {
    const from = Math.min(this.#changedFrom, ...this.#running.map((sync) => sync.from));
    return Math.min(from, this.#size);
  }

  copy(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }

  read(position: number, into: Uint8Array): number {
    const bytes = this.#bytes.subarray(position, Math.min(this.#size, position + into.length));
    into.set(bytes);
    return bytes.length;
  }

  write(position: number, part: Uint8Array): void {
    // Bytes that were skipped read as zeros, and are as unsynced as what follows them.
    this.#changedFrom = Math.min(this.#changedFrom, position, this.#size);
    this.#grow(position + part.length);
    this.#bytes.set(part, position);
    this.#size = Math.max(this.#size, position + part.length);
  }

  resize(size: number): void {
    if (size === this.#size) return;
    this.#changedFrom = Math.min(this.#changedFrom, size, this.#size);
    this.#grow(size);
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#size = size;
  }

  /** Takes what is to be made durable; the function that is returned says how it went. */
  beginSync(): (outcome: "done" | "failed") => void {
    const from = Math.min(this.#changedFrom, this.#size);
    this.#syncsBegun += 1;
    const bytes = this.#bytes.slice(from, this.#size);
    const sync = { number: this.#syncsBegun, from, size: this.#size, bytes };
    this.#running.push(sync);
    this.#changedFrom = Number.POSITIVE_INFINITY;
    return (outcome) => {
      const begunBefore = this.#running.filter((other) => other.number < sync.number);
      this.#running = this.#running.filter((other) => other !== sync);
      if (outcome === "failed") this.#changedFrom = Math.min(this.#changedFrom, from);
      else this.#finish(sync, begunBefore);
    };
  }

  makeDurable(): void {
    this.#changedFrom = 0;
    this.beginSync()("done");
  }

  flipBit(bit: number): void {
    const at = Math.floor(bit / 8);
    const mask = 1 << (bit % 8);
    this.#bytes[at] = (this.#bytes[at] ?? 0) ^ mask;
    if (at < this.#durableSize) this.#durable[at] = (this.#durable[at] ?? 0) ^ mask;
  }

  /** Becomes what the disk holds after a power loss: one of the ways in which writes get lost. */
  crash(random: Random): void {
    const from = this.unsyncedFrom;
    const changed = from < this.#size || this.#size !== this.#durableSize;
    const kind = changed ? random.below(5) : 1;
    if (kind === 0) this.#become(this.#durable.slice(0, this.#durableSize));
    if (kind === 4) this.#loseSectors(from, random);
    if (kind === 2 || kind === 3) {
      const cut = from + random.below(Math.max(1, this.#size - from + 1));
      if (kind === 2) this.#size = cut;
      else this.#scribble(cut, random);
    }
    this.#running = [];
    this.#syncsBegun += 1;
    this.makeDurable();
  }

  /** Overwrites a stretch of what was not synced: with zeros, as a file system may, or garbage. */
  #scribble(from: number, random: Random): void {
    const length = random.below(Math.max(1, this.#size - from + 1));
    if (random.below(2) === 0) this.#bytes.fill(0, from, from + length);
    else this.#bytes.set(random.bytes(length), from);
  }

  /** Of the sectors that were not synced, some hold what they held before: zeros, where nothing. */
  #loseSectors(from: number, random: Random): void {
    for (let at = from - (from % sectorBytes); at < this.#size; at += sectorBytes) {
      if (random.below(2) === 0) continue;
      const end = Math.min(this.#size, at + sectorBytes);
      const known = Math.min(end, Math.max(at, this.#durableSize));
      this.#bytes.set(this.#durable.subarray(at, known), at);
      this.#bytes.fill(0, known, end);
    }
  }

  #finish(sync: RunningSync, begunBefore: readonly RunningSync[]): void {
    if (sync.number < this.#lastDone) return;
    this.#lastDone = sync.number;
    // What an earlier sync took is older than this call, so this one answers for it too.
    for (const earlier of begunBefore) this.#store(earlier);
    this.#store(sync);
    this.#running = this.#running.filter((other) => !begunBefore.includes(other));
  }

  #store(sync: RunningSync): void {
    if (sync.size > this.#durable.length) {
      const grown = new Uint8Array(Math.max(sync.size, this.#durable.length * 2));
      grown.set(this.#durable.subarray(0, this.#durableSize));
      this.#durable = grown;
    }
    this.#durable.set(sync.bytes, sync.from);
    this.#durableSize = sync.size;
  }

  #become(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#size = bytes.length;
  }

  #grow(size: number): void {
    if (size <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(size, this.#bytes.length * 2, firstCapacityBytes));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }
}
