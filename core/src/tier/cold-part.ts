import type { LeaderEpochStart } from "../log/leader-epochs.ts";

/**
 * A contiguous range of a partition's batches in the object store: an image that fills an object of
 * its own (a cold segment), or lies in a pack among others.
 */
export interface ColdPart {
  /** The object's key. */
  readonly object: string;
  /** Of the image's first byte in the object. */
  readonly position: number;
  /** Of the whole image. */
  readonly bytes: number;
  /** Of its batches, with which the image begins. */
  readonly batchesBytes: number;
  /** No batch begins below; the first may begin above, after a compaction. */
  readonly baseOffset: number;
  /** Exclusive: where the next part begins. */
  readonly nextOffset: number;
  /** ms; -1: no batch has a timestamp. */
  readonly maxTimestamp: number;
  /** Of its batches; the first entry begins at or below the first batch. */
  readonly leaderEpochs: readonly LeaderEpochStart[];
  /**
   * A cold segment that a round of compaction has gone over: of each of its keys nothing older is
   * left below it.
   */
  readonly isCleaned?: boolean;
  /**
   * A cold segment in the place of batches that nothing has any more: whoever asks for one of its
   * offsets is refused, and others need not stop before it. Its object has what was found of them.
   */
  readonly isLost?: boolean;
}
