import type { JournalEntryDraft } from "@millrace/wire";

/** Why who waits for an entry is told that it takes longer; the entry keeps its place. */
export type DelayReason = "diskFull" | "timedOut";

export interface PendingEntry extends JournalEntryDraft {
  /** The entry is durable, in the object of this seq. */
  durable(seq: number): void;
  /** The entry stays and will be written later; who waits may be told. Perhaps more than once. */
  delayed(reason: DelayReason): void;
  /** The journal failed or is over: whether the entry is durable only a replay will tell. */
  failed(): void;
}

/**
 * The journal of an incarnation, as those see it who append to it and trim it: group commits over
 * many partitions, in files of this process's disk or in the object store.
 *
 * Promised: entries become durable in the order in which they were appended, and each is told so
 * after every earlier one; an entry is either told `durable`, or in the end `failed`. Objects of
 * group commits have seqs without a gap; all below `durableSeq` are durable and told.
 */
export interface AppendJournal {
  /**
   * `open`: entries are taken. `diskFull`: so they are, but wait until the disk has room. `failed`:
   * a write or sync failed for good; a restart replays. `over`: another process ended this
   * incarnation, and what was not told durable may be anything. `closed`: by its owner.
   */
  readonly state: "open" | "diskFull" | "failed" | "over" | "closed";
  /** The seq that the next group will have. */
  readonly nextSeq: number;
  /** The seq below which everything is durable and told. */
  readonly durableSeq: number;
  /** All below it is durable elsewhere, and recorded to be. */
  readonly trim: number;
  /** Bytes of durable objects from `trim` on: what a replay reads. */
  readonly untrimmedBytes: number;
  /** So many of them, and what they hold is made durable elsewhere: long before there is no room. */
  readonly trimDueBytes: number;
  /** Bytes of this process's disk that the journal takes; 0 where it has none. */
  readonly allocatedBytes: number;
  /** Monotonic time at which the oldest untrimmed object became durable. */
  readonly oldestUntrimmedMs: number | undefined;
  /** Whether an entry of so many bytes may be appended now. */
  hasRoom(bytes: number): boolean;
  /** Calls `listener` whenever there may be more room than before. Returns how to take it back. */
  onRoom(listener: () => void): () => void;
  /** Takes the entry into the group that collects. The caller asked `hasRoom` in the same turn. */
  append(entry: PendingEntry): void;
  /** What collects is written as soon as can be, without waiting for more to come. */
  hurry(): void;
  /** Resolves when nothing is pending any more, entries are delayed, or nothing will be written. */
  idle(): Promise<void>;
  /**
   * Moves the trim up to `seq`: all below it is durable elsewhere. The new trim is recorded before
   * anything is deleted. Rejects where it could not be recorded; the old trim then holds.
   */
  advanceTrim(seq: number): Promise<void>;
  /** Gives the disk's space of an idle journal back, when all of it is trimmed. */
  retireFiles(): void;
  /** After it nothing is written; entries that are still pending fail. */
  close(): void;
}
