import type { DiskFile } from "../ports/disk.ts";
import { batchCrcHolds } from "./batch-crc.ts";
import { viewOf } from "./batch-format.ts";
import { BatchScanner } from "./batch-scanner.ts";
import { writeInt64 } from "./int64.ts";
import { scanWindowBytes, segmentSpanMax } from "./limits.ts";
import type { LogFiles } from "./log-files.ts";

export interface FoundBatch {
  readonly position: number;
  readonly baseOffset: number;
}

/** Bytes of a file, and an offset that is looked for in them. */
export interface SearchedRange {
  readonly from: number;
  readonly end: number;
  readonly baseOffset: number;
}

/**
 * Where the batch begins that has this base offset, behind bytes that lead nowhere: its eight bytes
 * are looked for, and what follows them must be a whole batch with the CRC that it says. Undefined:
 * there is none. Reads all of the range where it finds nothing.
 */
export function findBatch(
  files: LogFiles,
  file: DiskFile,
  range: SearchedRange,
): FoundBatch | undefined {
  const { baseOffset, end } = range;
  const wanted = new Uint8Array(offsetBytes);
  writeInt64(viewOf(wanted), 0, baseOffset);
  const window = new Uint8Array(scanWindowBytes);
  // Windows overlap, so that an offset across the end of one is whole in the next.
  for (let from = range.from; from < end; from += window.length - offsetBytes + 1) {
    const bytes = file.read(from, window.subarray(0, Math.min(window.length, end - from)));
    const found = window.subarray(0, bytes);
    for (let at = indexOf(found, wanted, 0); at >= 0; at = indexOf(found, wanted, at + 1)) {
      const place = { position: from + at, baseOffset };
      if (isBatchAt(files, file, { ...place, end })) return place;
    }
  }
  return undefined;
}

const offsetBytes = 8;

/**
 * As findBatch, in bytes that compaction may have been over: where it left nothing of that offset,
 * the first batch behind it. Since a record's value may look like one, it must be the first of
 * batches that follow each other up to the end.
 */
export function findBatchFrom(
  files: LogFiles,
  file: DiskFile,
  range: SearchedRange,
): FoundBatch | undefined {
  const exact = findBatch(files, file, range);
  if (exact !== undefined) return exact;
  const { format } = files;
  const { baseOffset: least, end } = range;
  const window = new Uint8Array(scanWindowBytes);
  const view = viewOf(window);
  const header = format.BATCH_HEADER_BYTES;
  for (let from = range.from; from + header <= end; from += window.length - header + 1) {
    const bytes = file.read(from, window.subarray(0, Math.min(window.length, end - from)));
    const found = window.subarray(0, bytes - header + 1 + magicAt);
    for (let at = found.indexOf(magic, magicAt); at >= 0; at = found.indexOf(magic, at + 1)) {
      const baseOffset = format.readBaseOffset(view, at - magicAt);
      if (baseOffset < least || baseOffset > least + segmentSpanMax) continue;
      const place = { position: from + at - magicAt, baseOffset };
      if (leadsToEnd(files, file, { ...place, end })) return place;
    }
  }
  return undefined;
}

/** Where a batch has its magic, and what it is. */
const magicAt = 16;
const magic = 2;

function leadsToEnd(
  files: LogFiles,
  file: DiskFile,
  place: FoundBatch & { readonly end: number },
): boolean {
  if (!isBatchAt(files, file, place)) return false;
  const range = { from: place.position, end: place.end, read: "headers" } as const;
  const scanner = new BatchScanner(file, files.format, range);
  let { baseOffset: due } = place;
  let step = scanner.next();
  for (; step === "batch" && scanner.baseOffset >= due; step = scanner.next()) {
    due = scanner.lastOffset + 1;
  }
  return step === "end";
}

function isBatchAt(
  files: LogFiles,
  file: DiskFile,
  place: FoundBatch & { readonly end: number },
): boolean {
  const { baseOffset, end, position: from } = place;
  const scanner = new BatchScanner(file, files.format, { from, end, read: "headers" });
  if (scanner.next() !== "batch" || scanner.baseOffset !== baseOffset) return false;
  return batchCrcHolds(files, file, scanner);
}

/** Where the bytes come first at or after `from`; -1: nowhere. */
function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  // Most bytes of an offset are zeros, and so are most of what a power loss leaves.
  const rareAt = Math.max(
    0,
    wanted.findLastIndex((byte) => byte !== 0),
  );
  const rare = wanted[rareAt] ?? 0;
  for (let at = bytes.indexOf(rare, from + rareAt); at >= 0; at = bytes.indexOf(rare, at + 1)) {
    const begin = at - rareAt;
    if (wanted.every((byte, i) => bytes[begin + i] === byte)) return begin;
  }
  return -1;
}
