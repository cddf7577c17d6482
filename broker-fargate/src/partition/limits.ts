import { assert } from "@millrace/core";
import { JOURNAL_ALIGNMENT_BYTES } from "@millrace/wire";

const mebibyte = 1024 * 1024;

/** Every bound of partitions and their journal. Reaching one is a named outcome. */
export interface PartitionLimits {
  /** A journal file's bytes; a larger object gets a larger file of its own. */
  readonly journalFileBytes: number;
  /** Steps in which a journal file is preallocated. */
  readonly journalGrowBytes: number;
  /** Trimmed files that are kept to be written again; further ones are deleted. */
  readonly journalSpareFilesMax: number;
  /** A group commit closes at this size; one append that is larger makes a group of its own. */
  readonly journalObjectBytes: number;
  /** Untrimmed and pending bytes together; at the bound appends wait, then `journalFull`. */
  readonly journalBytesMax: number;
  /** Bytes decided and not yet durable; at the bound appends wait, then `journalFull`. */
  readonly journalPendingBytesMax: number;
  /** Untrimmed bytes at which partitions are synced in the background, oldest first. */
  readonly journalTrimBytes: number;
  /** Age of the oldest untrimmed object at which the same begins. */
  readonly journalTrimAgeMs: number;
  /** How long an append may wait for room, for its dirty mark or for a change of policy. */
  readonly appendWaitMsMax: number;
  /** Bytes of waiting appends of one partition; one more is refused at once. */
  readonly appendWaitBytesMax: number;
  /** A compressed batch of more bytes is looked at beside the event loop. */
  readonly turnCompressedBytesMax: number;
  /** So is one that has more bytes once it is open. */
  readonly turnOpenedBytesMax: number;
  /** And, where the records are compressed anew, one that has more bytes closed or open. */
  readonly turnReencodedBytesMax: number;
  /** Batches that are compressed anew beside the event loop or were, and wait; others wait for them. */
  readonly reencodingsMax: number;
  /** Pause before a write that found the disk full is tried again. */
  readonly diskRetryMs: number;
  /** Pause before the removal of a deleted topic's data that failed is tried again. */
  readonly removalRetryMs: number;
  /** A `local` partition that got no append for so long is synced and its dirty mark removed. */
  readonly idleSyncMs: number;
  /** A `local` partition is synced at least so often while it is dirty: bounds what is verified. */
  readonly dirtySyncMs: number;
  /** Partitions that are synced at the same time in the background. */
  readonly syncsInFlightMax: number;
  /** Partitions that are loaded at the same time; further ones wait, in order. */
  readonly loadsInFlightMax: number;
  /** How long partitions are told of a group commit before others have a turn. */
  readonly turnMsMax: number;
  /** Background duties run at most so often. */
  readonly dutyPauseMs: number;
  /** Logs that replay holds open; past it they are synced and closed. */
  readonly replayLogsMax: number;
  /** Partitions that one journal could not be replayed into; with more the start ends. */
  readonly unreplayedPartitionsMax: number;
  /** Items of closed incarnations; past it those go at a start that no slot's head names. */
  readonly closedIncarnationsMax: number;
}

/** Slots whose items are written at the same time where they could not be written together. */
export const slotsApartMax = 16;

export const partitionLimits: PartitionLimits = checked({
  journalFileBytes: 64 * mebibyte,
  journalGrowBytes: 4 * mebibyte,
  journalSpareFilesMax: 6,
  journalObjectBytes: 8 * mebibyte,
  journalBytesMax: 1024 * mebibyte,
  journalPendingBytesMax: 128 * mebibyte,
  journalTrimBytes: 256 * mebibyte,
  journalTrimAgeMs: 60_000,
  appendWaitMsMax: 10_000,
  appendWaitBytesMax: 64 * mebibyte,
  turnCompressedBytesMax: 32 * 1024,
  turnOpenedBytesMax: 256 * 1024,
  turnReencodedBytesMax: 32 * 1024,
  reencodingsMax: 8,
  diskRetryMs: 1_000,
  removalRetryMs: 30_000,
  idleSyncMs: 5_000,
  dirtySyncMs: 60_000,
  syncsInFlightMax: 4,
  loadsInFlightMax: 12,
  turnMsMax: 5,
  dutyPauseMs: 100,
  replayLogsMax: 512,
  unreplayedPartitionsMax: 256,
  closedIncarnationsMax: 64,
});

/** Asserts how the limits must lie to each other. */
export function checked(limits: PartitionLimits): PartitionLimits {
  assert(
    limits.journalObjectBytes <= limits.journalFileBytes,
    "a group commit of ordinary size fits into a file",
  );
  assert(
    limits.journalTrimBytes + limits.journalPendingBytesMax <= limits.journalBytesMax,
    "trimming begins before appends have to wait for it",
  );
  assert(
    limits.journalTrimBytes <= limits.journalSpareFilesMax * limits.journalFileBytes,
    "the files that a trim lets go of under steady load are used again",
  );
  assert(
    limits.turnReencodedBytesMax <= limits.turnOpenedBytesMax &&
      limits.turnCompressedBytesMax <= limits.turnOpenedBytesMax,
    "compressing costs more than opening, and records shrink when they are compressed",
  );
  assert(limits.journalFileBytes % JOURNAL_ALIGNMENT_BYTES === 0, "a file holds whole pages");
  return limits;
}
