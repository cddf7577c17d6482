import type { ColdPart } from "@millrace/core";
import { decodeImageTail, TAIL_READ_BYTES } from "@millrace/wire";
import type { ImageTail } from "@millrace/wire";
import type { WireFormat } from "../partition/wire-format.ts";
import type { TierLimits } from "./limits.ts";
import type { ObjectAccess } from "./object-access.ts";

type ReadRange = ObjectAccess["readRange"];

export interface ImageTailsDeps {
  readonly wire: WireFormat;
  readonly limits: TierLimits;
  /** Undefined: there is no such object. Rejects when the store does not answer. */
  readonly readRange: ReadRange;
  /** The same, from memory what was read there before. Absent: nothing is. */
  readonly readKept?: ReadRange;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * What follows the batches of images: kept for the images that were read last, as many as are within
 * their limits. What a tail tells of producers may be megabytes.
 */
export class ImageTails {
  readonly #deps: ImageTailsDeps;
  /** The least recently used first. */
  readonly #tails = new Map<string, ImageTail>();
  #keptBytes = 0;
  readonly #loading = new Map<string, Promise<ImageTail | undefined>>();

  constructor(deps: ImageTailsDeps) {
    this.#deps = deps;
  }

  /** Images whose tail is in memory. */
  get kept(): number {
    return this.#tails.size;
  }

  find(part: ColdPart): ImageTail | undefined {
    const key = imageKey(part);
    const found = this.#tails.get(key);
    if (found === undefined) return undefined;
    this.#tails.delete(key);
    this.#tails.set(key, found);
    return found;
  }

  /** Undefined where it is missing or damaged, which is logged, or the store does not answer. */
  load(part: ColdPart): Promise<ImageTail | undefined> {
    const key = imageKey(part);
    const before = this.#loading.get(key);
    if (before !== undefined) return before;
    const loading = this.#read(part, this.#readKept)
      .catch((error: unknown) => {
        this.#deps.warn("an object could not be read", error);
        return undefined;
      })
      .finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  /** As `load`, for whom it matters why: rejects with ObjectError when the store does not answer. */
  loadOrFail(part: ColdPart): Promise<ImageTail | undefined> {
    return this.#read(part, this.#readKept);
  }

  /** As `loadOrFail`, from the store itself, whatever was read before: it may be damaged since. */
  loadAgain(part: ColdPart): Promise<ImageTail | undefined> {
    return this.#read(part, this.#deps.readRange);
  }

  get #readKept(): ReadRange {
    return this.#deps.readKept ?? this.#deps.readRange;
  }

  async #read(part: ColdPart, readRange: ReadRange): Promise<ImageTail | undefined> {
    const { warn, wire } = this.#deps;
    const reading = { objectBytes: part.bytes, crc32c: wire.crc32c };
    let wanted = Math.min(TAIL_READ_BYTES, part.bytes - part.batchesBytes);
    for (;;) {
      const from = part.position + part.bytes - wanted;
      const bytes = await readRange(part.object, { from, bytes: wanted });
      if (bytes?.length !== wanted) {
        warn(`${part.object} is missing, or shorter than it was`, undefined);
        return undefined;
      }
      const decoded = decodeImageTail(bytes, reading);
      if (decoded.kind === "short") {
        wanted = decoded.needBytes;
        continue;
      }
      if (decoded.kind === "invalid") {
        warn(`${part.object} is damaged: ${decoded.reason}`, undefined);
        return undefined;
      }
      this.#keep(imageKey(part), decoded.tail);
      return decoded.tail;
    }
  }

  /** Whatever its size: whoever had it read comes for it. */
  #keep(key: string, tail: ImageTail): void {
    this.#drop(key);
    this.#tails.set(key, tail);
    this.#keptBytes += bytesOf(tail);
    const { cachedIndexBytesMax, cachedIndexesMax } = this.#deps.limits;
    for (const oldest of this.#tails.keys()) {
      const isWithin =
        this.#tails.size <= cachedIndexesMax && this.#keptBytes <= cachedIndexBytesMax;
      if (isWithin || oldest === key) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const tail = this.#tails.get(key);
    if (tail === undefined) return;
    this.#tails.delete(key);
    this.#keptBytes -= bytesOf(tail);
  }
}

function bytesOf({ footer }: ImageTail): number {
  return footer.indexBytes + footer.leaderEpochsBytes + footer.producersBytes;
}

function imageKey({ object, position }: ColdPart): string {
  return `${position} ${object}`;
}
