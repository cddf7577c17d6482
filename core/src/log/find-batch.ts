import type { DiskFile } from "../ports/disk.ts";
import { batchCrcHolds } from "./batch-crc.ts";
import { viewOf } from "./batch-format.ts";
import { BatchScanner } from "./batch-scanner.ts";
import { writeInt64 } from "./int64.ts";
import { scanWindowBytes } from "./limits.ts";
import type { LogFiles } from "./log-files.ts";

/**
 * Where the batch begins that has this base offset, behind bytes that lead nowhere: its eight bytes
 * are looked for, and what follows them must be a whole batch with the CRC that it says. Undefined:
 * there is none. Reads all of the range where it finds nothing.
 */
export function findBatch(
  files: LogFiles,
  file: DiskFile,
  range: { readonly from: number; readonly end: number; readonly baseOffset: number },
): number | undefined {
  const { baseOffset, end } = range;
  const wanted = new Uint8Array(offsetBytes);
  writeInt64(viewOf(wanted), 0, baseOffset);
  const window = new Uint8Array(scanWindowBytes);
  // Windows overlap, so that an offset across the end of one is whole in the next.
  for (let from = range.from; from < end; from += window.length - offsetBytes + 1) {
    const bytes = file.read(from, window.subarray(0, Math.min(window.length, end - from)));
    const found = window.subarray(0, bytes);
    for (let at = indexOf(found, wanted, 0); at >= 0; at = indexOf(found, wanted, at + 1)) {
      if (isBatchAt(files, file, { position: from + at, end, baseOffset })) return from + at;
    }
  }
  return undefined;
}

const offsetBytes = 8;

function isBatchAt(
  files: LogFiles,
  file: DiskFile,
  place: { readonly position: number; readonly end: number; readonly baseOffset: number },
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
