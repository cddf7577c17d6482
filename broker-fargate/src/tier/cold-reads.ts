import { viewOf } from "@millrace/core";
import type { ColdLog, ColdPart, FoundRecord, ReadBuffers } from "@millrace/core";
import type { WireFormat } from "../partition/wire-format.ts";
import { chunkAt } from "./chunk-cache.ts";
import type { Chunk, ChunkCache } from "./chunk-cache.ts";
import { findInPart } from "./cold-search.ts";
import type { ImageTails } from "./image-tails.ts";
import type { TierLimits } from "./limits.ts";
import type { SequentialReader } from "./readers-ahead.ts";
import { bytesAt, copyFrom } from "./window.ts";
import type { Window } from "./window.ts";

export interface ColdRange {
  readonly from: number;
  readonly maxBytes: number;
  /** Exclusive: no batch that ends at or after it is read. */
  readonly upTo: number;
  readonly atLeastOneBatch: boolean;
}

export type ColdRead =
  /** Whole batches; `nextOffset` is where the next read goes on. */
  | {
      readonly kind: "ok";
      readonly records: readonly Uint8Array[];
      readonly nextOffset: number;
    }
  /** No batch of the parts ends above `from`: what follows begins at `nextOffset`. */
  | { readonly kind: "past"; readonly nextOffset: number }
  /** It is being read; when `ready` resolves, the same read knows more. */
  | { readonly kind: "pending"; readonly ready: Promise<void> }
  /** An object is missing or damaged, or the store does not answer. */
  | { readonly kind: "failed" };

interface Place {
  readonly part: ColdPart;
  /** Of the next batch, in the image's batches. */
  readonly position: number;
  /** Who comes there. */
  readonly reader: SequentialReader;
  /** What begins there, where it is read in one piece. */
  readonly whole?: Chunk;
}

/** What a read found in memory. */
interface Looked {
  readonly place: Place;
  readonly window: Window;
  readonly range: ColdRange;
}

export interface ColdReadsDeps {
  readonly chunks: ChunkCache;
  readonly wire: WireFormat;
  readonly limits: TierLimits;
  readonly buffers: ReadBuffers;
  readonly tails: ImageTails;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Reads of one partition's cold parts.
 *
 * A read never waits: it gives what the chunks in memory hold, or says `pending` and has the rest
 * read. Where reads ended is remembered, so that a reader that goes on from there is not looked up
 * again, and is read ahead of: two chunks at first, then twice as many each time up to its share,
 * over the ends of parts. So a reader from the beginning is limited by the store's bandwidth, not by
 * its round trips. A batch of more than a quarter of what is kept is read in one piece, and so is
 * what a reader without a share waits for while nothing can be read ahead: else its own rest, or
 * what others wait for, could drive its beginning out for ever.
 */
export class ColdReads {
  readonly #cold: ColdLog;
  readonly #deps: ColdReadsDeps;
  /** By offset, the least recently used first. */
  readonly #cursors = new Map<number, Place>();
  /** Parts whose tail could not be read. */
  readonly #broken = new Set<ColdPart>();

  constructor(cold: ColdLog, deps: ColdReadsDeps) {
    this.#cold = cold;
    this.#deps = deps;
  }

  read(range: ColdRange): ColdRead {
    let { from } = range;
    // What is fetched for whom there is no room would drive out what others wait for.
    if (range.maxBytes <= 0 && !range.atLeastOneBatch) {
      return { kind: "ok", records: [], nextOffset: from };
    }
    for (;;) {
      const found = this.#find(from);
      if ("kind" in found) return found;
      const run = this.#readAt(found, { ...range, from });
      if (run.kind !== "past") return run;
      // Compaction left nothing of the part at or above `from`.
      from = run.nextOffset;
    }
  }

  /** Parts were replaced or removed. */
  forget(): void {
    this.#cursors.clear();
    this.#broken.clear();
  }

  /** The first record with at least this timestamp at or after `startOffset`; undefined: none. */
  async findByTimestamp(query: {
    readonly timestamp: number;
    readonly startOffset: number;
  }): Promise<FoundRecord | undefined | "failed"> {
    for (const part of this.#cold.parts()) {
      if (part.maxTimestamp < query.timestamp || part.nextOffset <= query.startOffset) continue;
      const found = await findInPart(part, query, this.#deps);
      if (found === undefined) continue;
      const isReplaced = found === "failed" && !this.#cold.has([part]);
      // What has taken its place may be searched as well as it.
      return isReplaced ? this.findByTimestamp(query) : found;
    }
    return undefined;
  }

  #find(from: number): Place | ColdRead {
    const cursor = this.#cursors.get(from);
    if (cursor !== undefined && this.#cold.find(from) === cursor.part) return cursor;
    const part = this.#cold.find(from);
    if (part === undefined) return { kind: "past", nextOffset: from };
    if (part.isLost === true) return { kind: "failed" };
    if (part.baseOffset >= from) return { part, position: 0, reader: { reads: 0 } };
    const tail = this.#deps.tails.find(part);
    if (tail !== undefined) {
      return { part, position: tail.index.floorByOffset(from), reader: { reads: 0 } };
    }
    if (this.#broken.delete(part)) return { kind: "failed" };
    return { kind: "pending", ready: this.#loadTail(part) };
  }

  async #loadTail(part: ColdPart): Promise<void> {
    if ((await this.#deps.tails.load(part)) === undefined) this.#broken.add(part);
  }

  #readAt(place: Place, range: ColdRange): ColdRead {
    const { format } = this.#deps.wire;
    let wantedBytes = Math.max(range.maxBytes, format.BATCH_HEADER_BYTES);
    for (;;) {
      const window = this.#gather(place, wantedBytes);
      const run = this.#wholeBatches(window, place, range);
      const isLarge = run.kind === "missing" && this.#isLarge(run);
      // What is there was not looked at to the end: a batch is larger than what is asked for.
      if (run.kind === "missing" && window.bytes >= wantedBytes && !isLarge) {
        wantedBytes = run.needBytes;
        continue;
      }
      // First: chunks that are read ahead take the memory of others.
      const outcome = this.#outcome(run, { place, window, range });
      if (!isLarge && place.whole === undefined) this.#readAhead(place, window.bytes);
      return outcome;
    }
  }

  #isLarge({ at, needBytes }: MissingBatch): boolean {
    return needBytes - at > this.#deps.limits.cachedBytesMax / 4;
  }

  #outcome(run: Run, of: Looked): ColdRead {
    const { place, range, window } = of;
    const { part } = place;
    switch (run.kind) {
      case "run":
        return this.#take(window, place, { ...run, range });
      case "end":
        return { kind: "past", nextOffset: part.nextOffset };
      case "none":
        return { kind: "ok", records: [], nextOffset: range.from };
      case "missing":
        return this.#missing(run, of);
      case "damaged":
        this.#deps.warn(`${part.object} has no batch at byte ${run.position}`, undefined);
        return { kind: "failed" };
    }
  }

  /** Has read what is missing, and remembers how far the batches were passed. */
  #missing(run: MissingBatch, { place, range, window }: Looked): ColdRead {
    const { chunks, limits } = this.#deps;
    const { part, reader, whole } = place;
    if (whole !== undefined && window.bytes === 0) return this.#pending(whole);
    const position = place.position + run.at;
    if (this.#isLarge(run) || !(chunks.readers.hasShare(reader) || chunks.hasRoomAhead())) {
      const left = part.batchesBytes - position;
      const wanted = Math.min(range.maxBytes, limits.chunkBytes, left);
      const bytes = Math.max(run.needBytes - run.at, wanted);
      const piece = { object: part.object, from: part.position + position, bytes };
      this.#remember(range.from, { part, position, reader, whole: piece });
      return this.#pending(piece);
    }
    if (run.at > 0 || whole !== undefined) this.#remember(range.from, { part, position, reader });
    const missingAt = whole === undefined ? place.position + window.bytes : position;
    return this.#pending(this.#chunkAt(part, missingAt));
  }

  #pending(chunk: Chunk): ColdRead {
    const { chunks } = this.#deps;
    if (chunks.faultOf(chunk) !== undefined) return { kind: "failed" };
    return { kind: "pending", ready: chunks.load(chunk) };
  }

  /** The chunks in memory from `position` on without a gap, as far as they are wanted. */
  #gather(place: Place, wantedBytes: number): Window {
    const { chunks } = this.#deps;
    const { part, position, whole } = place;
    if (whole !== undefined) {
      const batch = chunks.find(whole);
      return batch === undefined ? nothing : { pieces: [batch], bytes: batch.length };
    }
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    while (bytes < wantedBytes && position + bytes < part.batchesBytes) {
      const chunk = this.#chunkAt(part, position + bytes);
      const found = chunks.find(chunk);
      if (found === undefined) break;
      const skip = part.position + position + bytes - chunk.from;
      pieces.push(found.subarray(skip));
      bytes += found.length - skip;
    }
    return { pieces, bytes };
  }

  /** Which batches of the window are given. */
  #wholeBatches(window: Window, place: Place, range: ColdRange): Run {
    const { format } = this.#deps.wire;
    const { part } = place;
    const left = part.batchesBytes - place.position;
    let at = 0;
    let begin = -1;
    let nextOffset = range.from;
    while (at < left) {
      const headerEnd = at + format.BATCH_HEADER_BYTES;
      if (window.bytes < headerEnd) {
        return runOr(begin, at, nextOffset, { kind: "missing", at, needBytes: headerEnd });
      }
      const header = bytesAt(window, at, format.BATCH_HEADER_BYTES);
      const view = viewOf(header);
      const batchBytes = format.readBatchBytes(view, 0);
      const lastOffset = format.readLastOffset(view, 0);
      if (batchBytes < format.BATCH_HEADER_BYTES || batchBytes > left - at) {
        return { kind: "damaged", position: place.position + at };
      }
      if (lastOffset < range.from) {
        at += batchBytes;
        continue;
      }
      if (lastOffset >= range.upTo) return runOr(begin, at, nextOffset, { kind: "none" });
      const taken = begin < 0 ? 0 : at - begin;
      const isFirst = begin < 0;
      if (taken + batchBytes > range.maxBytes && !(isFirst && range.atLeastOneBatch)) {
        return runOr(begin, at, nextOffset, { kind: "none" });
      }
      const batchEnd = at + batchBytes;
      if (batchEnd > window.bytes) {
        return runOr(begin, at, nextOffset, { kind: "missing", at, needBytes: batchEnd });
      }
      if (isFirst) begin = at;
      at += batchBytes;
      nextOffset = lastOffset + 1;
    }
    return runOr(begin, at, nextOffset, { kind: "end" });
  }

  /** Copies the run out of the chunks, which others read too, and remembers where it ended. */
  #take(
    window: Window,
    place: Place,
    run: { readonly begin: number; readonly end: number; readonly nextOffset: number } & {
      readonly range: ColdRange;
    },
  ): ColdRead {
    const { begin, end, range } = run;
    const records = this.#deps.buffers.take(end - begin);
    copyFrom(window, begin, records);
    const { part } = place;
    const position = place.position + end;
    const isAtEnd = position >= part.batchesBytes;
    const nextOffset = isAtEnd ? Math.min(part.nextOffset, range.upTo) : run.nextOffset;
    const next = isAtEnd ? this.#cold.find(nextOffset) : part;
    const { reader } = place;
    const { readers } = this.#deps.chunks;
    if (next === undefined) {
      readers.hasEnded(reader);
    } else {
      readers.hasRead(reader);
      const begin = isAtEnd ? 0 : position;
      if (!isAtEnd || next.baseOffset >= nextOffset) {
        this.#remember(nextOffset, { part: next, position: begin, reader });
      }
    }
    return { kind: "ok", records: [records], nextOffset };
  }

  /** Has chunks read behind those that are there. */
  #readAhead(place: Place, haveBytes: number): void {
    const { chunks } = this.#deps;
    let { part, position } = place;
    let left = chunks.readers.chunksFor(place.reader);
    position += haveBytes;
    for (;;) {
      for (; position < part.batchesBytes && left > 0; left -= 1) {
        if (!chunks.hasRoomAhead()) return;
        const chunk = this.#chunkAt(part, position);
        if (chunks.faultOf(chunk) === undefined) void chunks.load(chunk);
        position = chunk.from + chunk.bytes - part.position;
      }
      const next = left > 0 ? this.#cold.find(part.nextOffset) : undefined;
      if (next === undefined || next.nextOffset <= part.nextOffset || next.isLost === true) return;
      part = next;
      position = 0;
    }
  }

  #chunkAt(part: ColdPart, position: number): Chunk {
    return chunkAt(part, position, this.#deps.limits.chunkBytes);
  }

  #remember(offset: number, place: Place): void {
    this.#cursors.delete(offset);
    this.#cursors.set(offset, place);
    if (this.#cursors.size <= this.#deps.limits.readCursorsMax) return;
    for (const oldest of this.#cursors.keys()) {
      this.#cursors.delete(oldest);
      return;
    }
  }
}

type Run =
  | {
      readonly kind: "run";
      readonly begin: number;
      readonly end: number;
      readonly nextOffset: number;
    }
  /** The part has no batch at or above `from`. */
  | { readonly kind: "end" }
  /** There is one that may not be read, or has no room. */
  | { readonly kind: "none" }
  | MissingBatch
  | { readonly kind: "damaged"; readonly position: number };

/** The bytes from `at` to `needBytes` have to be there, for a header or for a whole batch. */
interface MissingBatch {
  readonly kind: "missing";
  readonly at: number;
  readonly needBytes: number;
}

const nothing: Window = { pieces: [], bytes: 0 };

function runOr(begin: number, end: number, nextOffset: number, otherwise: Run): Run {
  return begin >= 0 ? { kind: "run", begin, end, nextOffset } : otherwise;
}
