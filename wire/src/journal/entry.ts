import type { Epoch, Slot, TopicId } from "@millrace/core";

/**
 * What an entry says of its partition.
 * `records`: the batches of offsets `baseOffset` to `lastOffset`.
 * `localFrom`: from `baseOffset` on, records are no longer journaled; all below it lies, synced, in
 * the partition's segments, so that replay takes nothing of the partition from before this entry.
 * `journalFrom`: from `baseOffset` on, records are journaled; all below it lies synced in segments.
 * The last two carry no bytes, and `lastOffset` is `baseOffset - 1`.
 */
export type JournalEntryKind = "records" | "localFrom" | "journalFrom";

/** One line of an object's index. */
export interface JournalEntry {
  readonly kind: JournalEntryKind;
  readonly topicId: TopicId;
  readonly partition: number;
  readonly slot: Slot;
  /** The slot's epoch under which the entry was written; replay takes a source's epoch only. */
  readonly epoch: Epoch;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** Bytes from the start of the object. */
  readonly position: number;
  readonly length: number;
}

/** An entry on its way into an object; its place follows from the order of the entries. */
export interface JournalEntryDraft extends Omit<JournalEntry, "position" | "length"> {
  /** The entry's bytes, in order; written as they are, never copied. */
  readonly parts: readonly Uint8Array[];
  /** The CRC-32C of all of them, where it is known. */
  readonly crc?: number;
}

export function kindToCode(kind: JournalEntryKind): number {
  switch (kind) {
    case "records":
      return 0;
    case "localFrom":
      return 1;
    case "journalFrom":
      return 2;
  }
}

export function kindFromCode(code: number): JournalEntryKind | undefined {
  if (code === 0) return "records";
  if (code === 1) return "localFrom";
  if (code === 2) return "journalFrom";
  return undefined;
}
