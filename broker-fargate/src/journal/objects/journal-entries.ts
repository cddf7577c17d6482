import type { Epoch, Slot } from "@millrace/core";
import type { JournalEntry } from "@millrace/wire";
import {
  type FoundJournalObject,
  type JournalReads,
  readJournalObjects,
  type SeqRange,
} from "./read-objects.ts";

/** An entry with its bytes, which lie in the object's and keep that in memory. */
export interface ReplayedEntry extends Omit<JournalEntry, "position" | "length"> {
  /** The object that it is in. */
  readonly seq: number;
  /** Whole batches; none of the kinds that carry none. */
  readonly records: Uint8Array;
}

/** Whose entries replay takes from a source: that epoch's alone (ownership rule 7). */
export type WantedEntries = (of: { readonly slot: Slot; readonly epoch: Epoch }) => boolean;

/**
 * The wanted entries of a closed incarnation's journal, in the order in which they were appended.
 * Throws as `readJournalObjects` does.
 */
export async function* readJournalEntries(
  reads: JournalReads,
  range: SeqRange,
  isWanted: WantedEntries,
): AsyncGenerator<ReplayedEntry> {
  for await (const found of readJournalObjects(reads, range)) yield* entriesOf(found, isWanted);
}

/** The wanted entries of one object, in order. */
export function* entriesOf(
  { bytes, object, seq }: FoundJournalObject,
  isWanted: WantedEntries,
): Generator<ReplayedEntry> {
  for (const { length, position, ...entry } of object.entries) {
    if (!isWanted(entry)) continue;
    yield { ...entry, seq, records: bytes.subarray(position, position + length) };
  }
}
