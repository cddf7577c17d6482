import type { JournalEntryDraft } from "@millrace/wire";
import { journalObjectBytes } from "@millrace/wire";

/**
 * How much of a journal is taken, wherever its objects lie: bytes that are decided and not durable
 * yet, and bytes of durable objects that nothing else holds yet; and who waits for room.
 */
export class JournalRoom {
  readonly #bounds: { readonly journalBytesMax: number; readonly pendingBytesMax: number };
  readonly #listeners = new Set<() => void>();
  /** Durable objects from `trim` on, oldest first. */
  readonly #untrimmed: { readonly bytes: number; readonly atMs: number }[] = [];
  #untrimmedBytes = 0;
  #pendingBytes = 0;
  #trim = 0;

  constructor(bounds: { readonly journalBytesMax: number; readonly pendingBytesMax: number }) {
    this.#bounds = bounds;
  }

  /** All below it is durable elsewhere. */
  get trim(): number {
    return this.#trim;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get untrimmedBytes(): number {
    return this.#untrimmedBytes;
  }

  /** Monotonic time at which the oldest untrimmed object became durable. */
  get oldestUntrimmedMs(): number | undefined {
    return this.#untrimmed[0]?.atMs;
  }

  /** Whether so many bytes fit; an entry that is too large for any bound fits alone. */
  hasRoom(bytes: number): boolean {
    if (this.#pendingBytes === 0 && this.#untrimmedBytes === 0) return true;
    const { journalBytesMax, pendingBytesMax } = this.#bounds;
    const pending = this.#pendingBytes + bytes;
    const fitsAlone = this.#pendingBytes === 0 || pending <= pendingBytesMax;
    return fitsAlone && this.#untrimmedBytes + pending <= journalBytesMax;
  }

  /** An entry of so many bytes is decided. */
  take(bytes: number): void {
    this.#pendingBytes += bytes;
  }

  /** It is told durable. */
  settle(bytes: number): void {
    this.#pendingBytes -= bytes;
  }

  /** None of those that are pending will be told durable any more. */
  drop(): void {
    this.#pendingBytes = 0;
  }

  /** The next object is durable. */
  stored(object: { readonly bytes: number; readonly atMs: number }): void {
    this.#untrimmed.push(object);
    this.#untrimmedBytes += object.bytes;
  }

  /** All below `seq`, which is above the trim, is durable elsewhere. */
  trimTo(seq: number): void {
    for (const { bytes } of this.#untrimmed.splice(0, seq - this.#trim)) {
      this.#untrimmedBytes -= bytes;
    }
    this.#trim = seq;
  }

  /** Calls `listener` whenever there may be more room than before. Returns how to take it back. */
  onRoom(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** There may be more room. */
  tell(): void {
    if (this.#listeners.size === 0) return;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** The bytes that an entry adds to the journal, within the padding of its object. */
export function entryBytes(entry: JournalEntryDraft): number {
  let bytes = 0;
  for (const part of entry.parts) bytes += part.length;
  return journalObjectBytes(bytes, 1);
}
