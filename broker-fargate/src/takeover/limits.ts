import { assert } from "@millrace/core";
import { journalLimits } from "../journal/limits.ts";
import { shutdownGraceMsMax } from "../limits.ts";

/** Heads that are read at the same time. */
export const headReadsInFlightMax = 32;
/** Heads that one transaction claims or releases; its other item is the incarnation's own. */
export const claimsAtOnceMax = 50;
/** Pause before slots that could not be opened are tried again. */
export const takeoverRetryMs = 250;
/** Slots whose former owners' leavings are copied at the same time. */
export const adoptionsAtOnceMax = 4;
/** Partitions of one slot that are copied at the same time, before it is claimed. */
export const copiesAtOnceMax = 4;
/** Pause before what could not be copied is tried again. */
export const adoptionRetryMs = 5_000;
/**
 * Pause after a move that was called off, which doubles with each, and before a write of one is tried
 * again.
 */
export const moveRetryMs = 250;
/** How long a move keeps slots closed before their heads are released; then it is called off. */
export const moveStoppedMsMax = 1_500;
/** How long a broker that stops waits for the others to take its slots. */
export const drainMsMax = 20_000;
/** How long a process that stops waits for its stores after that; then it ends all the same. */
export const memberCloseMsMax = 60_000;
/** How often a process that stops looks whether the others have its slots. */
export const drainPollMs = 50;

/** Bounds of what former owners' journals take here, however many there are. */
export interface FormerLimits {
  /** Of their records in memory; what is more lies on the disk until checkpoints hold it. */
  readonly memoryBytesMax: number;
  /** Journals that are read at the same time; the others' slots open later. */
  readonly journalReadsAtOnceMax: number;
  /**
   * What lies on the disk goes into another file after so many bytes: what can't be copied for long
   * holds back no more than the files it lies in.
   */
  readonly spillFileBytesMax: number;
}

export const formerLimits: FormerLimits = {
  memoryBytesMax: 128 * 1024 * 1024,
  journalReadsAtOnceMax: 2,
  spillFileBytesMax: 64 * 1024 * 1024,
};

const readAheadBytes =
  journalLimits.objectsAheadMax * journalLimits.firstReadBytes + journalLimits.readAheadBytesMax;
assert(
  formerLimits.memoryBytesMax + formerLimits.journalReadsAtOnceMax * readAheadBytes <=
    journalLimits.journalBytesMax,
  "a takeover from many takes no more memory than the own journal may",
);
assert(
  drainMsMax + shutdownGraceMsMax + memberCloseMsMax <= 90_000,
  "a process has ended before its task is killed, after 120 s at most on Fargate",
);
