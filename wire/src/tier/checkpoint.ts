import type { Epoch, IncarnationId, Slot, TopicId } from "@millrace/core";
import type { PartEpoch } from "./part-epochs.ts";

/** One packed image, as the slot section of its partition's slot names it. */
export interface PackedPart {
  /** The number of the checkpoint, of the same incarnation, that holds the image. */
  readonly checkpoint: number;
  /** Of the image in that object. */
  readonly position: number;
  /** Of the whole image. */
  readonly bytes: number;
  readonly batchesBytes: number;
  /** Inclusive. */
  readonly baseOffset: number;
  /** Exclusive. */
  readonly nextOffset: number;
  /** -1: none. */
  readonly maxTimestamp: number;
  readonly leaderEpochs: readonly PartEpoch[];
}

export interface PackedPartition {
  readonly topicId: TopicId;
  readonly partition: number;
  /** Their base offsets ascend. */
  readonly parts: readonly PackedPart[];
}

/** All packed parts of a slot's partitions, as of the checkpoint that holds the section. */
export interface SlotSection {
  readonly slot: Slot;
  /** The slot's epoch when the section was written. */
  readonly epoch: Epoch;
  /** Those with packed parts, each once. */
  readonly partitions: readonly PackedPartition[];
}

/** Where the newest section of one slot lies. */
export interface CheckpointSlot {
  readonly slot: Slot;
  readonly epoch: Epoch;
  /** The number of the checkpoint, of the same incarnation, that holds the section. */
  readonly checkpoint: number;
  /** Of the section in that object. */
  readonly position: number;
  readonly bytes: number;
  /** CRC-32C of the section. */
  readonly crc: number;
}

/** A section on its way into a checkpoint: `encodeSlotSection`'s bytes. */
export interface EncodedSlotSection {
  readonly slot: Slot;
  readonly epoch: Epoch;
  readonly bytes: Uint8Array;
}

/** A checkpoint, before it is bytes. */
export interface CheckpointDraft {
  readonly incarnation: IncarnationId;
  readonly number: number;
  /** `TIER_NONCE_BYTES` random bytes, fixed with the object's bytes at the first attempt. */
  readonly nonce: Uint8Array;
  /** The images' bytes, one after another from position 0; written as they are, never copied. */
  readonly imageParts: readonly Uint8Array[];
  /** Of the slots that changed. */
  readonly sections: readonly EncodedSlotSection[];
  /** Of all other slots that have a section: their lines of the checkpoint before. */
  readonly carried: readonly CheckpointSlot[];
}

export interface EncodedCheckpoint {
  /** To be put one after another. */
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
  /** The index that was written: the next checkpoint carries its lines on. */
  readonly slots: readonly CheckpointSlot[];
}

/** A footer whose CRC holds, and whose lengths add up to the object's. */
export interface CheckpointFooter {
  readonly incarnation: IncarnationId;
  readonly number: number;
  readonly nonce: Uint8Array;
  /** Of all images together; the slot sections begin there. */
  readonly imagesBytes: number;
  readonly sectionsBytes: number;
  readonly slotCount: number;
  readonly indexCrc: number;
}

export interface CheckpointIndex {
  readonly footer: CheckpointFooter;
  /** Ascending by slot. */
  readonly slots: readonly CheckpointSlot[];
}
