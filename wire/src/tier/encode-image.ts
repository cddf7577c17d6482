import type { Crc32c } from "../crc32c.ts";
import { writeHex16 } from "../journal/hex.ts";
import { writeInt64 } from "../record/int64.ts";
import { sealFooter } from "./footer-end.ts";
import { writeImageIndex } from "./image-index.ts";
import type { ImageDraft } from "./image.ts";
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
  INDEX_ENTRY_BYTES,
  TIER_NONCE_BYTES,
} from "./layout.ts";
import { writePartEpochs } from "./part-epochs.ts";

/** Bytes that follow an image's batches. */
export function imageTailBytes(draft: {
  readonly index: readonly unknown[];
  readonly leaderEpochs: readonly unknown[];
  readonly producers: Uint8Array;
}): number {
  const { index, leaderEpochs, producers } = draft;
  const entries = index.length * INDEX_ENTRY_BYTES + leaderEpochs.length * EPOCH_ENTRY_BYTES;
  return entries + producers.length + IMAGE_FOOTER_BYTES;
}

/**
 * The bytes that follow an image's batches: index, leader epochs, producers, footer. The batches
 * are not copied: the image is `[...batches, tail]`. Throws RangeError for more than the format can
 * carry, which the caller's limits rule out.
 */
export function encodeImageTail(draft: ImageDraft, crc32c: Crc32c): Uint8Array {
  const { index, leaderEpochs, producers, batchesBytes, nonce } = draft;
  const tailBytes = imageTailBytes(draft);
  if (batchesBytes > IMAGE_BATCHES_BYTES_MAX || tailBytes > IMAGE_TAIL_BYTES_MAX) {
    throw new RangeError(`image too long: ${batchesBytes} and ${tailBytes} bytes`);
  }
  if (nonce.length !== TIER_NONCE_BYTES) throw new RangeError("a nonce has 16 bytes");
  const tail = new Uint8Array(tailBytes);
  const view = new DataView(tail.buffer);
  const epochsAt = index.length * INDEX_ENTRY_BYTES;
  const producersAt = epochsAt + leaderEpochs.length * EPOCH_ENTRY_BYTES;
  const footerAt = producersAt + producers.length;
  writeImageIndex(view, 0, { baseOffset: draft.baseOffset, entries: index });
  writePartEpochs(view, epochsAt, leaderEpochs);
  tail.set(producers, producersAt);
  view.setUint32(footerAt + IMAGE_INDEX_BYTES_AT, epochsAt);
  view.setUint32(footerAt + IMAGE_EPOCHS_BYTES_AT, producersAt - epochsAt);
  view.setUint32(footerAt + IMAGE_PRODUCERS_BYTES_AT, producers.length);
  view.setUint32(footerAt + IMAGE_SECTIONS_CRC_AT, crc32c(tail.subarray(0, footerAt)));
  writeFields(view, footerAt, draft);
  const footer = tail.subarray(footerAt);
  footer.set(nonce, IMAGE_NONCE_AT);
  sealFooter(footer, IMAGE_MAGIC, crc32c);
  return tail;
}

function writeFields(view: DataView, at: number, draft: ImageDraft): void {
  writeHex16(view, at + IMAGE_TOPIC_ID_AT, draft.topicId);
  view.setInt32(at + IMAGE_PARTITION_AT, draft.partition);
  view.setUint32(at + IMAGE_BATCHES_BYTES_AT, draft.batchesBytes);
  view.setUint32(at + IMAGE_BATCHES_CRC_AT, draft.batchesCrc);
  writeInt64(view, at + IMAGE_BASE_OFFSET_AT, draft.baseOffset);
  writeInt64(view, at + IMAGE_NEXT_OFFSET_AT, draft.nextOffset);
  writeInt64(view, at + IMAGE_MAX_TIMESTAMP_AT, draft.maxTimestamp);
  writeInt64(view, at + IMAGE_MAX_TIMESTAMP_OFFSET_AT, draft.maxTimestampOffset);
  writeInt64(view, at + IMAGE_RECORD_COUNT_AT, draft.recordCount);
}
