import { assert } from "@millrace/core";
import { CHECKPOINT_FOOTER_BYTES } from "@millrace/wire";
import { journalLimits } from "../journal/limits.ts";
import { partitionLimits } from "../partition/limits.ts";

const mebibyte = 1024 * 1024;

/** How often a request to the object store is tried. */
export const objectTriesMax = 8;
/** The wait before the second try; it doubles from try to try, up to the longest. */
export const objectBackoffMsFirst = 50;
export const objectBackoffMsMax = 5_000;
/** Objects that one request deletes. */
export const deletedObjectsMax = 1_000;
/** Of an object's end, the bytes that tell whose it is: a nonce is among them. */
export const ownerProofBytesMax = 65_536;

/** Every bound of the object store's side. Reaching one is a named outcome. */
export interface TierLimits {
  /** From this many bytes of batches on, a tail goes into cold segments instead of a pack. */
  readonly coldSegmentBytesMin: number;
  /** A cold segment closes with the batch that brings it here, or earlier. */
  readonly coldSegmentBytesMax: number;
  /** Cold segments that are registered in one transaction; a longer tail takes several. */
  readonly segmentsPerCommitMax: number;
  /** Cold segments that are read and uploaded at the same time: this many times the size above. */
  readonly uploadsInFlightMax: number;
  /** Bytes that are read for uploads before others have a turn of the event loop. */
  readonly uploadReadBytesPerTurn: number;
  /** So many at once are read and checked beside it, unless somebody waits for the round. */
  readonly asideReadBytesMin: number;
  /** No round reads more slowly, however slowly its bytes came. */
  readonly uploadReadBytesPerSecondMin: number;
  /** A checkpoint is written at this size; what is left goes into the next one. */
  readonly checkpointBytesMax: number;
  /** New bytes of tiered partitions at which a round begins, which takes large tails. */
  readonly checkpointDueBytes: number;
  /** Age of the oldest bytes at which one begins that takes all. */
  readonly checkpointDueMs: number;
  /** New bytes that the former leaves, of all partitions together; past it the largest are packed. */
  readonly leftTailBytesMax: number;
  /** Journaled bytes since the first of a tail that was left; past it all tails are taken. */
  readonly leftJournalBytesMax: number;
  /** Journaled bytes since the first that a round takes; from them on it is not spread over time. */
  readonly hurriedJournalBytesMin: number;
  /** Pause after a round that failed; it doubles with each, up to `checkpointDueMs`. */
  readonly checkpointRetryMs: number;
  /** Checkpoints that packed parts and slots' sections are spread over; past it the oldest moves. */
  readonly checkpointsMax: number;
  /** The unit of reads, and of what is cached. */
  readonly chunkBytes: number;
  /** Bytes of chunks that are kept or on their way; past it the least recently used go. */
  readonly cachedBytesMax: number;
  /** Reads of the object store under way; further ones wait, in order. */
  readonly readsInFlightMax: number;
  /** Chunks that are read ahead of one sequential reader, if it is alone; it begins with two. */
  readonly readAheadChunksMax: number;
  /** Images whose index is kept, with what follows it. */
  readonly cachedIndexesMax: number;
  /** Bytes of all that; past it the least recently used go. */
  readonly cachedIndexBytesMax: number;
  /** After a start, until objects are looked for that nobody names. */
  readonly firstSweepMs: number;
  /** And from then on, each time. */
  readonly sweepEveryMs: number;
  /** Slots' sections of former incarnations that are kept. */
  readonly cachedSectionsMax: number;
  /** Of a former incarnation's checkpoint, the end that is read at once. */
  readonly checkpointEndBytes: number;
  /** Such ends that are kept, and indexes of those that go on. */
  readonly checkpointEndsMax: number;
  /** Sequential readers of one partition whose place is remembered. */
  readonly readCursorsMax: number;
}

export const tierLimits: TierLimits = checked({
  coldSegmentBytesMin: 8 * mebibyte,
  coldSegmentBytesMax: 16 * mebibyte,
  segmentsPerCommitMax: 64,
  uploadsInFlightMax: 2,
  uploadReadBytesPerTurn: mebibyte,
  asideReadBytesMin: mebibyte / 8,
  uploadReadBytesPerSecondMin: 32 * mebibyte,
  checkpointBytesMax: 32 * mebibyte,
  checkpointDueBytes: 64 * mebibyte,
  checkpointDueMs: 60_000,
  leftTailBytesMax: 256 * mebibyte,
  leftJournalBytesMax: 128 * mebibyte,
  hurriedJournalBytesMin: 384 * mebibyte,
  checkpointRetryMs: 5_000,
  checkpointsMax: 64,
  chunkBytes: mebibyte,
  cachedBytesMax: 64 * mebibyte,
  readsInFlightMax: 24,
  readAheadChunksMax: 32,
  cachedIndexesMax: 256,
  cachedIndexBytesMax: 16 * mebibyte,
  firstSweepMs: 120_000,
  sweepEveryMs: 24 * 3_600_000,
  cachedSectionsMax: 256,
  checkpointEndBytes: mebibyte / 4,
  checkpointEndsMax: 8,
  readCursorsMax: 16,
});

/** Of a member of a cluster: who takes its slots over replays its journal, which is smaller. */
export const memberTierLimits: TierLimits = checked({
  ...tierLimits,
  leftJournalBytesMax: 64 * mebibyte,
  hurriedJournalBytesMin: 128 * mebibyte,
});

assert(
  memberTierLimits.leftJournalBytesMax + 2 * memberTierLimits.checkpointDueBytes <=
    journalLimits.journalBytesMax,
  "while a round takes what is due, what comes until the next one still fits the journal",
);
for (const [{ checkpointDueBytes, hurriedJournalBytesMin }, { journalBytesMax }] of [
  [tierLimits, partitionLimits],
  [memberTierLimits, journalLimits],
] as const) {
  assert(
    hurriedJournalBytesMin + checkpointDueBytes <= journalBytesMax,
    "a round that hurries still has room in the journal for what comes meanwhile",
  );
}

/** Asserts how the limits must lie to each other. */
export function checked(limits: TierLimits): TierLimits {
  assert(
    2 * limits.coldSegmentBytesMin <= limits.coldSegmentBytesMax,
    "a tail can be cut into cold segments of a useful size",
  );
  assert(
    2 * limits.readAheadChunksMax * limits.chunkBytes <= limits.cachedBytesMax,
    "what is read ahead is not driven out before it is read",
  );
  assert(
    limits.checkpointEndBytes >= CHECKPOINT_FOOTER_BYTES,
    "the end of a checkpoint says where its index begins",
  );
  assert(limits.readsInFlightMax * limits.chunkBytes <= limits.cachedBytesMax, "reads fit");
  assert(
    2 * limits.leftJournalBytesMax <= limits.hurriedJournalBytesMin,
    "a round that begins because the journal keeps much has its time",
  );
  return limits;
}
