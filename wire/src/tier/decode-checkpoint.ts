import { epoch, incarnationId, slot } from "@millrace/core";
import type { IncarnationId } from "@millrace/core";
import { readInt64 } from "../record/int64.ts";
import type { CheckpointFooter, CheckpointIndex, CheckpointSlot } from "./checkpoint.ts";
import { invalid, openFooter } from "./footer-end.ts";
import type { InvalidTierObject, ShortTierObject, TierReading } from "./footer-end.ts";
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
  SECTION_HEADER_BYTES,
  SLOT_ENTRY_BYTES,
  SLOT_ENTRY_BYTES_AT,
  SLOT_ENTRY_CHECKPOINT_AT,
  SLOT_ENTRY_CRC_AT,
  SLOT_ENTRY_EPOCH_AT,
  SLOT_ENTRY_POSITION_AT,
  SLOT_ENTRY_SLOT_AT,
  SLOT_SECTION_BYTES_MAX,
  TIER_NONCE_BYTES,
} from "./layout.ts";

/**
 * Reads the footer of a checkpoint from the object's last bytes. `needBytes` is the footer's
 * length; the lengths that `ok` returns are within bounds and add up to the object's.
 */
export function decodeCheckpointFooter(
  bytes: Uint8Array,
  reading: TierReading,
):
  | { readonly kind: "ok"; readonly footer: CheckpointFooter }
  | ShortTierObject
  | InvalidTierObject {
  const kind = { magic: CHECKPOINT_MAGIC, footerBytes: CHECKPOINT_FOOTER_BYTES };
  const opened = openFooter(bytes, kind, reading);
  if (opened.kind !== "ok") return opened;
  const footer = readFooter(opened.footer);
  if (footer === undefined) return invalid("footerDamaged");
  const { imagesBytes, sectionsBytes } = footer;
  if (imagesBytes + sectionsBytes + tailBytes(footer) !== reading.objectBytes) {
    return invalid("otherLength");
  }
  return { kind: "ok", footer };
}

/**
 * Reads footer and index of a checkpoint from the object's last bytes, and checks every byte of
 * both. `short` says how many of the last bytes it needs; with the whole object it is never said.
 */
export function decodeCheckpointIndex(
  bytes: Uint8Array,
  reading: TierReading,
): { readonly kind: "ok"; readonly index: CheckpointIndex } | ShortTierObject | InvalidTierObject {
  const decoded = decodeCheckpointFooter(bytes, reading);
  if (decoded.kind !== "ok") return decoded;
  const { footer } = decoded;
  const needBytes = tailBytes(footer);
  if (bytes.length < needBytes) return { kind: "short", needBytes };
  const indexAt = bytes.length - needBytes;
  const indexBytes = needBytes - CHECKPOINT_FOOTER_BYTES;
  const index = bytes.subarray(indexAt, indexAt + indexBytes);
  if (reading.crc32c(index) !== footer.indexCrc) return invalid("sectionsDamaged");
  const view = new DataView(index.buffer, index.byteOffset, indexBytes);
  const slots: CheckpointSlot[] = [];
  for (let at = 0; at < indexBytes; at += SLOT_ENTRY_BYTES) {
    const line = readSlot(view, at);
    const before = slots.at(-1)?.slot ?? -1;
    if (line === undefined || line.slot <= before || !isWithin(line, footer)) {
      return invalid("sectionsDamaged");
    }
    slots.push(line);
  }
  return { kind: "ok", index: { footer, slots } };
}

function tailBytes({ slotCount }: CheckpointFooter): number {
  return slotCount * SLOT_ENTRY_BYTES + CHECKPOINT_FOOTER_BYTES;
}

/** A section of this object lies where its sections lie; one of another, before this in time. */
function isWithin(line: CheckpointSlot, footer: CheckpointFooter): boolean {
  if (line.checkpoint !== footer.number) return line.checkpoint < footer.number;
  const end = footer.imagesBytes + footer.sectionsBytes;
  return line.position >= footer.imagesBytes && line.position + line.bytes <= end;
}

/**
 * undefined for what no writer of this format writes: CRCs guard against damage, not against bugs.
 */
function readSlot(view: DataView, at: number): CheckpointSlot | undefined {
  const slotNumber = view.getInt32(at + SLOT_ENTRY_SLOT_AT);
  const epochNumber = view.getInt32(at + SLOT_ENTRY_EPOCH_AT);
  const checkpoint = readInt64(view, at + SLOT_ENTRY_CHECKPOINT_AT);
  const position = readInt64(view, at + SLOT_ENTRY_POSITION_AT);
  const bytes = view.getUint32(at + SLOT_ENTRY_BYTES_AT);
  const plausible =
    slotNumber >= 0 &&
    epochNumber >= 0 &&
    checkpoint >= 0 &&
    position >= 0 &&
    Number.isSafeInteger(position + bytes) &&
    bytes >= SECTION_HEADER_BYTES &&
    bytes <= SLOT_SECTION_BYTES_MAX;
  if (!plausible) return undefined;
  return {
    slot: slot(slotNumber),
    epoch: epoch(epochNumber),
    checkpoint,
    position,
    bytes,
    crc: view.getUint32(at + SLOT_ENTRY_CRC_AT),
  };
}

function readFooter(view: DataView): CheckpointFooter | undefined {
  const incarnation = readIncarnation(view);
  const number = readInt64(view, CHECKPOINT_NUMBER_AT);
  const imagesBytes = readInt64(view, CHECKPOINT_IMAGES_BYTES_AT);
  const sectionsBytes = readInt64(view, CHECKPOINT_SECTIONS_BYTES_AT);
  const slotCount = view.getUint32(CHECKPOINT_SLOT_COUNT_AT);
  const plausible =
    number >= 0 &&
    Number.isSafeInteger(number) &&
    imagesBytes >= 0 &&
    sectionsBytes >= 0 &&
    Number.isSafeInteger(imagesBytes + sectionsBytes) &&
    slotCount <= CHECKPOINT_SLOTS_MAX;
  if (!plausible || incarnation === undefined) return undefined;
  const nonceAt = view.byteOffset + CHECKPOINT_NONCE_AT;
  return {
    incarnation,
    number,
    nonce: new Uint8Array(view.buffer.slice(nonceAt, nonceAt + TIER_NONCE_BYTES) as ArrayBuffer),
    imagesBytes,
    sectionsBytes,
    slotCount,
    indexCrc: view.getUint32(CHECKPOINT_INDEX_CRC_AT),
  };
}

const incarnationPattern = /^([0-9]{1,15}-[0-9a-f]{32})\0*$/;

function readIncarnation(view: DataView): IncarnationId | undefined {
  let text = "";
  for (let i = 0; i < CHECKPOINT_INCARNATION_BYTES; i++) {
    text += String.fromCharCode(view.getUint8(CHECKPOINT_INCARNATION_AT + i));
  }
  const found = incarnationPattern.exec(text)?.[1];
  return found === undefined ? undefined : incarnationId(found);
}
