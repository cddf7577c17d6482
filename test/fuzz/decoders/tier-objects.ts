import { epoch, incarnationId, slot, topicId } from "@millrace/core";
import {
  buildBatch,
  type CheckpointSlot,
  crc32c,
  decodeCheckpointIndex,
  decodeImageTail,
  decodeSlotSection,
  encodeCheckpoint,
  encodeImageTail,
  encodeSlotSection,
  ImageIndexBuilder,
  type SlotSection,
} from "@millrace/wire";
import * as layout from "../../../wire/src/tier/layout.ts";
import type { Chance } from "../chance.ts";
import { joined } from "../mutate-bytes.ts";
import type { Decoder } from "./decoder.ts";

/** What lies in the object store: each is read as an object of the length that its bytes have. */
const text = new TextEncoder();
const topic = topicId("7b".repeat(16));
const nonce = new Uint8Array(layout.TIER_NONCE_BYTES).fill(3);
const baseOffset = 40;

function image(batchCount: number, valueBytes: number): Uint8Array {
  const index = new ImageIndexBuilder(baseOffset);
  const batches = Array.from({ length: batchCount }, (_, i) => {
    const value = text.encode("v".repeat(valueBytes));
    const at = { baseOffset: baseOffset + i, maxTimestamp: 1_700_000_000_000 + i };
    const record = { key: null, value, timestamp: at.maxTimestamp };
    const batch = buildBatch([record], { crc32c, baseOffset: at.baseOffset });
    index.add({ ...at, bytes: batch.length, lastOffset: at.baseOffset, recordCount: 1 });
    return batch;
  });
  const { batchesBytes, entries, maxTimestamp, maxTimestampOffset, nextOffset } = index;
  const fields = { topicId: topic, partition: 2, baseOffset, nextOffset, recordCount: batchCount };
  const leaderEpochs = [
    { epoch: 1, startOffset: baseOffset },
    { epoch: 4, startOffset: baseOffset + 1 },
  ];
  const sections = { index: entries, leaderEpochs, producers: new Uint8Array(9).fill(6) };
  const times = { maxTimestamp, maxTimestampOffset };
  const batchesCrc = crc32c(joined(...batches));
  const draft = { ...fields, ...sections, ...times, batchesBytes, batchesCrc, nonce };
  return joined(...batches, encodeImageTail(draft, crc32c));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A footer's end mark, length and CRC. */
function sealEnd(bytes: Uint8Array, magic: number, footerBytes: number): void {
  const view = viewOf(bytes);
  const end = bytes.length;
  view.setUint16(end - layout.END_FOOTER_BYTES_BEFORE, footerBytes);
  view.setUint32(end - layout.END_MAGIC_BEFORE, magic);
  const covered = bytes.subarray(end - footerBytes, end - layout.END_CRC_BEFORE);
  view.setUint32(end - layout.END_CRC_BEFORE, crc32c(covered));
}

/** Sometimes the batches' length too: then only what lies inside is wrong. */
function sealImage(bytes: Uint8Array, chance: Chance): void {
  const footerAt = bytes.length - layout.IMAGE_FOOTER_BYTES;
  if (footerAt < 0) return;
  const view = viewOf(bytes);
  const lengthsAt = [
    layout.IMAGE_INDEX_BYTES_AT,
    layout.IMAGE_EPOCHS_BYTES_AT,
    layout.IMAGE_PRODUCERS_BYTES_AT,
  ];
  let from = footerAt;
  for (const at of lengthsAt) from -= view.getUint32(footerAt + at);
  if (from >= 0) {
    if (chance.perThousand(800)) view.setUint32(footerAt + layout.IMAGE_BATCHES_BYTES_AT, from);
    const crc = crc32c(bytes.subarray(from, footerAt));
    view.setUint32(footerAt + layout.IMAGE_SECTIONS_CRC_AT, crc);
  }
  sealEnd(bytes, layout.IMAGE_MAGIC, layout.IMAGE_FOOTER_BYTES);
}

function readImage(bytes: Uint8Array): "value" | "refused" {
  const reading = { objectBytes: bytes.length, crc32c };
  const last = bytes.subarray(Math.max(0, bytes.length - layout.IMAGE_FOOTER_BYTES));
  const first = decodeImageTail(last, reading);
  const whole = decodeImageTail(bytes, reading);
  if (whole.kind === "short") throw new Error("the whole image is too short");
  if (first.kind === "ok" && whole.kind !== "ok") throw new Error("the footer was enough");
  if (first.kind === "short" && first.needBytes > bytes.length) {
    throw new Error(`${first.needBytes} bytes are asked for`);
  }
  if (whole.kind !== "ok") return "refused";
  const { footer, index } = whole.tail;
  for (const offset of [0, footer.baseOffset, footer.baseOffset + 2, footer.nextOffset]) {
    if (index.floorByOffset(offset) > footer.batchesBytes) throw new Error("outside the batches");
  }
  for (const timestamp of [-1, 0, footer.maxTimestamp]) {
    const from = index.floorByTimestamp(timestamp);
    if (index.nextAfter(from) > footer.batchesBytes) throw new Error("outside the batches");
  }
  return "value";
}

const sections: readonly SlotSection[] = [
  {
    slot: slot(3),
    epoch: epoch(2),
    partitions: [1, 2].map((partition) => ({
      topicId: topic,
      partition,
      parts: [4, 9].map((checkpoint, i) => ({
        ...{ checkpoint, position: 700 * i, bytes: 700, batchesBytes: 500, maxTimestamp: 6 },
        ...{ baseOffset: 10 * i, nextOffset: 10 * i + 10 },
        leaderEpochs: [{ epoch: 1, startOffset: 10 * i }],
      })),
    })),
  },
  { slot: slot(1000), epoch: epoch(7), partitions: [] },
];

function checkpoint(): Uint8Array {
  const place = { checkpoint: 4, position: 80, bytes: 90, crc: 5 };
  const encoded = sections.map((section) => ({
    slot: section.slot,
    epoch: section.epoch,
    bytes: encodeSlotSection(section),
  }));
  const draft = {
    incarnation: incarnationId(`3-${"5a".repeat(16)}`),
    ...{ number: 9, nonce, imageParts: [image(1, 5)], sections: encoded },
    carried: [{ slot: slot(8), epoch: epoch(1), ...place }],
  };
  return joined(...encodeCheckpoint(draft, crc32c).parts);
}

function sealCheckpoint(bytes: Uint8Array, chance: Chance): void {
  const footerAt = bytes.length - layout.CHECKPOINT_FOOTER_BYTES;
  if (footerAt < 0) return;
  const view = viewOf(bytes);
  const slotCount = view.getUint32(footerAt + layout.CHECKPOINT_SLOT_COUNT_AT);
  const indexAt = footerAt - slotCount * layout.SLOT_ENTRY_BYTES;
  if (indexAt >= 0) {
    const sectionsBytes = view.getUint32(footerAt + layout.CHECKPOINT_SECTIONS_BYTES_AT + 4);
    const rest = indexAt - sectionsBytes;
    const imagesAt = footerAt + layout.CHECKPOINT_IMAGES_BYTES_AT + 4;
    if (rest >= 0 && chance.perThousand(800)) view.setUint32(imagesAt, rest);
    const crc = crc32c(bytes.subarray(indexAt, footerAt));
    view.setUint32(footerAt + layout.CHECKPOINT_INDEX_CRC_AT, crc);
  }
  sealEnd(bytes, layout.CHECKPOINT_MAGIC, layout.CHECKPOINT_FOOTER_BYTES);
}

function readCheckpoint(bytes: Uint8Array): "value" | "refused" {
  const decoded = decodeCheckpointIndex(bytes, { objectBytes: bytes.length, crc32c });
  if (decoded.kind === "short") throw new Error("the whole checkpoint is too short");
  if (decoded.kind !== "ok") return "refused";
  const { footer, slots } = decoded.index;
  for (const line of slots.filter(({ checkpoint: number }) => number === footer.number)) {
    const end = line.position + line.bytes;
    if (end > bytes.length) throw new Error("a section outside the object");
    decodeSlotSection(bytes.subarray(line.position, end), line, crc32c);
  }
  return "value";
}

/** As an index would name these bytes, so that what lies behind the CRC is reached. */
function readSection(bytes: Uint8Array): "value" | "refused" {
  if (bytes.length < layout.SECTION_HEADER_BYTES) return "refused";
  const view = viewOf(bytes);
  const line: CheckpointSlot = {
    slot: slot(view.getInt32(layout.SECTION_SLOT_AT) & 0x7fffffff),
    epoch: epoch(view.getInt32(layout.SECTION_EPOCH_AT) & 0x7fffffff),
    ...{ checkpoint: 9, position: 0, bytes: bytes.length, crc: crc32c(bytes) },
  };
  return decodeSlotSection(bytes, line, crc32c).kind === "ok" ? "value" : "refused";
}

export function tierObjectDecoders(): readonly Decoder[] {
  return [
    {
      name: "image",
      samples: [image(1, 3), image(3, 20_000), image(0, 0)],
      read: readImage,
      seal: sealImage,
    },
    {
      name: "checkpoint",
      samples: [checkpoint()],
      read: readCheckpoint,
      seal: sealCheckpoint,
    },
    { name: "slot section", samples: sections.map(encodeSlotSection), read: readSection },
  ];
}
