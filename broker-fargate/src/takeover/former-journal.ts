import {
  type IncarnationId,
  keys,
  ObjectError,
  readHeartbeat,
  readJournalItem,
  UnreadableItemError,
} from "@millrace/core";
import { read } from "../cluster/persist.ts";
import { closeJournal, type FenceDeps } from "../journal/objects/fence.ts";
import { entriesOf } from "../journal/objects/journal-entries.ts";
import {
  IncarnationMissingError,
  JournalObjectDamagedError,
  JournalObjectMissingError,
} from "../journal/objects/journal-errors.ts";
import { readJournalObjects } from "../journal/objects/read-objects.ts";
import type { FormerEntry, ReadFormerJournal } from "./former-entries.ts";

/** What a former owner's journal should have, and has not, or not in a form that can be read. */
export type LostJournal =
  | JournalObjectMissingError
  | JournalObjectDamagedError
  | IncarnationMissingError
  | UnreadableItemError;

export function isLostJournal(error: unknown): error is LostJournal {
  return (
    error instanceof JournalObjectMissingError ||
    error instanceof JournalObjectDamagedError ||
    error instanceof IncarnationMissingError ||
    error instanceof UnreadableItemError
  );
}

/**
 * Closes the journal of a head's owner (ownership rule 11 b – d), from where its last heartbeat says
 * that it was durable. What it rejects with may go over: MetadataError, ObjectError.
 */
export async function closeFormerJournal(
  deps: FenceDeps,
  incarnation: IncarnationId,
): Promise<void> {
  const heartbeat = await read(deps.access, keys.heartbeat(incarnation));
  const durable = heartbeat === undefined ? 0 : readHeartbeat(heartbeat).durable;
  try {
    await closeJournal(deps, { incarnation, durable });
  } catch (error) {
    if (!isLostJournal(error)) throw error;
    const message = `the journal of ${incarnation} can't be closed: ${error.message}`;
    throw new ObjectError(message, { retriable: true, applied: "maybe", cause: error });
  }
}

/**
 * Reads what a closed incarnation's item says of its journal, and then that. A head names the
 * incarnation, so that its item is there, and says where the journal ended: whatever is missing is
 * lost, and never an end.
 */
export function readFormer(deps: FenceDeps): ReadFormerJournal {
  return async (incarnation, slots, take) => {
    const item = await read(deps.access, keys.incarnation(incarnation));
    if (item === undefined) {
      throw new IncarnationMissingError(`a head names ${incarnation}, of which there is no item`);
    }
    const { end, trim } = readJournalItem(item);
    if (end === undefined) throw new UnreadableItemError(item.key, "a source's journal has no end");
    const reads = { ...deps, incarnation };
    for await (const found of readJournalObjects(reads, { first: trim, end })) {
      const wanted: FormerEntry[] = [];
      for (const entry of entriesOf(found, ({ slot }) => slots.has(slot))) {
        if (entry.kind === "records") wanted.push(entry);
      }
      if (wanted.length > 0) take(ofOwnMemory(wanted, found.bytes.length));
    }
  };
}

/** A few entries must not keep a whole object in memory. */
function ofOwnMemory(entries: readonly FormerEntry[], objectBytes: number): readonly FormerEntry[] {
  const bytes = entries.reduce((sum, { records }) => sum + records.length, 0);
  if (2 * bytes >= objectBytes) return entries;
  return entries.map((entry) => ({ ...entry, records: entry.records.slice() }));
}
