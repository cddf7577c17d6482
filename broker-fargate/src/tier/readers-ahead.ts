import type { TierLimits } from "./limits.ts";

/** Somebody who reads on where the last read ended. */
export interface SequentialReader {
  /** Reads that were answered. */
  reads: number;
}

export interface ReadersAheadDeps {
  readonly monotonicMs: () => number;
  readonly limits: TierLimits;
}

/** Whoever has not read for so long has no share, until the next read. */
const idleMs = 2_000;
/** Chunks that somebody is read ahead of at first. */
const firstAhead = 2;

/**
 * The sequential readers of all partitions, among whom half of the cached bytes is shared out, so
 * that each is read ahead of, and none takes what another one needs. With more readers than there
 * are chunks in that half nobody is read ahead of.
 */
export class ReadersAhead {
  readonly #deps: ReadersAheadDeps;
  readonly #chunksMax: number;
  /** When each read last, the one longest ago first. */
  readonly #readAtMs = new Map<SequentialReader, number>();

  constructor(deps: ReadersAheadDeps) {
    const { cachedBytesMax, chunkBytes } = deps.limits;
    this.#deps = deps;
    this.#chunksMax = Math.floor(cachedBytesMax / 2 / chunkBytes);
  }

  /** A read was answered. Only the second one shows that the reader goes on, and gets a share. */
  hasRead(reader: SequentialReader): void {
    reader.reads += 1;
    if (reader.reads === 1) return;
    const nowMs = this.#deps.monotonicMs();
    this.#readAtMs.delete(reader);
    this.#readAtMs.set(reader, nowMs);
    for (const [other, atMs] of this.#readAtMs) {
      // More than so many make no difference.
      if (nowMs < atMs + idleMs && this.#readAtMs.size <= 2 * this.#chunksMax) break;
      this.#readAtMs.delete(other);
    }
  }

  /** There is nothing behind what it read last. */
  hasEnded(reader: SequentialReader): void {
    this.#readAtMs.delete(reader);
  }

  /** Whether the reader has a share: chunks that it waits for are not driven out by others'. */
  hasShare(reader: SequentialReader): boolean {
    return this.#readAtMs.has(reader) && this.#readAtMs.size <= this.#chunksMax;
  }

  /** Chunks that may be there, or on their way, for this reader before it asks for them. */
  chunksFor({ reads }: SequentialReader): number {
    const share = Math.floor(this.#chunksMax / Math.max(1, this.#readAtMs.size));
    return Math.min(firstAhead * 2 ** reads, share, this.#deps.limits.readAheadChunksMax);
  }
}
