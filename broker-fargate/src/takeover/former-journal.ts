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
import type { FoundJournalObject } from "../journal/objects/read-objects.ts";
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
  try {
    await closeJournal(deps, { incarnation, durable: await toldDurable(deps, incarnation) });
  } catch (error) {
    if (!isLostJournal(error)) throw error;
    const message = `the journal of ${incarnation} can't be closed: ${error.message}`;
    throw new ObjectError(message, { retriable: true, applied: "maybe", cause: error });
  }
}

async function isClosed({ access }: FenceDeps, incarnation: IncarnationId): Promise<boolean> {
  const item = await read(access, keys.incarnation(incarnation));
  return item !== undefined && readJournalItem(item).end !== undefined;
}

/** By the incarnation's last heartbeat; 0 where there is none (any more). */
async function toldDurable({ access }: FenceDeps, incarnation: IncarnationId): Promise<number> {
  const heartbeat = await read(access, keys.heartbeat(incarnation));
  return heartbeat === undefined ? 0 : readHeartbeat(heartbeat).durable;
}

/**
 * Reads the journal of an incarnation that a head names: its item is there, and says where the journal
 * ended, or it is closed meanwhile, and what is durable for sure is read beside that (ownership rule
 * 11 c). Whatever is missing is lost, and never an end.
 */
export function readFormer(deps: FenceDeps): ReadFormerJournal {
  return async (incarnation, slots, take) => {
    const durable = (await isClosed(deps, incarnation)) ? 0 : await toldDurable(deps, incarnation);
    const onObject = (found: FoundJournalObject): void => {
      const wanted: FormerEntry[] = [];
      for (const entry of entriesOf(found, ({ slot }) => slots.has(slot))) {
        if (entry.kind === "records") wanted.push(entry);
      }
      if (wanted.length > 0) take(ofOwnMemory(wanted, found.bytes.length));
    };
    await closeJournal(deps, { incarnation, durable, onObject });
  };
}

/** A few entries must not keep a whole object in memory. */
function ofOwnMemory(entries: readonly FormerEntry[], objectBytes: number): readonly FormerEntry[] {
  const bytes = entries.reduce((sum, { records }) => sum + records.length, 0);
  if (2 * bytes >= objectBytes) return entries;
  return entries.map((entry) => ({ ...entry, records: entry.records.slice() }));
}
