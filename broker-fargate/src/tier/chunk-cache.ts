import { assert, Lanes } from "@millrace/core";
import type { ColdPart, ObjectRange, ReadBuffers } from "@millrace/core";
import type { TierLimits } from "./limits.ts";
import { ReadersAhead } from "./readers-ahead.ts";

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
  readonly readRange: (object: string, range: ObjectRange) => Promise<Uint8Array | undefined>;
  /** Memory for chunks; one that goes gives its back. */
  readonly buffers: ReadBuffers;
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
 * Chunks of objects in memory: at most `cachedBytesMax`, with what is on its way. One that is asked
 * for twice is read once. One larger than all that may be kept is kept alone.
 *
 * The memory of a chunk that goes is used again at once: fresh memory costs its page faults and
 * garbage collections, which together were more than everything else about a cold read. So whoever
 * finds a chunk copies what it wants before anything else is asked of the cache.
 *
 * Half of it is for chunks that nobody has read yet. As long as they have no more, those that were
 * read go first, the least recently used ahead; and beyond it nothing is read ahead (see
 * `hasRoomAhead`). So what many readers ask for is not driven out before they come for it.
 */
export class ChunkCache {
  /** Those whom chunks are read ahead of. */
  readonly readers: ReadersAhead;
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
  /** Of those that are asked for, and of those of them whose memory is taken. */
  #loadingBytes = 0;
  #readingBytes = 0;

  constructor(deps: ChunkCacheDeps) {
    this.#deps = deps;
    this.readers = new ReadersAhead(deps);
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
      this.#release(this.#takeFresh(key));
    }
    return this.#loadingBytes + this.#freshBytes < this.#deps.limits.cachedBytesMax / 2;
  }

  /** Chunks that are known to be unreadable. */
  get failures(): number {
    return this.#failures.size;
  }

  /** The chunk's bytes, until the next call. */
  find(chunk: Chunk): Uint8Array | undefined {
    const key = keyOf(chunk);
    const found = this.#takeFresh(key) ?? this.#takeUsed(key);
    if (found === undefined) return undefined;
    this.#used.set(key, found);
    this.#usedBytes += memoryOf(found);
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
    const { bytes, from } = chunk;
    const into = this.#takeMemory(bytes);
    this.#readingBytes += memoryOf(into);
    let found: Uint8Array | "unreachable" | undefined;
    try {
      found = await readRange(chunk.object, { from, bytes, into });
    } catch (error) {
      warn("an object could not be read", error);
      found = "unreachable";
    }
    this.#readingBytes -= memoryOf(into);
    if (found === "unreachable" || found?.length !== bytes) {
      this.#release(into);
      return this.#failed(key, found === "unreachable" ? found : "missing");
    }
    assert(found.buffer === into.buffer, "it is read into the memory that was given");
    this.#failures.delete(key);
    this.#fresh.set(key, { bytes: into, sinceMs: monotonicMs() });
    this.#freshBytes += memoryOf(into);
  }

  /** Of so many bytes; chunks go that have no room beside it. */
  #takeMemory(bytes: number): Uint8Array {
    const { buffers, limits } = this.#deps;
    const { cachedBytesMax, chunkBytes } = limits;
    while (this.bytes + this.#readingBytes + bytes > cachedBytesMax) {
      const [oldestFresh] = this.#fresh.keys();
      const [oldestUsed] = this.#used.keys();
      const isUsedNext = this.#freshBytes + bytes <= cachedBytesMax / 2;
      if (oldestUsed !== undefined && (isUsedNext || oldestFresh === undefined)) {
        this.#release(this.#takeUsed(oldestUsed));
      } else if (oldestFresh !== undefined) this.#release(this.#takeFresh(oldestFresh));
      else break;
    }
    // A large one comes seldom, and nothing else has a use for its memory.
    return bytes > chunkBytes ? new Uint8Array(bytes) : buffers.take(bytes);
  }

  #release(bytes: Uint8Array | undefined): void {
    if (bytes !== undefined && bytes.length <= this.#deps.limits.chunkBytes) {
      this.#deps.buffers.giveBack(bytes);
    }
  }

  #takeFresh(key: string): Uint8Array | undefined {
    const found = this.#fresh.get(key);
    if (found === undefined) return undefined;
    this.#fresh.delete(key);
    this.#freshBytes -= memoryOf(found.bytes);
    return found.bytes;
  }

  #takeUsed(key: string): Uint8Array | undefined {
    const found = this.#used.get(key);
    if (found === undefined) return undefined;
    this.#used.delete(key);
    this.#usedBytes -= memoryOf(found);
    return found;
  }

  #failed(key: string, fault: ChunkFault): void {
    const nowMs = this.#deps.monotonicMs();
    // Behind all others, so that those that are over come first.
    this.#failures.delete(key);
    this.#failures.set(key, { fault, untilMs: nowMs + failureMs });
    for (const [other, { untilMs }] of this.#failures) {
      if (untilMs > nowMs) break;
      this.#failures.delete(other);
    }
  }
}

/** The chunk that holds a part's byte at `position`; none reaches beyond the part's batches. */
export function chunkAt(part: ColdPart, position: number, chunkBytes: number): Chunk {
  const from = position - (position % chunkBytes);
  const bytes = Math.min(chunkBytes, part.batchesBytes - from);
  return { object: part.object, from: part.position + from, bytes };
}

/** What it holds in memory: a buffer may be larger than the chunk that is in it. */
function memoryOf(bytes: Uint8Array): number {
  return bytes.buffer.byteLength;
}

function keyOf({ bytes, from, object }: Chunk): string {
  return `${from} ${bytes} ${object}`;
}
