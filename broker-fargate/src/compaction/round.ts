import { AbortedFinder, groupSegments, KeyMap, noTransactions, viewOf } from "@millrace/core";
import type {
  AbortedTransaction,
  Cleanable,
  CleanedSegment,
  CompactedSegment,
  CompactionFormat,
  DamagedBatch,
  KeyMemory,
  LogCompaction,
  LogConfig,
  ProducerState,
  SideWork,
  TransactionState,
} from "@millrace/core";
import { Compactor } from "./compactor.ts";
import { overlapped, readerOf } from "./overlap.ts";
import { PieceBuffers } from "./piece-buffers.ts";
import { lookAtPiece, type PieceLook } from "./piece.ts";

export interface RoundDeps {
  readonly format: CompactionFormat;
  readonly sideWork: SideWork;
  /** Where key maps have their memory; one round at a time. */
  readonly keyMemory: KeyMemory;
  readonly pieceBytes: number;
  /** What a segment's offsets may span. */
  readonly offsetSpanMax: number;
  /** Asked between any two steps. */
  readonly isStopped: () => boolean;
  /** Counts bytes that were read or written; resolves, in another turn, when more may be. */
  readonly pass: (bytes: { readonly read: number; readonly written: number }) => Promise<void>;
}

export interface RoundLog {
  readonly compaction: LogCompaction;
  readonly producers: ProducerState;
  readonly config: LogConfig;
}

export interface RoundOrder {
  readonly cleanable: Cleanable;
  readonly mapBytesMax: number;
  readonly seed: Uint8Array;
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
  /** See CleanOrder. */
  readonly expiresBelow: number;
}

export type RoundOutcome =
  | {
      readonly kind: "cleaned";
      /** What the next round takes for dirty begins here. */
      readonly cleanedTo: number;
      readonly records: number;
      readonly removedRecords: number;
    }
  /** Interrupted, or the log is gone. Groups of segments that were replaced before stay so. */
  | { readonly kind: "stopped" }
  | {
      readonly kind: "damaged";
      readonly at: string;
      readonly reason: string;
      /** Where the damaged segment begins, if it is one. */
      readonly segment?: number;
    };

/**
 * One round of compaction of one log, as Kafka's log cleaner does it: the keys of the dirty part go
 * into the map, as far as it takes them; then every segment up to there is cleaned by the map, in
 * groups, and each group is replaced by one segment.
 *
 * Bytes are read here, a piece at a time, worked on beside the event loop, and written here, while the
 * next piece is worked on. Between any two pieces the round may be stopped; what it was writing is
 * then removed. Rejects with DiskError, or SideWorkError.
 */
export class CompactionRound {
  readonly #log: RoundLog;
  readonly #order: RoundOrder;
  readonly #deps: RoundDeps;
  readonly #map: Uint8Array;
  readonly #buffers: PieceBuffers;
  readonly #compactor: Compactor;
  /** Undefined: no batch of a transaction was met. */
  #aborted: readonly AbortedTransaction[] | undefined;
  /** The map knows every record below it. */
  #endOffset: number;
  #wasStopped = false;
  #records = 0;
  #removedRecords = 0;

  constructor(log: RoundLog, order: RoundOrder, deps: RoundDeps) {
    this.#log = log;
    this.#order = order;
    this.#deps = deps;
    const { firstDirtyOffset, firstUncleanableOffset } = order.cleanable;
    const { mapBytesMax: budgetBytes, seed } = order;
    const keysMax = firstUncleanableOffset - firstDirtyOffset;
    const { keyMemory: memory, pieceBytes, sideWork } = deps;
    this.#map = KeyMap.layOut({ budgetBytes, keysMax, memory, seed });
    this.#buffers = new PieceBuffers(pieceBytes);
    this.#compactor = new Compactor(sideWork, this.#map, this.#buffers);
    this.#endOffset = firstUncleanableOffset;
  }

  /** Once. */
  async run(): Promise<RoundOutcome> {
    try {
      return await this.#run();
    } finally {
      if (!this.#compactor.isLost) this.#deps.keyMemory.giveBack(this.#map);
    }
  }

  async #run(): Promise<RoundOutcome> {
    const { firstDirtyOffset } = this.#order.cleanable;
    const over = (await this.#index()) ?? (await this.#clean());
    if (over !== undefined) return over;
    if (this.#isStopped()) return { kind: "stopped" };
    if (this.#endOffset <= firstDirtyOffset) {
      return { kind: "damaged", at: "its dirty part", reason: "too many aborted transactions" };
    }
    this.#log.compaction.noteCleanedTo(this.#endOffset);
    const counts = { records: this.#records, removedRecords: this.#removedRecords };
    return { kind: "cleaned", cleanedTo: this.#endOffset, ...counts };
  }

  /** Once it was so it stays so: what was left out then would be missing from what is written. */
  #isStopped(): boolean {
    this.#wasStopped ||= this.#log.compaction.isClosed || this.#deps.isStopped();
    return this.#wasStopped;
  }

  #cleanableSegments(): readonly CompactedSegment[] {
    const { firstUncleanableOffset: end } = this.#order.cleanable;
    return this.#log.compaction.segments().filter(({ endOffset }) => endOffset <= end);
  }

  /** Fills the map. Undefined: go on. */
  async #index(): Promise<RoundOutcome | undefined> {
    const { firstDirtyOffset: from } = this.#order.cleanable;
    const dirty = this.#cleanableSegments().filter(({ endOffset }) => endOffset > from);
    const told = new AbortedFeed();
    let transactions = noTransactions;
    let over: RoundOutcome | "known" | undefined;
    await overlapped({
      read: this.#reader(dirty),
      work: async ({ batches, look, segment, position }) => {
        if (look.baseOffset >= this.#endOffset) over = "known";
        if (over !== undefined) return undefined;
        const aborted = told.next(this.#aborted, look);
        const { length: read } = batches;
        const order = { from, upTo: this.#endOffset, transactions, aborted };
        const report = await this.#compactor.index(batches, order);
        if (report.kind === "damaged") over = damagedAt(segment, position, report);
        if (report.kind === "indexed") transactions = report.transactions;
        if (report.kind === "full") {
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
  async #clean(): Promise<RoundOutcome | undefined> {
    const { segmentBytes, segmentIndexBytes } = this.#log.config;
    const { offsetSpanMax } = this.#deps;
    // Some may have been deleted meanwhile.
    const cleaned = this.#cleanableSegments().filter((each) => each.baseOffset < this.#endOffset);
    const state = { transactions: noTransactions, told: new AbortedFeed() };
    const bounds = { segmentBytes, segmentIndexBytes, offsetSpanMax };
    for (const group of groupSegments(cleaned, bounds)) {
      const [first] = group;
      if (first === undefined || first.baseOffset >= this.#endOffset) return undefined;
      if (this.#isStopped()) return { kind: "stopped" };
      const outcome = await this.#cleanGroup(group, state);
      if (outcome !== undefined) return outcome;
    }
    return undefined;
  }

  async #cleanGroup(
    group: readonly CompactedSegment[],
    state: CleanState,
  ): Promise<RoundOutcome | undefined> {
    const baseOffset = group[0]?.baseOffset ?? 0;
    const endOffset = group.at(-1)?.endOffset ?? baseOffset;
    const cleaned = this.#log.compaction.begin({ baseOffset, endOffset });
    let isPlaced = false;
    try {
      const outcome = await this.#write(group, cleaned, state);
      if (outcome === "unchanged") return undefined;
      if (outcome !== "changed") return outcome;
      isPlaced = (await this.#log.compaction.replace(cleaned)) === "replaced";
      return isPlaced ? undefined : { kind: "stopped" };
    } finally {
      if (!isPlaced) cleaned.discard();
    }
  }

  /** Writes what stays of the group. One segment of which all stays need not be replaced. */
  async #write(
    group: readonly CompactedSegment[],
    cleaned: CleanedSegment,
    state: CleanState,
  ): Promise<RoundOutcome | "changed" | "unchanged"> {
    const { deleteRetentionMs, expiresBelow, nowMs } = this.#order;
    let isChanged = group.length > 1;
    let damaged: RoundOutcome | undefined;
    await overlapped({
      read: this.#reader(group),
      work: async ({ batches, look, segment, position }) => {
        const { producersLast } = look;
        const { length: read } = batches;
        const { report, batches: kept } = await this.#compactor.clean(batches, {
          ...{ deleteRetentionMs, expiresBelow, nowMs, producersLast },
          horizonsBelow: Number.POSITIVE_INFINITY,
          endOffset: this.#endOffset,
          transactions: state.transactions,
          aborted: state.told.next(this.#aborted, look),
        });
        if (report.kind === "damaged") {
          damaged = damagedAt(segment, position, report);
          return undefined;
        }
        state.transactions = report.transactions;
        this.#records += report.records;
        this.#removedRecords += report.removedRecords;
        isChanged ||= report.isChanged;
        return { kept, read };
      },
      take: ({ kept, read }) => this.#append(kept, read, cleaned),
    });
    if (damaged !== undefined) return damaged;
    if (this.#isStopped()) return { kind: "stopped" };
    return isChanged ? "changed" : "unchanged";
  }

  async #append(kept: Uint8Array, read: number, cleaned: CleanedSegment): Promise<void> {
    const { length: written } = kept;
    if (written > 0) cleaned.append([kept]);
    this.#buffers.giveBack(kept);
    await this.#deps.pass({ read, written });
    if (cleaned.wantsSync) await cleaned.sync();
  }

  #reader(segments: readonly CompactedSegment[]): () => Promise<Piece | undefined> {
    return readerOf<Piece>(this.#pieces(segments));
  }

  /** The batches of the segments, a piece at a time, until all was read or the round is stopped. */
  async *#pieces(segments: readonly CompactedSegment[]): AsyncGenerator<Piece, undefined> {
    const { producers } = this.#log;
    for (const { batches, segment, position } of this.#read(segments)) {
      const look = lookAtPiece(batches, this.#deps.format, producers);
      if (look.hasTransactions) await this.#findAborted();
      yield { batches, look, segment, position };
    }
    return undefined;
  }

  *#read(segments: readonly CompactedSegment[]): Generator<Omit<Piece, "look">> {
    for (const segment of segments) {
      const { baseOffset } = segment;
      for (let position = 0; !this.#isStopped(); ) {
        const into = this.#buffers.take();
        const batches = this.#log.compaction.read({ baseOffset, position, into });
        if (batches?.buffer !== into.buffer) this.#buffers.giveBack(into);
        if (batches === undefined) break;
        // Before it is given away, and with it its length.
        const { length } = batches;
        yield { batches, segment, position };
        position += length;
      }
    }
  }

  /** Reads the log once more for its markers, which may lie behind what is cleaned. */
  async #findAborted(): Promise<void> {
    if (this.#aborted !== undefined) return;
    const finder = new AbortedFinder(this.#endOffset);
    for (const { batches } of this.#read(this.#log.compaction.segments())) {
      const { length: read } = batches;
      const told = tellFinder(finder, batches, this.#deps.format);
      this.#buffers.giveBack(batches);
      if (told === "done") break;
      await this.#deps.pass({ read, written: 0 });
    }
    const { aborted, coveredTo } = finder.found();
    this.#aborted = aborted;
    this.#endOffset = Math.min(this.#endOffset, coveredTo);
  }
}

interface Piece {
  readonly batches: Uint8Array<ArrayBuffer>;
  readonly look: PieceLook;
  readonly segment: CompactedSegment;
  readonly position: number;
}

interface CleanState {
  transactions: TransactionState;
  readonly told: AbortedFeed;
}

/** Says of the aborted transactions those that a pass has not been told of and now comes to. */
export class AbortedFeed {
  #next = 0;

  next(all: readonly AbortedTransaction[] = [], piece: PieceLook): readonly AbortedTransaction[] {
    const from = this.#next;
    while ((all[this.#next]?.firstOffset ?? Number.POSITIVE_INFINITY) <= piece.lastOffset) {
      this.#next += 1;
    }
    // One that ended before would be taken for its producer's next transaction.
    return all.slice(from, this.#next).filter(({ lastOffset }) => lastOffset >= piece.baseOffset);
  }
}

export function tellFinder(
  finder: AbortedFinder,
  batches: Uint8Array,
  format: CompactionFormat,
): "goOn" | "done" {
  const view = viewOf(batches);
  for (let at = 0; at < batches.length; at += format.readBatchBytes(view, at)) {
    const baseOffset = format.readBaseOffset(view, at);
    if (finder.isDone(baseOffset)) return "done";
    const producerId = format.readProducerId(view, at);
    if (format.isControl(view, at)) {
      const result = format.readMarker(batches, at);
      if (result !== "none") finder.marker(producerId, baseOffset, result);
    } else if (format.isTransactional(view, at)) {
      finder.batch(producerId, baseOffset);
    }
  }
  return "goOn";
}

function damagedAt(
  { baseOffset }: CompactedSegment,
  position: number,
  { position: inPiece, reason }: DamagedBatch,
): RoundOutcome {
  const at = `segment ${baseOffset}, byte ${position + inPiece}`;
  return { kind: "damaged", at, reason, segment: baseOffset };
}
