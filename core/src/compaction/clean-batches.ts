import { viewOf } from "../log/batch-format.ts";
import type { OpenRecords } from "./compaction-format.ts";
import type { CompactionTools, DamagedBatch } from "./index-batches.ts";
import type { KeyMap } from "./key-map.ts";
import { CleanedTransactions } from "./transactions.ts";
import type { AbortedTransaction, TransactionState } from "./transactions.ts";

/** What the cleaning of a piece of the log is told besides its bytes: plain values. */
export interface CleanOrder {
  /** The map knows every record below it; batches from there on stay as they are. */
  readonly endOffset: number;
  /** Wall time at which the round began. */
  readonly nowMs: number;
  /** `delete.retention.ms` */
  readonly deleteRetentionMs: number;
  /**
   * Tombstones and markers of batches that end below it go when their horizon has passed. Above it,
   * something older of the log may lie elsewhere, not cleaned, that would be there again without them.
   */
  readonly expiresBelow: number;
  /**
   * A horizon in a batch that ends above it is not this log's, and a new one takes its place: the
   * batch was copied from where it had been cleaned before.
   */
  readonly horizonsBelow: number;
  readonly transactions: TransactionState;
  /** Aborted transactions that begin in the piece, or before it and were not told yet. */
  readonly aborted: readonly AbortedTransaction[];
  /** Base offsets, rising, of batches that tell a producer's state: they stay, if need be empty. */
  readonly producersLast: readonly number[];
}

export type CleanReport =
  | {
      readonly kind: "cleaned";
      readonly transactions: TransactionState;
      readonly records: number;
      readonly removedRecords: number;
      /** Whether what stays is other than what there was. */
      readonly isChanged: boolean;
    }
  | DamagedBatch;

/**
 * What stays of whole batches, one piece after another from the log's start, as Kafka's log cleaner
 * has it:
 *
 * - of each key the record at the offset that the map has, and what the map knows nothing of;
 * - a tombstone until the batch's delete horizon has passed: the round that first keeps it in a
 *   batch without one gives the batch its horizon, `deleteRetentionMs` from now (KIP-534);
 * - no record without a key, and none of an aborted transaction;
 * - a marker until no batch of its transaction is met any more and a horizon, given then, passed;
 * - of a batch that tells a producer's last sequence or epoch, and of the round's last one, which
 *   tells readers where the next offset is, at least the header.
 *
 * A batch keeps its offsets, sequences, codec and leader epoch. `parts`, one after another, are the
 * batches that stay; those that did not change are views of `batches`.
 */
export function cleanBatches(
  batches: Uint8Array,
  map: KeyMap,
  order: CleanOrder,
  tools: CompactionTools,
): { readonly report: CleanReport; readonly parts: readonly Uint8Array[] } {
  const cleaning = new Cleaning(batches, map, order, tools);
  for (let at = 0; at < batches.length; ) {
    const fault = cleaning.batchAt(at);
    if (fault !== "ok") {
      return { report: { kind: "damaged", position: at, reason: fault }, parts: [] };
    }
    at = cleaning.end;
  }
  return { report: cleaning.report(), parts: cleaning.parts() };
}

type Fate =
  /** All of it. */
  | { readonly kind: "kept" }
  /** The records marked in `kept`, or all with a new horizon. */
  | { readonly kind: "rewritten"; readonly records: OpenRecords; readonly horizonMs?: number }
  | { readonly kind: "emptied" };

const kept: Fate = { kind: "kept" };
const emptied: Fate = { kind: "emptied" };

class Cleaning {
  /** Where the batch ends that was looked at last. */
  end = 0;
  readonly #batches: Uint8Array;
  readonly #view: DataView;
  readonly #map: KeyMap;
  readonly #order: CleanOrder;
  readonly #tools: CompactionTools;
  readonly #transactions: CleanedTransactions;
  readonly #parts: Uint8Array[] = [];
  /** Where the run of unchanged batches begins that goes on up to `end`; -1: none does. */
  #runFrom = -1;
  #nextLast = 0;
  #records = 0;
  #removed = 0;
  #isChanged = false;
  /** Of the batch at hand: 1 for each record that stays. */
  #kept: Uint8Array = new Uint8Array(0);
  /** Of the records at hand: the offset that the map has. */
  #found: Float64Array = new Float64Array(0);
  #keepsTombstone = false;

  constructor(batches: Uint8Array, map: KeyMap, order: CleanOrder, tools: CompactionTools) {
    this.#batches = batches;
    this.#view = viewOf(batches);
    this.#map = map;
    this.#order = order;
    this.#tools = tools;
    this.#transactions = new CleanedTransactions(order.transactions, order.aborted);
  }

  report(): CleanReport {
    const { state: transactions } = this.#transactions;
    const [records, removedRecords] = [this.#records, this.#removed];
    const isChanged = this.#isChanged;
    return { kind: "cleaned", transactions, records, removedRecords, isChanged };
  }

  parts(): readonly Uint8Array[] {
    this.#endRun(this.end);
    return this.#parts;
  }

  /** Decides about the batch and takes what stays of it; the word for what is wrong with it. */
  batchAt(at: number): string {
    const { format, crc32c } = this.#tools;
    const view = this.#view;
    const fault = format.validateBatch(this.#batches, view, at, { crc32c, origin: "log" });
    if (fault !== "ok") return fault;
    this.end = at + format.readBatchBytes(view, at);
    const fate = this.#fate(at);
    if (fate === undefined) return "unreadable";
    if (fate.kind === "kept") {
      if (this.#runFrom < 0) this.#runFrom = at;
      return "ok";
    }
    this.#isChanged = true;
    this.#endRun(at);
    if (fate.kind === "rewritten") {
      const { records, horizonMs: deleteHorizonMs } = fate;
      const retained = { records, kept: this.#kept, deleteHorizonMs };
      this.#parts.push(format.retainRecords(this.#batches, at, retained));
    } else if (this.#staysEmpty(at)) {
      this.#parts.push(format.emptyBatch(this.#batches, at));
    }
    return "ok";
  }

  /** Undefined: the batch can't be opened. */
  #fate(at: number): Fate | undefined {
    const { format } = this.#tools;
    const view = this.#view;
    if (format.readBaseOffset(view, at) >= this.#order.endOffset) return kept;
    const count = format.readRecordCount(view, at);
    this.#records += count;
    if (format.isControl(view, at)) return this.#fateOfMarker(at, count);
    const producerId = format.readProducerId(view, at);
    const lastOffset = format.readLastOffset(view, at);
    const isAborted =
      format.isTransactional(view, at) && this.#transactions.isAborted(producerId, lastOffset);
    if (!isAborted && count > 0) return this.#fateOfRecords(at, count);
    this.#removed += count;
    // One that is empty already stays as it is, or goes.
    return count === 0 && this.#staysEmpty(at) ? kept : emptied;
  }

  #fateOfMarker(at: number, count: number): Fate | undefined {
    const { format } = this.#tools;
    const view = this.#view;
    const lastOffset = format.readLastOffset(view, at);
    const marker = format.readMarker(this.#batches, at);
    const isSpent = this.#transactions.isSpent(format.readProducerId(view, at), lastOffset, marker);
    if (count === 0) return this.#staysEmpty(at) ? kept : emptied;
    if (!isSpent) return kept;
    if (!this.#hasHorizon(at)) return this.#allWithHorizon(at, count);
    if (!this.#isHorizonPassed(at)) return kept;
    this.#removed += count;
    return emptied;
  }

  #fateOfRecords(at: number, count: number): Fate | undefined {
    const { format } = this.#tools;
    const records = format.openRecords(this.#batches, at);
    if (records === undefined) return undefined;
    const hasHorizon = this.#hasHorizon(at);
    const isPassed = hasHorizon && this.#isHorizonPassed(at);
    this.#kept = new Uint8Array(count);
    this.#keepsTombstone = false;
    let keptCount = 0;
    for (let step = records.next(); step !== "end"; step = records.next()) {
      if (step === "damaged") return undefined;
      keptCount += this.#markKept(records, isPassed ? "expired" : "alive");
    }
    this.#removed += count - keptCount;
    if (keptCount === 0) return emptied;
    const horizonMs = this.#keepsTombstone && !hasHorizon ? this.#horizonMs() : undefined;
    if (horizonMs !== undefined) return { kind: "rewritten", records, horizonMs };
    return keptCount === count ? kept : { kind: "rewritten", records };
  }

  /** Marks which of the records at hand stay; their number. */
  #markKept(records: OpenRecords, tombstones: "alive" | "expired"): number {
    const { count, first, hasValue, keyBytes, offsets } = records;
    if (this.#found.length < count) this.#found = new Float64Array(count);
    const found = this.#found;
    this.#map.findAll(records, found);
    const { endOffset } = this.#order;
    const isExpired = tombstones === "expired";
    let keptCount = 0;
    for (let i = 0; i < count; i++) {
      const offset = offsets[i] as number;
      if (offset < endOffset) {
        if ((keyBytes[i] as number) < 0 || offset < (found[i] as number)) continue;
        if (isExpired && hasValue[i] === 0) continue;
      }
      this.#kept[first + i] = 1;
      keptCount += 1;
      if (hasValue[i] === 0) this.#keepsTombstone = true;
    }
    return keptCount;
  }

  #allWithHorizon(at: number, count: number): Fate | undefined {
    const horizonMs = this.#horizonMs();
    if (horizonMs === undefined) return kept;
    const records = this.#tools.format.openRecords(this.#batches, at);
    if (records === undefined) return undefined;
    this.#kept = new Uint8Array(count).fill(1);
    return { kind: "rewritten", records, horizonMs };
  }

  #hasHorizon(at: number): boolean {
    const { format } = this.#tools;
    const isOwn = format.readLastOffset(this.#view, at) < this.#order.horizonsBelow;
    return isOwn && format.hasDeleteHorizon(this.#view, at);
  }

  #isHorizonPassed(at: number): boolean {
    const { format } = this.#tools;
    const mayExpire = format.readLastOffset(this.#view, at) < this.#order.expiresBelow;
    return mayExpire && format.readBaseTimestamp(this.#view, at) <= this.#order.nowMs;
  }

  /** Undefined: `delete.retention.ms` is for ever. */
  #horizonMs(): number | undefined {
    const horizonMs = this.#order.nowMs + this.#order.deleteRetentionMs;
    return Number.isSafeInteger(horizonMs) ? horizonMs : undefined;
  }

  /** Whether the batch at hand has to stay, with or without records. */
  #staysEmpty(at: number): boolean {
    const { format } = this.#tools;
    const baseOffset = format.readBaseOffset(this.#view, at);
    const { endOffset, producersLast } = this.#order;
    while ((producersLast[this.#nextLast] ?? baseOffset) < baseOffset) this.#nextLast += 1;
    if (producersLast[this.#nextLast] === baseOffset) return true;
    return format.readLastOffset(this.#view, at) + 1 === endOffset;
  }

  #endRun(end: number): void {
    if (this.#runFrom >= 0) this.#parts.push(this.#batches.subarray(this.#runFrom, end));
    this.#runFrom = -1;
  }
}
