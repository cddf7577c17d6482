import type { TopicId } from "@millrace/core";
import type { ImageIndex, ImageIndexEntry } from "./image-index.ts";
import type { PartEpoch } from "./part-epochs.ts";

/** What an image's footer says, and its writer has to know. */
export interface ImageFields {
  readonly topicId: TopicId;
  readonly partition: number;
  /** Inclusive; below the first batch's where compaction removed the ones before. */
  readonly baseOffset: number;
  /** Exclusive. */
  readonly nextOffset: number;
  /** -1: no record has one. */
  readonly maxTimestamp: number;
  /** An offset in the first batch that has it; -1: none. */
  readonly maxTimestampOffset: number;
  /** 0: not known, or none. */
  readonly recordCount: number;
  readonly batchesBytes: number;
  /** CRC-32C of the batches' bytes. */
  readonly batchesCrc: number;
  /** `TIER_NONCE_BYTES` random bytes, fixed with the image's bytes at the first attempt. */
  readonly nonce: Uint8Array;
}

/** An image but for its batches, before it is bytes. */
export interface ImageDraft extends ImageFields {
  /** An `ImageIndexBuilder`'s. */
  readonly index: readonly ImageIndexEntry[];
  /** Of the range, ascending: the first is the epoch of the first batch. */
  readonly leaderEpochs: readonly PartEpoch[];
  /** The producers' state as of `nextOffset`, in core's layout; empty where none is known. */
  readonly producers: Uint8Array;
}

/** A footer whose CRC holds, and whose lengths add up to the image's. */
export interface ImageFooter extends ImageFields {
  readonly indexBytes: number;
  readonly leaderEpochsBytes: number;
  readonly producersBytes: number;
  readonly sectionsCrc: number;
}

/** All of an image but its batches, checked. Holds copies of what it was read from. */
export interface ImageTail {
  readonly footer: ImageFooter;
  readonly index: ImageIndex;
  readonly leaderEpochs: readonly PartEpoch[];
  readonly producers: Uint8Array;
}
