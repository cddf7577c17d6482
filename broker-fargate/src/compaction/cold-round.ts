import {
  AbortedFinder,
  clippedParts,
  groupSegments,
  KeyMap,
  noTransactions,
  ProducerState,
  summarizeBatch,
  viewOf,
} from "@millrace/core";
import type {
  AbortedTransaction,
  CleanReport,
  ClippedPart,
  ColdPart,
  DamagedBatch,
  Random,
  TransactionState,
} from "@millrace/core";
import { TIER_NONCE_BYTES } from "@millrace/wire";
import { isSegment } from "../tier/cold-changes.ts";
import type { ImageWriter } from "../tier/image-writer.ts";
import type { TieredPartition } from "../tier/tiered-partition.ts";
import { ColdPartDamagedError, piecesOf } from "./cold-pieces.ts";
import { splitPart } from "./cold-split.ts";
import { Compactor } from "./compactor.ts";
import type { CompactionLimits } from "./limits.ts";
import { lookAtPiece } from "./piece.ts";
import { epochsOf } from "./cold-round-pieces.ts";
import type { PartEnd, Piece, PieceOfPart } from "./cold-round-pieces.ts";
import { overlapped, readerOf } from "./overlap.ts";
import { AbortedFeed, tellFinder } from "./round.ts";
import type { RoundDeps, RoundOrder, RoundOutcome } from "./round.ts";

export type ColdRoundLog = Pick<TieredPartition, "cold" | "changes" | "parts">;

export interface ColdRoundDeps extends Omit<RoundDeps, "pieceBytes"> {
  readonly random: Random;
  readonly limits: Pick<
    CompactionLimits,
    "pieceBytes" | "coldRequestBytes" | "coldSegmentBytesMax" | "coldGroupPartsMax"
  >;
}

export type ColdRoundOutcome =
  | RoundOutcome
  /** How the transactions ended that the dirty part begins with, the object store does not know. */
  | { readonly kind: "undecided" };

/**
 * One round of compaction of a partition's cold parts, from the log's start upwards, as
 * CompactionRound does it to hot segments: the keys of the dirty part go into the map; then groups
 * of neighbouring parts are cleaned by it, each is stored as one new cold segment, and takes their
 * place. Whatever was packed becomes part of a cold segment.
 *
 * Every group that took its place is clean from then on, since what lies below it has been filtered
 * by a map that has its keys: so the round is right wherever it ends. A group of which nothing is
 * left becomes a segment without batches, which a later round puts together with its neighbours.
 *
 * Where the map has no room for the keys of even one part, that part is cut in two, and the next
 * round begins with the first.
 *
 * While a piece is worked on the next ones are read: in memory are one request's bytes,
 * `piecesInFlight` pieces, and one new segment. Rejects with ObjectError, MetadataError,
 * FencedError or SideWorkError.
 */
export class ColdRound {
  readonly #log: ColdRoundLog;
  readonly #order: RoundOrder;
  readonly #deps: ColdRoundDeps;
  readonly #map: Uint8Array;
  readonly #compactor: Compactor;
  readonly #clipped: readonly ClippedPart[];
  /** Undefined: no batch of a transaction was met. */
  #aborted: readonly AbortedTransaction[] | undefined;
  /** The map knows every record below it. */
  #endOffset: number;
  #isMapFull = false;
  #wasStopped = false;
  #transactions: TransactionState = noTransactions;
  /** As of where the cleaning is: what a takeover would make of the parts below. */
  #producers: ProducerState = ProducerState.empty();
  #records = 0;
  #removedRecords = 0;

  constructor(log: ColdRoundLog, order: RoundOrder, deps: ColdRoundDeps) {
    this.#log = log;
    this.#order = order;
    this.#deps = deps;
    const { firstDirtyOffset, firstUncleanableOffset } = order.cleanable;
    const { mapBytesMax: budgetBytes, seed } = order;
    const keysMax = firstUncleanableOffset - firstDirtyOffset;
    const { keyMemory: memory, sideWork } = deps;
    this.#map = KeyMap.layOut({ budgetBytes, keysMax, memory, seed });
    this.#compactor = new Compactor(sideWork, this.#map);
    this.#endOffset = firstUncleanableOffset;
    this.#clipped = clippedParts(log.cold.parts());
  }

  /** Once. */
  async run(): Promise<ColdRoundOutcome> {
    try {
      return await this.#run();
    } catch (error) {
      if (!(error instanceof ColdPartDamagedError)) throw error;
      // It may have been replaced or deleted while it was read, or all of its topic.
      if (this.#isStopped() || !this.#log.cold.has([error.part])) return { kind: "stopped" };
      return { kind: "damaged", at: error.part.object, reason: error.message };
    } finally {
      if (!this.#compactor.isLost) this.#deps.keyMemory.giveBack(this.#map);
    }
  }

  async #run(): Promise<ColdRoundOutcome> {
    const { firstDirtyOffset: from } = this.#order.cleanable;
    const dirty = this.#clipped.filter(({ endOffset }) => endOffset > from);
    const indexed = await this.#index(dirty);
    if (indexed !== undefined) return indexed;
    const last = dirty.findLast(({ endOffset }) => endOffset <= this.#endOffset);
    if (last === undefined) {
      const [first] = dirty;
      return this.#isMapFull && first !== undefined ? this.#split(first) : { kind: "undecided" };
    }
    const over = await this.#clean(last.endOffset);
    if (over !== undefined) return over;
    if (this.#isStopped()) return { kind: "stopped" };
    const counts = { records: this.#records, removedRecords: this.#removedRecords };
    return { kind: "cleaned", cleanedTo: last.endOffset, ...counts };
  }

  /** Once it was so it stays so: what was left out then would be missing from what is stored. */
  #isStopped(): boolean {
    this.#wasStopped ||= this.#log.changes.isClosed || this.#deps.isStopped();
    return this.#wasStopped;
  }

  /** Fills the map. Undefined: go on. */
  async #index(dirty: readonly ClippedPart[]): Promise<ColdRoundOutcome | undefined> {
    const { firstDirtyOffset: from, firstUncleanableOffset } = this.#order.cleanable;
    const told = new AbortedFeed();
    let transactions = noTransactions;
    const indexed = dirty.filter(({ endOffset }) => endOffset <= firstUncleanableOffset);
    let over: ColdRoundOutcome | "known" | undefined;
    await overlapped({
      read: readerOf<Piece>(this.#pieces(indexed)),
      work: async ({ batches, look, part, position }) => {
        if (look.baseOffset >= this.#endOffset) over = "known";
        if (over !== undefined) return undefined;
        const aborted = told.next(this.#aborted, look);
        const { length: read } = batches;
        const order = { from, upTo: this.#endOffset, transactions, aborted };
        const report = await this.#compactor.index(batches, order);
        if (report.kind === "damaged") over = damagedAt(part, position, report);
        if (report.kind === "indexed") transactions = report.transactions;
        if (report.kind === "full") {
          this.#isMapFull = report.endOffset < this.#endOffset;
          this.#endOffset = Math.min(this.#endOffset, report.endOffset);
          over = "known";
        }
        return { read, written: 0 };
      },
      take: (bytes) => this.#deps.pass(bytes),
    });
    if (over === "known") return undefined;
    return over ?? (this.#isStopped() ? { kind: "stopped" } : undefined);
  }

  /** Undefined: done. */
  async #clean(upTo: number): Promise<ColdRoundOutcome | undefined> {
    const { limits, offsetSpanMax } = this.#deps;
    const cleaned = this.#clipped.filter(({ endOffset }) => endOffset <= upTo);
    const segments = cleaned.map((clipped) => {
      // What is bounded besides bytes is not an index, but the writes of one transaction.
      return { ...clipped, sizeBytes: clipped.part.batchesBytes, indexBytes: 1 };
    });
    const groups = groupSegments(segments, {
      segmentBytes: limits.coldSegmentBytesMax,
      segmentIndexBytes: limits.coldGroupPartsMax,
      offsetSpanMax,
    });
    const told = new AbortedFeed();
    for (const group of groups) {
      if (this.#isStopped()) return { kind: "stopped" };
      const over = await this.#cleanGroup(group, upTo, told);
      if (over !== undefined) return over;
    }
    return undefined;
  }

  async #cleanGroup(
    group: readonly ClippedPart[],
    upTo: number,
    told: AbortedFeed,
  ): Promise<ColdRoundOutcome | undefined> {
    const parts = group.map(({ part }) => part);
    const [first] = group;
    if (first === undefined) return undefined;
    const { baseOffset } = first;
    const image = this.#log.parts.newImage({ baseOffset, leaderEpochs: epochsOf(parts) });
    const written = await this.#write(group, image, { upTo, told });
    if (written.kind !== "written") return written;
    // Transactions that nobody knew of before were met.
    if (this.#endOffset < upTo) return { kind: "undecided" };
    const isKept = !written.isChanged && parts.length === 1 && isSegment(first.part);
    if (isKept && first.part.isCleaned === true) return undefined;
    const made = isKept ? first.part : await this.#put(image, group, written.tellsProducers);
    const replaced = await this.#log.changes.replace(parts, [{ ...made, isCleaned: true }]);
    return replaced === "replaced" ? undefined : { kind: "stopped" };
  }

  /** Makes an image of what stays of the group. */
  async #write(
    group: readonly ClippedPart[],
    image: ImageWriter,
    of: { readonly upTo: number; readonly told: AbortedFeed },
  ): Promise<ColdRoundOutcome | Written> {
    let isChanged = false;
    let hasProducers = false;
    let damaged: ColdRoundOutcome | undefined;
    await overlapped({
      read: readerOf<PieceOfPart | PartEnd>(this.#piecesAndEnds(group)),
      work: async (piece) => {
        if (piece.known !== undefined) hasProducers = true;
        if (piece.kind === "end") {
          if (piece.known !== undefined) this.#producers = piece.known;
          return { kept: none, read: 0 };
        }
        if (piece.known === undefined) this.#applyProducers(piece.batches);
        const { length: read } = piece.batches;
        const { report, batches: kept } = await this.#cleanPiece(piece, of);
        if (report.kind === "damaged") {
          damaged = damagedAt(piece.part, piece.position, report);
          return undefined;
        }
        isChanged ||= report.isChanged;
        return { kept, read };
      },
      take: async ({ kept, read }) => {
        if (kept.length > 0) image.add(kept);
        if (read > 0) await this.#deps.pass({ read, written: kept.length });
      },
    });
    if (damaged !== undefined) return damaged;
    if (this.#isStopped()) return { kind: "stopped" };
    return { kind: "written", isChanged, tellsProducers: hasProducers || isChanged };
  }

  async #cleanPiece(
    { batches, look }: Piece,
    { told, upTo }: { readonly upTo: number; readonly told: AbortedFeed },
  ): Promise<{ readonly report: CleanReport; readonly batches: Uint8Array }> {
    const { cleanable, deleteRetentionMs, expiresBelow, nowMs } = this.#order;
    const { report, batches: kept } = await this.#compactor.clean(batches, {
      ...{ deleteRetentionMs, expiresBelow, nowMs },
      // What a round over the hot log wrote counts from when that one was clean.
      horizonsBelow: cleanable.firstDirtyOffset,
      // Images tell of producers themselves.
      producersLast: [],
      endOffset: upTo,
      transactions: this.#transactions,
      aborted: told.next(this.#aborted, look),
    });
    if (report.kind === "damaged") return { report, batches: none };
    this.#transactions = report.transactions;
    this.#records += report.records;
    this.#removedRecords += report.removedRecords;
    // What little is left of a piece does not hold on to all of its memory.
    const isSmall = kept.length * 2 < kept.buffer.byteLength;
    return { report, batches: isSmall ? kept.slice() : kept };
  }

  /** What it tells of producers as of its end; undefined: nothing. */
  async #producersAt(part: ColdPart): Promise<ProducerState | undefined> {
    const tail = await this.#log.parts.tailOf(part);
    if (tail === undefined) throw new ColdPartDamagedError(part, "it has no end");
    return tail.producers.length === 0 ? undefined : ProducerState.restore(tail.producers);
  }

  #applyProducers(batches: Uint8Array): void {
    const { format } = this.#deps;
    const view = viewOf(batches);
    for (let at = 0; at < batches.length; at += format.readBatchBytes(view, at)) {
      this.#producers.apply(summarizeBatch(format, view, at));
    }
  }

  /**
   * Stores the image. It tells of producers where one of the parts did, where batches are gone, and
   * at the end of the cold log: whoever asks for them goes back from there, and would miss what was
   * cleaned away.
   */
  #put(
    image: ImageWriter,
    group: readonly ClippedPart[],
    tellsProducers: boolean,
  ): Promise<ColdPart> {
    const last = group.at(-1);
    const isEnd = last?.part === this.#clipped.at(-1)?.part;
    const producers = tellsProducers || isEnd ? this.#producers.snapshot() : new Uint8Array(0);
    const nonce = this.#deps.random.bytes(TIER_NONCE_BYTES);
    const nextOffset = last?.endOffset ?? image.nextOffset;
    return this.#log.changes.put(image.finish({ nextOffset, producers, nonce }));
  }

  /** The map is full before the part's end: it becomes two, which no more is done to. */
  async #split(first: ClippedPart): Promise<ColdRoundOutcome> {
    const { changes } = this.#log;
    const images = await splitPart(first, this.#endOffset, {
      ...{ parts: this.#log.parts, random: this.#deps.random },
      pieces: this.#read([first]),
      readLastOffset: this.#deps.format.readLastOffset,
    });
    const { batchesBytes: bytes } = first.part;
    await this.#deps.pass({ read: bytes, written: bytes });
    if (this.#isStopped()) return { kind: "stopped" };
    if (images === "whole") {
      return { kind: "damaged", at: first.part.object, reason: "a batch has too many keys" };
    }
    const by: ColdPart[] = [];
    for (const image of images) by.push(await changes.put(image));
    if ((await changes.replace([first.part], by)) === "gone") return { kind: "stopped" };
    const { firstDirtyOffset: cleanedTo } = this.#order.cleanable;
    return { kind: "cleaned", cleanedTo, records: 0, removedRecords: 0 };
  }

  /** The batches of the parts, a piece at a time, until all was read or the round is stopped. */
  async *#pieces(clipped: readonly ClippedPart[]): AsyncGenerator<Piece, undefined> {
    for await (const piece of this.#read(clipped)) {
      const look = lookAtPiece(piece.batches, this.#deps.format, noProducers);
      if (look.hasTransactions) await this.#findAborted();
      yield { ...piece, look };
    }
    return undefined;
  }

  /** The same, with what each part tells of producers, and where it ends. */
  async *#piecesAndEnds(
    group: readonly ClippedPart[],
  ): AsyncGenerator<PieceOfPart | PartEnd, undefined> {
    for (const clipped of group) {
      const known = await this.#producersAt(clipped.part);
      for await (const piece of this.#pieces([clipped])) yield { kind: "piece", known, ...piece };
      yield { kind: "end", known };
    }
    return undefined;
  }

  async *#read(clipped: readonly ClippedPart[]): AsyncGenerator<Omit<Piece, "look">> {
    const { format, limits } = this.#deps;
    const source = {
      ...{ parts: this.#log.parts, format, pieceBytes: limits.pieceBytes },
      requestBytes: limits.coldRequestBytes,
      isStopped: () => this.#isStopped(),
    };
    for (const each of clipped) {
      for await (const piece of piecesOf(each, source)) yield { ...piece, part: each.part };
    }
  }

  /** Reads the parts once more for markers, which may lie behind what is cleaned. */
  async #findAborted(): Promise<void> {
    if (this.#aborted !== undefined) return;
    const finder = new AbortedFinder(this.#endOffset);
    for await (const { batches } of this.#read(this.#clipped)) {
      if (tellFinder(finder, batches, this.#deps.format) === "done") break;
      await this.#deps.pass({ read: batches.length, written: 0 });
    }
    const { aborted, coveredTo } = finder.found();
    this.#aborted = aborted;
    this.#endOffset = Math.min(this.#endOffset, coveredTo);
  }
}

interface Written {
  readonly kind: "written";
  readonly isChanged: boolean;
  /** One of the parts told of producers, or batches are gone that did. */
  readonly tellsProducers: boolean;
}

const none = new Uint8Array(0);
const noProducers: Pick<ProducerState, "get"> = { get: () => undefined };

function damagedAt(
  { object }: ColdPart,
  position: number,
  { position: inPiece, reason }: DamagedBatch,
): ColdRoundOutcome {
  return { kind: "damaged", at: `${object}, byte ${position + inPiece}`, reason };
}
