import { viewOf } from "../log/batch-format.ts";
import type { Checksum } from "../log/batch-format.ts";
import type { CompactionFormat, OpenRecords } from "./compaction-format.ts";
import type { KeyMap } from "./key-map.ts";
import { CleanedTransactions } from "./transactions.ts";
import type { AbortedTransaction, TransactionState } from "./transactions.ts";

export interface CompactionTools {
  readonly format: CompactionFormat;
  readonly crc32c: Checksum;
}

/** What the indexing of a piece of the log is told besides its bytes: plain values. */
export interface IndexOrder {
  /** Records below it are clean: a key's last one is in what follows or nowhere. */
  readonly from: number;
  /** Batches that begin there or above are not looked at: whether they are aborted nobody knows. */
  readonly upTo: number;
  readonly transactions: TransactionState;
  /** Aborted transactions that begin in the piece, or before it and were not told yet. */
  readonly aborted: readonly AbortedTransaction[];
}

export type IndexReport =
  | { readonly kind: "indexed"; readonly transactions: TransactionState }
  /** The map knows every record below `endOffset`; the one that lies there found no room. */
  | { readonly kind: "full"; readonly endOffset: number }
  | DamagedBatch;

/** What lies at `position` of the piece is no batch, or can't be opened. */
export interface DamagedBatch {
  readonly kind: "damaged";
  readonly position: number;
  readonly reason: string;
}

/**
 * Puts the keys of whole batches, one piece after another of the dirty part of a log, into the map.
 *
 * Aborted records are not there for any reader, so that they supersede nothing. Every batch's CRC
 * is checked: a key that rotted would take the place of another one.
 */
export function indexBatches(
  batches: Uint8Array,
  map: KeyMap,
  order: IndexOrder,
  { format, crc32c }: CompactionTools,
): IndexReport {
  const view = viewOf(batches);
  const transactions = new CleanedTransactions(order.transactions, order.aborted);
  for (let at = 0; at < batches.length; at += format.readBatchBytes(view, at)) {
    const fault = format.validateBatch(batches, view, at, { crc32c, origin: "log" });
    if (fault !== "ok") return { kind: "damaged", position: at, reason: fault };
    if (format.readBaseOffset(view, at) >= order.upTo) break;
    const lastOffset = format.readLastOffset(view, at);
    const producerId = format.readProducerId(view, at);
    if (format.isControl(view, at)) {
      transactions.isSpent(producerId, lastOffset, format.readMarker(batches, at));
      continue;
    }
    const isAborted =
      format.isTransactional(view, at) && transactions.isAborted(producerId, lastOffset);
    if (isAborted || lastOffset < order.from) continue;
    const records = format.openRecords(batches, at);
    const outcome = records === undefined ? "unreadable" : indexRecords(records, map, order.from);
    if (typeof outcome === "number") return { kind: "full", endOffset: outcome };
    if (outcome !== "ok") return { kind: "damaged", position: at, reason: outcome };
  }
  return { kind: "indexed", transactions: transactions.state };
}

/** The offset of the first record that found no room, if one did not. */
function indexRecords(
  records: OpenRecords,
  map: KeyMap,
  from: number,
): "ok" | "unreadable" | number {
  for (let step = records.next(); step !== "end"; step = records.next()) {
    if (step === "damaged") return "unreadable";
    const { count, keyBytes, offsets } = records;
    for (let i = 0; i < count && (offsets[i] as number) < from; i++) keyBytes[i] = -1;
    const put = map.putAll(records);
    if (put < count) return offsets[put] as number;
  }
  return "ok";
}
