import { assert } from "@millrace/core";

const mebibyte = 1024 * 1024;

/** Every bound of a journal whose objects lie in the object store. Reaching one is a named outcome. */
export interface JournalLimits {
  /** A group commit closes with the entry that brings it to this many bytes. */
  readonly objectBytes: number;
  /** A smaller one closes when so much time has passed since the last one's put began. */
  readonly lingerMs: number;
  /**
   * Instead of `lingerMs` for a while after slots were opened that somebody had, as long as fewer than
   * half of the puts are in flight that may be: their clients have waited.
   */
  readonly briskLingerMs: number;
  /** That while. */
  readonly briskMs: number;
  /** Objects that are sent and not yet told durable; further entries collect. */
  readonly putsInFlightMax: number;
  /** Untrimmed and pending bytes together; at the bound there is no room. */
  readonly journalBytesMax: number;
  /** Untrimmed bytes from which on the trim follows what checkpoints hold, as soon as they do. */
  readonly trimDueBytes: number;
  /** Bytes decided and not yet durable; at the bound there is no room. */
  readonly pendingBytesMax: number;
  /** From this wait for one object on, who waits is told so. */
  readonly delayedMs: number;
  /** Pause before an object whose tries all failed is tried again; between half of it and all. */
  readonly putPauseMs: number;
  /** Trimmed objects that one request deletes; the next request waits for it. */
  readonly deletedPerCallMax: number;
  /** Pause before a deletion that failed is tried again. */
  readonly deletePauseMs: number;
  /** How long entries are told of a group commit before others have a turn. */
  readonly turnMsMax: number;
  /** Seqs that a fence looks at together on its way to the journal's end. */
  readonly probesInFlightMax: number;
  /** Objects of a closed journal whose first reads are under way at once. */
  readonly readsInFlightMax: number;
  /** Objects that are read, or are being read, ahead of their reader, who takes them in order. */
  readonly objectsAheadMax: number;
  /** What the first read of an object asks for; the rest of a larger one takes a second. */
  readonly firstReadBytes: number;
  /** Of what lies behind the first reads, the bytes that are read ahead of the reader. */
  readonly readAheadBytesMax: number;
}

export const journalLimits: JournalLimits = checked({
  objectBytes: 8 * mebibyte,
  lingerMs: 100,
  briskLingerMs: 10,
  briskMs: 1_000,
  putsInFlightMax: 8,
  journalBytesMax: 256 * mebibyte,
  trimDueBytes: 32 * mebibyte,
  pendingBytesMax: 64 * mebibyte,
  delayedMs: 10_000,
  putPauseMs: 2_000,
  deletedPerCallMax: 100,
  deletePauseMs: 10_000,
  turnMsMax: 5,
  probesInFlightMax: 8,
  readsInFlightMax: 48,
  objectsAheadMax: 512,
  firstReadBytes: mebibyte / 16,
  readAheadBytesMax: 28 * mebibyte,
});

/** Asserts how the limits must lie to each other. */
export function checked(limits: JournalLimits): JournalLimits {
  assert(
    limits.putsInFlightMax * limits.objectBytes <= limits.pendingBytesMax,
    "full objects can be in flight as many as may",
  );
  assert(limits.briskLingerMs <= limits.lingerMs, "groups close no later for who has waited");
  assert(
    2 * limits.pendingBytesMax <= limits.journalBytesMax,
    "what a checkpoint is to cover next collects while one is written",
  );
  assert(
    limits.trimDueBytes + limits.pendingBytesMax <= limits.journalBytesMax,
    "trimming begins before appends have to wait for it",
  );
  assert(
    2 * limits.objectBytes <= limits.readAheadBytesMax,
    "the next large object is read while one is taken",
  );
  return limits;
}
