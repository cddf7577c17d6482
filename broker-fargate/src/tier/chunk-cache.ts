import { Lanes } from "@millrace/core";
import type { ColdPart } from "@millrace/core";
import type { TierLimits } from "./limits.ts";

/** A piece of an object: the unit in which batches are read. */
export interface Chunk {
  readonly object: string;
  /** Its first byte in the object. */
  readonly from: number;
  readonly bytes: number;
}

/** Why a chunk is not there. */
export type ChunkFault = "missing" | "unreachable";

interface Failure {
  readonly fault: ChunkFault;
  readonly untilMs: number;
}

export interface ChunkCacheDeps {
  /** Undefined: there is no such object. Rejects when the store does not answer. */
  readonly readRange: (
    object: string,
    range: { readonly from: number; readonly bytes: number },
  ) => Promise<Uint8Array | undefined>;
  readonly monotonicMs: () => number;
  readonly limits: TierLimits;
  readonly warn: (what: string, cause: unknown) => void;
}

/** How long a chunk that could not be read counts as unreadable: readers try again after it. */
const failureMs = 1_000;
/** How long a chunk that nobody reads is taken for one that somebody comes for. */
const freshMs = 10_000;

interface Fresh {
  readonly bytes: Uint8Array;
  readonly sinceMs: number;
}

/**
 * Chunks of objects in memory: at most `cachedBytesMax`, and what is on its way. One that is asked
 * for twice is read once. One larger than all that may be kept is kept alone.
 *
 * Half of it is for chunks that nobody has read yet. As long as they have no more, those that were
 * read go first, the least recently used ahead; and beyond it nothing is read ahead (see
 * `hasRoomAhead`). So what many readers ask for is not driven out before they come for it.
 */
export class ChunkCache {
  readonly #deps: ChunkCacheDeps;
  readonly #lanes: Lanes;
  /** For what is larger than a chunk: one after another. */
  readonly #largeLanes = new Lanes(1);
  /** Those that nobody has read, by object and position, the oldest first. */
  readonly #fresh = new Map<string, Fresh>();
  /** All others, the least recently used first. */
  readonly #used = new Map<string, Uint8Array>();
  readonly #loading = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, Failure>();
  #freshBytes = 0;
  #usedBytes = 0;
  #loadingBytes = 0;

  constructor(deps: ChunkCacheDeps) {
    this.#deps = deps;
    this.#lanes = new Lanes(deps.limits.readsInFlightMax);
  }

  /** Bytes of all chunks that are kept. */
  get bytes(): number {
    return this.#freshBytes + this.#usedBytes;
  }

  /** Whether a chunk may be loaded that nobody waits for. */
  hasRoomAhead(): boolean {
    const nowMs = this.#deps.monotonicMs();
    for (const [key, { sinceMs }] of this.#fresh) {
      if (nowMs < sinceMs + freshMs) break;
      this.#takeFresh(key);
    }
    return this.#loadingBytes + this.#freshBytes < this.#deps.limits.cachedBytesMax / 2;
  }

  /** Chunks that are known to be unreadable. */
  get failures(): number {
    return this.#failures.size;
  }

  find(chunk: Chunk): Uint8Array | undefined {
    const key = keyOf(chunk);
    const found = this.#takeFresh(key) ?? this.#takeUsed(key);
    if (found === undefined) return undefined;
    this.#used.set(key, found);
    this.#usedBytes += found.length;
    return found;
  }

  /** Why the last try to load it failed, a moment ago. */
  faultOf(chunk: Chunk): ChunkFault | undefined {
    const key = keyOf(chunk);
    const failure = this.#failures.get(key);
    if (failure === undefined || this.#deps.monotonicMs() < failure.untilMs) return failure?.fault;
    this.#failures.delete(key);
    return undefined;
  }

  /** Resolves when the chunk is there, or `faultOf` says why it is not. Never rejects. */
  load(chunk: Chunk): Promise<void> {
    const key = keyOf(chunk);
    if (this.#fresh.has(key) || this.#used.has(key)) return Promise.resolve();
    const before = this.#loading.get(key);
    if (before !== undefined) return before;
    const lanes = chunk.bytes > this.#deps.limits.chunkBytes ? this.#largeLanes : this.#lanes;
    const loading = lanes
      .run(() => this.#read(chunk, key))
      .finally(() => {
        this.#loading.delete(key);
        this.#loadingBytes -= chunk.bytes;
      });
    this.#loading.set(key, loading);
    this.#loadingBytes += chunk.bytes;
    return loading;
  }

  async #read(chunk: Chunk, key: string): Promise<void> {
    const { monotonicMs, readRange, warn } = this.#deps;
    const fail = (fault: ChunkFault): void => {
      // Behind all others, so that those that are over come first.
      this.#failures.delete(key);
      this.#failures.set(key, { fault, untilMs: monotonicMs() + failureMs });
      this.#forgetOldFailures();
    };
    try {
      const bytes = await readRange(chunk.object, chunk);
      if (bytes === undefined || bytes.length !== chunk.bytes) return fail("missing");
      this.#failures.delete(key);
      this.#keep(key, bytes);
    } catch (error) {
      warn("an object could not be read", error);
      fail("unreachable");
    }
  }

  #keep(key: string, bytes: Uint8Array): void {
    const { cachedBytesMax } = this.#deps.limits;
    this.#fresh.set(key, { bytes, sinceMs: this.#deps.monotonicMs() });
    this.#freshBytes += bytes.length;
    while (this.bytes > cachedBytesMax) {
      const [oldestFresh] = this.#fresh.keys();
      const [oldestUsed] = this.#used.keys();
      const mayGo = oldestFresh === key ? undefined : oldestFresh;
      const isUsedNext = this.#freshBytes <= cachedBytesMax / 2 || mayGo === undefined;
      if (oldestUsed !== undefined && isUsedNext) this.#takeUsed(oldestUsed);
      else if (mayGo === undefined) return;
      else this.#takeFresh(mayGo);
    }
  }

  #takeFresh(key: string): Uint8Array | undefined {
    const found = this.#fresh.get(key);
    if (found === undefined) return undefined;
    this.#fresh.delete(key);
    this.#freshBytes -= found.bytes.length;
    return found.bytes;
  }

  #takeUsed(key: string): Uint8Array | undefined {
    const found = this.#used.get(key);
    if (found === undefined) return undefined;
    this.#used.delete(key);
    this.#usedBytes -= found.length;
    return found;
  }

  #forgetOldFailures(): void {
    const nowMs = this.#deps.monotonicMs();
    for (const [key, { untilMs }] of this.#failures) {
      if (untilMs > nowMs) break;
      this.#failures.delete(key);
    }
  }
}

/** The chunk that holds a part's byte at `position`; none reaches beyond the part's batches. */
export function chunkAt(part: ColdPart, position: number, chunkBytes: number): Chunk {
  const from = position - (position % chunkBytes);
  const bytes = Math.min(chunkBytes, part.batchesBytes - from);
  return { object: part.object, from: part.position + from, bytes };
}

function keyOf({ bytes, from, object }: Chunk): string {
  return `${from} ${bytes} ${object}`;
}
