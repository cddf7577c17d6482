import { epoch, slot, topicId } from "@millrace/core";
import type { Crc32c } from "../crc32c.ts";
import { readHex16, writeHex16 } from "../journal/hex.ts";
import { readInt64, writeInt64 } from "../record/int64.ts";
import type { CheckpointSlot, PackedPart, PackedPartition, SlotSection } from "./checkpoint.ts";
import {
  EPOCH_ENTRY_BYTES,
  FORMAT_VERSION,
  PART_BASE_OFFSET_AT,
  PART_BATCHES_BYTES_AT,
  PART_BYTES,
  PART_BYTES_AT,
  PART_CHECKPOINT_AT,
  PART_EPOCH_COUNT_AT,
  PART_MAX_TIMESTAMP_AT,
  PART_NEXT_OFFSET_AT,
  PART_POSITION_AT,
  SECTION_EPOCH_AT,
  SECTION_HEADER_BYTES,
  SECTION_PARTITION_AT,
  SECTION_PARTITION_BYTES,
  SECTION_PARTITION_COUNT_AT,
  SECTION_PART_COUNT_AT,
  SECTION_SLOT_AT,
  SECTION_TOPIC_ID_AT,
  SECTION_VERSION_AT,
  SLOT_SECTION_BYTES_MAX,
} from "./layout.ts";
import { readPartEpochs, writePartEpochs } from "./part-epochs.ts";

/** Bytes that a section takes; the sum of `packedPartitionBytes` and a header. */
export function slotSectionBytes(section: SlotSection): number {
  let bytes = SECTION_HEADER_BYTES;
  for (const partition of section.partitions) bytes += packedPartitionBytes(partition);
  return bytes;
}

function packedPartitionBytes({ parts }: PackedPartition): number {
  let bytes = SECTION_PARTITION_BYTES;
  for (const { leaderEpochs } of parts) {
    bytes += PART_BYTES + leaderEpochs.length * EPOCH_ENTRY_BYTES;
  }
  return bytes;
}

/** Throws RangeError for more than the format can carry, which the caller's limits rule out. */
export function encodeSlotSection(section: SlotSection): Uint8Array {
  const size = slotSectionBytes(section);
  if (size > SLOT_SECTION_BYTES_MAX) throw new RangeError(`slot section too long: ${size}`);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint16(SECTION_VERSION_AT, FORMAT_VERSION);
  view.setInt32(SECTION_SLOT_AT, section.slot);
  view.setInt32(SECTION_EPOCH_AT, section.epoch);
  view.setUint32(SECTION_PARTITION_COUNT_AT, section.partitions.length);
  let at = SECTION_HEADER_BYTES;
  for (const { topicId: topic, partition, parts } of section.partitions) {
    writeHex16(view, at + SECTION_TOPIC_ID_AT, topic);
    view.setInt32(at + SECTION_PARTITION_AT, partition);
    view.setUint32(at + SECTION_PART_COUNT_AT, parts.length);
    at += SECTION_PARTITION_BYTES;
    for (const part of parts) at = writePart(view, at, part);
  }
  return bytes;
}

function writePart(view: DataView, at: number, part: PackedPart): number {
  writeInt64(view, at + PART_CHECKPOINT_AT, part.checkpoint);
  writeInt64(view, at + PART_POSITION_AT, part.position);
  view.setUint32(at + PART_BYTES_AT, part.bytes);
  view.setUint32(at + PART_BATCHES_BYTES_AT, part.batchesBytes);
  writeInt64(view, at + PART_BASE_OFFSET_AT, part.baseOffset);
  writeInt64(view, at + PART_NEXT_OFFSET_AT, part.nextOffset);
  writeInt64(view, at + PART_MAX_TIMESTAMP_AT, part.maxTimestamp);
  view.setUint32(at + PART_EPOCH_COUNT_AT, part.leaderEpochs.length);
  writePartEpochs(view, at + PART_BYTES, part.leaderEpochs);
  return at + PART_BYTES + part.leaderEpochs.length * EPOCH_ENTRY_BYTES;
}

export type DecodedSlotSection =
  | { readonly kind: "ok"; readonly section: SlotSection }
  | { readonly kind: "invalid"; readonly reason: "otherLength" | "damaged" | "newerFormat" };

/**
 * Reads the section that a checkpoint's index names: `bytes` is the named range of the named
 * object. Every byte is checked by the index's CRC. Allocates by the length of `bytes`.
 */
export function decodeSlotSection(
  bytes: Uint8Array,
  named: CheckpointSlot,
  crc32c: Crc32c,
): DecodedSlotSection {
  if (bytes.length !== named.bytes) return { kind: "invalid", reason: "otherLength" };
  if (bytes.length < SECTION_HEADER_BYTES || crc32c(bytes) !== named.crc) {
    return { kind: "invalid", reason: "damaged" };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(SECTION_VERSION_AT) > FORMAT_VERSION) {
    return { kind: "invalid", reason: "newerFormat" };
  }
  const slotNumber = view.getInt32(SECTION_SLOT_AT);
  const epochNumber = view.getInt32(SECTION_EPOCH_AT);
  if (slotNumber !== named.slot || epochNumber !== named.epoch) {
    return { kind: "invalid", reason: "damaged" };
  }
  const partitions = new SectionReader(view).readPartitions();
  if (partitions === undefined) return { kind: "invalid", reason: "damaged" };
  const section = { slot: slot(slotNumber), epoch: epoch(epochNumber), partitions };
  return { kind: "ok", section };
}

/** Reads what follows a section's header; every method undefined for what no writer writes. */
class SectionReader {
  readonly #view: DataView;
  #at = SECTION_HEADER_BYTES;

  constructor(view: DataView) {
    this.#view = view;
  }

  readPartitions(): readonly PackedPartition[] | undefined {
    const count = this.#view.getUint32(SECTION_PARTITION_COUNT_AT);
    const partitions: PackedPartition[] = [];
    for (let i = 0; i < count; i++) {
      const partition = this.#readPartition();
      if (partition === undefined) return undefined;
      partitions.push(partition);
    }
    return this.#at === this.#view.byteLength ? partitions : undefined;
  }

  #hasBytes(bytes: number): boolean {
    return this.#at + bytes <= this.#view.byteLength;
  }

  #readPartition(): PackedPartition | undefined {
    if (!this.#hasBytes(SECTION_PARTITION_BYTES)) return undefined;
    const idHex = readHex16(this.#view, this.#at + SECTION_TOPIC_ID_AT);
    const partition = this.#view.getInt32(this.#at + SECTION_PARTITION_AT);
    const partCount = this.#view.getUint32(this.#at + SECTION_PART_COUNT_AT);
    if (!/[1-9a-f]/.test(idHex) || partition < 0) return undefined;
    this.#at += SECTION_PARTITION_BYTES;
    const parts: PackedPart[] = [];
    for (let i = 0; i < partCount; i++) {
      const part = this.#readPart();
      const before = parts.at(-1)?.baseOffset ?? -1;
      if (part === undefined || part.baseOffset <= before) return undefined;
      parts.push(part);
    }
    return { topicId: topicId(idHex), partition, parts };
  }

  #readPart(): PackedPart | undefined {
    if (!this.#hasBytes(PART_BYTES)) return undefined;
    const at = this.#at;
    const view = this.#view;
    const epochCount = view.getUint32(at + PART_EPOCH_COUNT_AT);
    if (!this.#hasBytes(PART_BYTES + epochCount * EPOCH_ENTRY_BYTES)) return undefined;
    const leaderEpochs = readPartEpochs(view, at + PART_BYTES, epochCount);
    if (leaderEpochs === undefined) return undefined;
    this.#at = at + PART_BYTES + epochCount * EPOCH_ENTRY_BYTES;
    const part: PackedPart = {
      checkpoint: readInt64(view, at + PART_CHECKPOINT_AT),
      position: readInt64(view, at + PART_POSITION_AT),
      bytes: view.getUint32(at + PART_BYTES_AT),
      batchesBytes: view.getUint32(at + PART_BATCHES_BYTES_AT),
      baseOffset: readInt64(view, at + PART_BASE_OFFSET_AT),
      nextOffset: readInt64(view, at + PART_NEXT_OFFSET_AT),
      maxTimestamp: readInt64(view, at + PART_MAX_TIMESTAMP_AT),
      leaderEpochs,
    };
    return isPlausible(part) ? part : undefined;
  }
}

function isPlausible(part: PackedPart): boolean {
  return (
    part.checkpoint >= 0 &&
    Number.isSafeInteger(part.checkpoint) &&
    part.position >= 0 &&
    Number.isSafeInteger(part.position + part.bytes) &&
    part.batchesBytes < part.bytes &&
    part.baseOffset >= 0 &&
    part.nextOffset >= part.baseOffset &&
    Number.isSafeInteger(part.nextOffset) &&
    Number.isSafeInteger(part.maxTimestamp)
  );
}
