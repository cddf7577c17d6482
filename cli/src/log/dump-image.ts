import {
  decodeImageFooter,
  decodeImageTail,
  IMAGE_FOOTER_BYTES,
  type ImageFooter,
  type ImageIndex,
  type ImageTail,
  type TierFault,
} from "@millrace/wire";
import { dumpBatches } from "./dump-batches.ts";
import { dumpProducers } from "./dump-states.ts";
import type { Dump } from "./dumper.ts";
import { crcText, hexOf } from "./shown-bytes.ts";
import type { Source } from "./source.ts";

/** An image: a cold segment, or one of a pack's. Its last bytes say what the rest is. */
export function dumpImage(dump: Dump, image: Source): void {
  const { report } = dump;
  const at = image.position;
  report.count("images");
  const footer = readFooter(dump, image);
  if (typeof footer === "string") {
    dumpUnexplained(dump, image);
    return report.damage(at + Math.max(0, image.bytes - IMAGE_FOOTER_BYTES), footer);
  }
  const { batchesCrc, nonce, sectionsCrc, ...fields } = footer;
  const crcs = { batchesCrc: crcText(batchesCrc), sectionsCrc: crcText(sectionsCrc) };
  report.line("image", { at, bytes: image.bytes, ...fields, ...crcs, nonce: hexOf(nonce) });
  const tail = readTail(dump, image, footer);
  if (typeof tail === "string") {
    dumpContents(dump, image, { footer });
    return report.damage(at + footer.batchesBytes, tail);
  }
  const { index, leaderEpochs, producers } = tail;
  dumpContents(dump, image, tail);
  for (let i = 0; i < index.length; i++) report.line("index", { ...index.entryAt(i) });
  for (const { epoch, startOffset } of leaderEpochs) report.line("epoch", { epoch, startOffset });
  const producersAt = at + footer.batchesBytes + footer.indexBytes + footer.leaderEpochsBytes;
  if (footer.producersBytes > 0) dumpProducers(report, producers, producersAt);
}

function readFooter({ crc32c }: Dump, image: Source): ImageFooter | TierFault {
  const wanted = Math.min(IMAGE_FOOTER_BYTES, image.bytes);
  const bytes = image.read(image.bytes - wanted, wanted);
  const decoded = decodeImageFooter(bytes, { objectBytes: image.bytes, crc32c });
  if (decoded.kind === "ok") return decoded.footer;
  // A footer that says it is longer is of another version.
  return decoded.kind === "invalid" ? decoded.reason : "newerFormat";
}

/** Everything between the batches and the end. */
function readTail(
  { crc32c }: Dump,
  image: Source,
  { batchesBytes }: ImageFooter,
): ImageTail | TierFault {
  const bytes = image.read(batchesBytes, image.bytes - batchesBytes);
  const decoded = decodeImageTail(bytes, { objectBytes: image.bytes, crc32c });
  if (decoded.kind === "ok") return decoded.tail;
  return decoded.kind === "invalid" ? decoded.reason : "otherLength";
}

/** The batches, checked against what is known of them. */
function dumpContents(
  dump: Dump,
  image: Source,
  { footer, index }: { readonly footer: ImageFooter; readonly index?: ImageIndex },
): void {
  const { crc32c, report } = dump;
  const { baseOffset, batchesBytes, nextOffset } = footer;
  const batches = { ...image, bytes: batchesBytes };
  let crc = 0;
  let position = 0;
  let entry = 0;
  for (const batch of dumpBatches(dump, batches)) {
    const at = image.position + batch.position;
    if (batch.baseOffset < baseOffset || batch.lastOffset >= nextOffset) {
      return report.damage(at, "outside-the-offsets-of-the-image");
    }
    const next = index?.entryAt(entry);
    if (next?.position === batch.position && next.baseOffset === batch.baseOffset) entry += 1;
    crc = crc32c(batch.bytes, crc);
    position = batch.position + batch.bytes.length;
  }
  // Of a batch that is damaged itself was told already.
  if (position < batchesBytes) return;
  if (crc !== footer.batchesCrc) report.damage(image.position, "bad-crc-of-the-batches");
  if (index !== undefined && entry !== index.length) {
    report.damage(image.position + batchesBytes, "an-index-entry-points-at-no-batch");
  }
}

/** Where the footer can't be read, the batches can, as far as they are recognised. */
function dumpUnexplained(dump: Dump, image: Source): void {
  for (const { bytes } of dumpBatches(dump, image, "unknown")) {
    dump.report.count("bytesOfBatches", bytes.length);
  }
}
