import type { Slot } from "@millrace/core";
import type { Crc32c } from "../crc32c.ts";
import { writeInt64 } from "../record/int64.ts";
import type { CheckpointDraft, CheckpointSlot, EncodedCheckpoint } from "./checkpoint.ts";
import { sealFooter } from "./footer-end.ts";
import {
  CHECKPOINT_FOOTER_BYTES,
  CHECKPOINT_IMAGES_BYTES_AT,
  CHECKPOINT_INCARNATION_AT,
  CHECKPOINT_INCARNATION_BYTES,
  CHECKPOINT_INDEX_CRC_AT,
  CHECKPOINT_MAGIC,
  CHECKPOINT_NONCE_AT,
  CHECKPOINT_NUMBER_AT,
  CHECKPOINT_SECTIONS_BYTES_AT,
  CHECKPOINT_SLOTS_MAX,
  CHECKPOINT_SLOT_COUNT_AT,
  SLOT_ENTRY_BYTES,
  SLOT_ENTRY_BYTES_AT,
  SLOT_ENTRY_CHECKPOINT_AT,
  SLOT_ENTRY_CRC_AT,
  SLOT_ENTRY_EPOCH_AT,
  SLOT_ENTRY_POSITION_AT,
  SLOT_ENTRY_SLOT_AT,
  TIER_NONCE_BYTES,
} from "./layout.ts";

/**
 * Lays out a checkpoint; images and sections are passed on, not copied, and must not change any
 * more. Throws RangeError for more than the format can carry, and for a slot that is named twice.
 */
export function encodeCheckpoint(draft: CheckpointDraft, crc32c: Crc32c): EncodedCheckpoint {
  const parts: Uint8Array[] = [...draft.imageParts];
  let position = 0;
  for (const { length } of draft.imageParts) position += length;
  const imagesBytes = position;
  const bySlot = new Map<Slot, CheckpointSlot>();
  for (const { slot, epoch, bytes } of draft.sections) {
    const place = { checkpoint: draft.number, position, bytes: bytes.length };
    addSlot(bySlot, { slot, epoch, ...place, crc: crc32c(bytes) });
    parts.push(bytes);
    position += bytes.length;
  }
  const sectionsBytes = position - imagesBytes;
  for (const carried of draft.carried) addSlot(bySlot, carried);
  const slots = [...bySlot.values()].sort((a, b) => a.slot - b.slot);
  if (slots.length > CHECKPOINT_SLOTS_MAX) throw new RangeError(`${slots.length} slots`);
  const tail = encodeTail(draft, { slots, imagesBytes, sectionsBytes, crc32c });
  parts.push(tail);
  return { parts, bytes: position + tail.length, slots };
}

function addSlot(bySlot: Map<Slot, CheckpointSlot>, line: CheckpointSlot): void {
  if (bySlot.has(line.slot)) throw new RangeError(`slot ${line.slot} is named twice`);
  bySlot.set(line.slot, line);
}

function encodeTail(
  { incarnation, number, nonce }: CheckpointDraft,
  contents: {
    readonly slots: readonly CheckpointSlot[];
    readonly imagesBytes: number;
    readonly sectionsBytes: number;
    readonly crc32c: Crc32c;
  },
): Uint8Array {
  const { slots, imagesBytes, sectionsBytes, crc32c } = contents;
  if (nonce.length !== TIER_NONCE_BYTES) throw new RangeError("a nonce has 16 bytes");
  if (incarnation.length > CHECKPOINT_INCARNATION_BYTES) throw new RangeError(incarnation);
  const footerAt = slots.length * SLOT_ENTRY_BYTES;
  const tail = new Uint8Array(footerAt + CHECKPOINT_FOOTER_BYTES);
  const view = new DataView(tail.buffer);
  slots.forEach((line, i) => writeSlot(view, i * SLOT_ENTRY_BYTES, line));
  for (let i = 0; i < incarnation.length; i++) {
    tail[footerAt + CHECKPOINT_INCARNATION_AT + i] = incarnation.charCodeAt(i);
  }
  writeInt64(view, footerAt + CHECKPOINT_NUMBER_AT, number);
  writeInt64(view, footerAt + CHECKPOINT_IMAGES_BYTES_AT, imagesBytes);
  writeInt64(view, footerAt + CHECKPOINT_SECTIONS_BYTES_AT, sectionsBytes);
  view.setUint32(footerAt + CHECKPOINT_SLOT_COUNT_AT, slots.length);
  view.setUint32(footerAt + CHECKPOINT_INDEX_CRC_AT, crc32c(tail.subarray(0, footerAt)));
  tail.set(nonce, footerAt + CHECKPOINT_NONCE_AT);
  sealFooter(tail.subarray(footerAt), CHECKPOINT_MAGIC, crc32c);
  return tail;
}

function writeSlot(view: DataView, at: number, line: CheckpointSlot): void {
  view.setInt32(at + SLOT_ENTRY_SLOT_AT, line.slot);
  view.setInt32(at + SLOT_ENTRY_EPOCH_AT, line.epoch);
  writeInt64(view, at + SLOT_ENTRY_CHECKPOINT_AT, line.checkpoint);
  writeInt64(view, at + SLOT_ENTRY_POSITION_AT, line.position);
  view.setUint32(at + SLOT_ENTRY_BYTES_AT, line.bytes);
  view.setUint32(at + SLOT_ENTRY_CRC_AT, line.crc);
}
