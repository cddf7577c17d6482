import {
  CHECKPOINT_FOOTER_BYTES,
  type CheckpointFooter,
  type CheckpointSlot,
  decodeCheckpointFooter,
  decodeCheckpointIndex,
  decodeSlotSection,
  type PackedPart,
  type TierFault,
} from "@millrace/wire";
import { dumpImage } from "./dump-image.ts";
import type { Dump } from "./dumper.ts";
import { crcText, hexOf } from "./shown-bytes.ts";
import { partOf } from "./source.ts";

/**
 * A checkpoint: its index, the sections that lie in this object, and the images of its pack, found
 * as a reader finds them, through the sections.
 */
export function dumpCheckpoint(dump: Dump): void {
  const { report, source } = dump;
  const footer = readFooter(dump);
  if (typeof footer === "string") {
    return report.damage(Math.max(0, source.bytes - CHECKPOINT_FOOTER_BYTES), footer);
  }
  const { indexCrc, nonce, ...fields } = footer;
  report.line("checkpoint", { ...fields, indexCrc: crcText(indexCrc), nonce: hexOf(nonce) });
  const slots = readSlots(dump, footer);
  const parts: PackedPart[] = [];
  for (const line of slots) {
    report.count("slots");
    report.line("slot", { ...line, crc: crcText(line.crc) });
    if (line.checkpoint === footer.number) parts.push(...dumpSection(dump, line));
  }
  const own = parts.filter(({ checkpoint }) => checkpoint === footer.number);
  dumpPack(dump, own, footer.imagesBytes);
}

function readFooter({ crc32c, source }: Dump): CheckpointFooter | TierFault {
  const wanted = Math.min(CHECKPOINT_FOOTER_BYTES, source.bytes);
  const bytes = source.read(source.bytes - wanted, wanted);
  const decoded = decodeCheckpointFooter(bytes, { objectBytes: source.bytes, crc32c });
  if (decoded.kind === "ok") return decoded.footer;
  // A footer that says it is longer is of another version.
  return decoded.kind === "invalid" ? decoded.reason : "newerFormat";
}

/** The index's lines; none, and a damage, where it is not what was written. */
function readSlots(
  { crc32c, report, source }: Dump,
  { imagesBytes, sectionsBytes }: CheckpointFooter,
): readonly CheckpointSlot[] {
  const indexAt = imagesBytes + sectionsBytes;
  const bytes = source.read(indexAt, source.bytes - indexAt);
  const decoded = decodeCheckpointIndex(bytes, { objectBytes: source.bytes, crc32c });
  if (decoded.kind === "ok") return decoded.index.slots;
  report.damage(indexAt, decoded.kind === "invalid" ? decoded.reason : "otherLength");
  return [];
}

/** Returns the parts that the section names; none where it is damaged. */
function dumpSection({ crc32c, report, source }: Dump, line: CheckpointSlot): PackedPart[] {
  const bytes = source.read(line.position, line.bytes);
  const decoded = decodeSlotSection(bytes, line, crc32c);
  report.count("sections");
  if (decoded.kind === "invalid") {
    report.damage(line.position, `section of slot ${line.slot}: ${decoded.reason}`);
    return [];
  }
  const { epoch, partitions, slot } = decoded.section;
  report.line("section", { at: line.position, slot, epoch, partitions: partitions.length });
  return partitions.flatMap(({ partition, parts, topicId }) => {
    for (const { leaderEpochs, ...part } of parts) {
      const epochs = leaderEpochs.map(({ epoch: of, startOffset }) => [of, startOffset]);
      report.line("part", { topicId, partition, ...part, leaderEpochs: epochs });
    }
    return parts;
  });
}

/** The images that the sections name; together they fill the pack. */
function dumpPack(dump: Dump, parts: readonly PackedPart[], imagesBytes: number): void {
  const { report, source } = dump;
  let end = 0;
  for (const { bytes, position } of parts.toSorted((a, b) => a.position - b.position)) {
    if (position < end || position + bytes > imagesBytes) {
      return report.damage(position, "a part that is not in the pack, or lies over another");
    }
    if (position > end) report.line("unnamed", { at: end, bytes: position - end });
    dumpImage(dump, partOf(source, { from: position, bytes }));
    end = position + bytes;
  }
  if (end < imagesBytes) report.line("unnamed", { at: end, bytes: imagesBytes - end });
}
