import { topicId } from "@millrace/core";
import { readHex16 } from "../journal/hex.ts";
import { readInt64 } from "../record/int64.ts";
import { invalid, openFooter } from "./footer-end.ts";
import type { InvalidTierObject, ShortTierObject, TierReading } from "./footer-end.ts";
import { ImageIndex } from "./image-index.ts";
import type { ImageFooter, ImageTail } from "./image.ts";
import {
  EPOCH_ENTRY_BYTES,
  IMAGE_BASE_OFFSET_AT,
  IMAGE_BATCHES_BYTES_AT,
  IMAGE_BATCHES_BYTES_MAX,
  IMAGE_BATCHES_CRC_AT,
  IMAGE_EPOCHS_BYTES_AT,
  IMAGE_FOOTER_BYTES,
  IMAGE_INDEX_BYTES_AT,
  IMAGE_MAGIC,
  IMAGE_MAX_TIMESTAMP_AT,
  IMAGE_MAX_TIMESTAMP_OFFSET_AT,
  IMAGE_NEXT_OFFSET_AT,
  IMAGE_NONCE_AT,
  IMAGE_PARTITION_AT,
  IMAGE_PRODUCERS_BYTES_AT,
  IMAGE_RECORD_COUNT_AT,
  IMAGE_SECTIONS_CRC_AT,
  IMAGE_TAIL_BYTES_MAX,
  IMAGE_TOPIC_ID_AT,
  TIER_NONCE_BYTES,
} from "./layout.ts";
import { readPartEpochs } from "./part-epochs.ts";

/**
 * Reads the footer of an image from the image's last bytes. `needBytes` is the footer's length; the
 * lengths that `ok` returns are within bounds and add up to the image's.
 */
export function decodeImageFooter(
  bytes: Uint8Array,
  reading: TierReading,
): { readonly kind: "ok"; readonly footer: ImageFooter } | ShortTierObject | InvalidTierObject {
  const kind = { magic: IMAGE_MAGIC, footerBytes: IMAGE_FOOTER_BYTES };
  const opened = openFooter(bytes, kind, reading);
  if (opened.kind !== "ok") return opened;
  const footer = readFooter(opened.footer);
  if (footer === undefined) return invalid("footerDamaged");
  if (footer.batchesBytes + tailBytes(footer) !== reading.objectBytes) {
    return invalid("otherLength");
  }
  return { kind: "ok", footer };
}

/**
 * Reads all of an image but its batches from the image's last bytes, and checks every byte of it.
 * `short` says how many of the last bytes it needs; with the whole image it is never said.
 * Allocates by the length of `bytes`, never by a length that was read.
 */
export function decodeImageTail(
  bytes: Uint8Array,
  reading: TierReading,
): { readonly kind: "ok"; readonly tail: ImageTail } | ShortTierObject | InvalidTierObject {
  const decoded = decodeImageFooter(bytes, reading);
  if (decoded.kind !== "ok") return decoded;
  const { footer } = decoded;
  const needBytes = tailBytes(footer);
  if (bytes.length < needBytes) return { kind: "short", needBytes };
  // A copy: the tail outlives the bytes it came in, which are many more as a rule.
  const from = bytes.length - needBytes;
  const sections = bytes.slice(from, bytes.length - IMAGE_FOOTER_BYTES);
  if (reading.crc32c(sections) !== footer.sectionsCrc) return invalid("sectionsDamaged");
  const epochsAt = footer.indexBytes;
  const producersAt = epochsAt + footer.leaderEpochsBytes;
  const index = ImageIndex.of(sections.subarray(0, epochsAt), footer);
  const epochCount = footer.leaderEpochsBytes / EPOCH_ENTRY_BYTES;
  const leaderEpochs = readPartEpochs(new DataView(sections.buffer), epochsAt, epochCount);
  if (index === undefined || leaderEpochs === undefined) return invalid("sectionsDamaged");
  const producers = sections.subarray(producersAt);
  return { kind: "ok", tail: { footer, index, leaderEpochs, producers } };
}

function tailBytes(footer: ImageFooter): number {
  const { indexBytes, leaderEpochsBytes, producersBytes } = footer;
  return indexBytes + leaderEpochsBytes + producersBytes + IMAGE_FOOTER_BYTES;
}

/**
 * undefined for what no writer of this format writes: CRCs guard against damage, not against bugs.
 */
function readFooter(view: DataView): ImageFooter | undefined {
  const idHex = readHex16(view, IMAGE_TOPIC_ID_AT);
  if (!/[1-9a-f]/.test(idHex)) return undefined;
  const nonceAt = view.byteOffset + IMAGE_NONCE_AT;
  const footer: ImageFooter = {
    topicId: topicId(idHex),
    partition: view.getInt32(IMAGE_PARTITION_AT),
    batchesBytes: view.getUint32(IMAGE_BATCHES_BYTES_AT),
    baseOffset: readInt64(view, IMAGE_BASE_OFFSET_AT),
    nextOffset: readInt64(view, IMAGE_NEXT_OFFSET_AT),
    maxTimestamp: readInt64(view, IMAGE_MAX_TIMESTAMP_AT),
    maxTimestampOffset: readInt64(view, IMAGE_MAX_TIMESTAMP_OFFSET_AT),
    recordCount: readInt64(view, IMAGE_RECORD_COUNT_AT),
    indexBytes: view.getUint32(IMAGE_INDEX_BYTES_AT),
    leaderEpochsBytes: view.getUint32(IMAGE_EPOCHS_BYTES_AT),
    producersBytes: view.getUint32(IMAGE_PRODUCERS_BYTES_AT),
    batchesCrc: view.getUint32(IMAGE_BATCHES_CRC_AT),
    sectionsCrc: view.getUint32(IMAGE_SECTIONS_CRC_AT),
    nonce: new Uint8Array(view.buffer.slice(nonceAt, nonceAt + TIER_NONCE_BYTES) as ArrayBuffer),
  };
  return isPlausible(footer) ? footer : undefined;
}

function isPlausible(footer: ImageFooter): boolean {
  const { baseOffset, nextOffset, maxTimestamp, maxTimestampOffset } = footer;
  const hasTimestamp = maxTimestampOffset >= baseOffset && maxTimestampOffset < nextOffset;
  return (
    footer.partition >= 0 &&
    baseOffset >= 0 &&
    nextOffset >= baseOffset &&
    Number.isSafeInteger(nextOffset) &&
    Number.isSafeInteger(maxTimestamp) &&
    (hasTimestamp || maxTimestampOffset === -1) &&
    footer.recordCount >= 0 &&
    Number.isSafeInteger(footer.recordCount) &&
    footer.batchesBytes <= IMAGE_BATCHES_BYTES_MAX &&
    footer.leaderEpochsBytes % EPOCH_ENTRY_BYTES === 0 &&
    tailBytes(footer) <= IMAGE_TAIL_BYTES_MAX
  );
}
