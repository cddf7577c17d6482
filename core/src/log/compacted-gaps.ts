import { assert } from "../assert.ts";
import { DiskError } from "../ports/disk.ts";
import { viewOf } from "./batch-format.ts";
import { compactedGapsName } from "./file-names.ts";
import { readInt64, writeInt64 } from "./int64.ts";
import type { LogFiles } from "./log-files.ts";

/**
 * The file `compacted-gaps`: where compaction left nothing between a segment's last batch and the
 * next segment. Else a start could not tell such a gap from a file that is missing.
 *
 * A gap says that no reader misses these offsets, which stays true of a log as long as it does not
 * give them to other records, whichever of its files are there. So an entry too many does no harm,
 * and one too few, or a damaged file, costs hot copies that the object store has as well, and never
 * a record. Gaps are written, and synced, before the segment that ends in one counts.
 *
 * Layout, big endian: magic uint32, version uint32, then from and to of each gap, int64 both, and
 * the CRC-32C of all that uint32.
 */
export interface CompactedGap {
  readonly from: number;
  /** Exclusive: a segment begins here. */
  readonly to: number;
}

const magic = 0x4d524347;
const version = 1;
const gapsAt = 8;
const gapBytes = 16;
const crcBytes = 4;

/** None where the file is of no use. */
export function readCompactedGaps(files: CompactedGapsFiles): readonly CompactedGap[] {
  try {
    return tryRead(files);
  } catch (error) {
    if (error instanceof DiskError) return [];
    throw error;
  }
}

function tryRead({ crc32c, directory, disk }: CompactedGapsFiles): readonly CompactedGap[] {
  const file = disk.open(`${directory}/${compactedGapsName}`, { create: "never" });
  if (file === undefined) return [];
  try {
    const bytes = new Uint8Array(file.size());
    const isWhole = file.read(0, bytes) === bytes.length;
    return (isWhole ? decodeCompactedGaps(bytes, crc32c) : undefined) ?? [];
  } finally {
    file.close();
  }
}

/** Whether compaction left nothing of all offsets in the range. */
export function isCompactedAway(gaps: readonly CompactedGap[], range: CompactedGap): boolean {
  let { from } = range;
  for (const gap of gaps.toSorted((a, b) => a.from - b.from)) {
    if (gap.from <= from) from = Math.max(from, gap.to);
  }
  return from >= range.to;
}

/**
 * To be called when a log was opened that ends at `endOffset`: offsets from there on are given to
 * new records, so that what is told of them is true no longer.
 */
export function forgetGapsFrom(endOffset: number, files: CompactedGapsFiles): void {
  const isTrue = readCompactedGaps(files).every(({ to }) => to <= endOffset);
  if (!isTrue) files.disk.remove(`${files.directory}/${compactedGapsName}`);
}

/**
 * Puts a file with these gaps in the place of the one there is, unless `isStopped` by the time that
 * it is durable. Rejects with a DiskError; the old one is then still there.
 */
export async function writeCompactedGaps(
  files: CompactedGapsFiles,
  gaps: readonly CompactedGap[],
  isStopped: () => boolean,
): Promise<void> {
  const { crc32c, directory, disk } = files;
  const path = `${directory}/${compactedGapsName}`;
  const file = disk.open(`${path}.tmp`, { create: "ifAbsent" });
  assert(file !== undefined, "ifAbsent opens");
  try {
    file.resize(0);
    file.write(0, [encode(gaps, crc32c)]);
    await file.sync();
  } finally {
    file.close();
  }
  if (!isStopped()) disk.rename(`${path}.tmp`, path);
}

function encode(gaps: readonly CompactedGap[], crc32c: LogFiles["crc32c"]): Uint8Array {
  const crcAt = gapsAt + gaps.length * gapBytes;
  const bytes = new Uint8Array(crcAt + crcBytes);
  const view = viewOf(bytes);
  view.setUint32(0, magic);
  view.setUint32(4, version);
  for (const [i, { from, to }] of gaps.entries()) {
    writeInt64(view, gapsAt + i * gapBytes, from);
    writeInt64(view, gapsAt + i * gapBytes + 8, to);
  }
  view.setUint32(crcAt, crc32c(bytes.subarray(0, crcAt)));
  return bytes;
}

/** Undefined for bytes that are no such file, or a damaged one. */
export function decodeCompactedGaps(
  bytes: Uint8Array,
  crc32c: LogFiles["crc32c"],
): readonly CompactedGap[] | undefined {
  const crcAt = bytes.length - crcBytes;
  if (crcAt < gapsAt || (crcAt - gapsAt) % gapBytes !== 0) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0) !== magic || view.getUint32(4) !== version) return undefined;
  if (view.getUint32(crcAt) !== crc32c(bytes.subarray(0, crcAt))) return undefined;
  const gaps: CompactedGap[] = [];
  for (let at = gapsAt; at < crcAt; at += gapBytes) {
    gaps.push({ from: readInt64(view, at), to: readInt64(view, at + 8) });
  }
  return gaps;
}

export type CompactedGapsFiles = Pick<LogFiles, "disk" | "directory" | "crc32c">;
