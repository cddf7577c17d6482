import type { Checksum } from "./batch-format.ts";
import { viewOf } from "./batch-format.ts";
import { readInt64, writeInt64 } from "./int64.ts";

/** How the bytes of both index files read; segment-index.ts says how they are laid out. */
export interface IndexPoint {
  /** Of the batch, absolute. */
  readonly baseOffset: number;
  /** Of the batch, in bytes from the segment's start. */
  readonly position: number;
  /** Of all batches before it in the segment; -1: none has one. */
  readonly maxTimestampBefore: number;
  /** The base offset of the first batch that has it; -1: none. */
  readonly maxTimestampBatchOffset: number;
}

export const indexHeaderBytes = 16;
export const offsetEntryBytes = 8;
export const timeEntryBytes = 16;
export const offsetIndexMagic = 0x4d524f49;
export const timeIndexMagic = 0x4d525449;
/** By magic. Time entries of version 1 are not bound to their batch: they are made again. */
export const indexVersions: ReadonlyMap<number, number> = new Map([
  [offsetIndexMagic, 1],
  [timeIndexMagic, 2],
]);
export const noRelativeOffset = 0xffffffff;

/** Whose index it is, and what the CRCs of its time entries begin with. */
export interface IndexSegment {
  readonly baseOffset: number;
  readonly crc32c: Checksum;
  readonly seed: number;
}

export function indexSegment(baseOffset: number, crc32c: Checksum): IndexSegment {
  const bytes = new Uint8Array(8);
  writeInt64(viewOf(bytes), 0, baseOffset);
  return { baseOffset, crc32c, seed: crc32c(bytes) };
}

/** What a file's first 16 bytes say; undefined: no header of this kind, of whatever version. */
export function decodeIndexHeader(
  bytes: Uint8Array,
  magic: number,
): { readonly version: number; readonly baseOffset: number } | undefined {
  if (bytes.length < indexHeaderBytes) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0) !== magic) return undefined;
  return { version: view.getUint32(4), baseOffset: readInt64(view, 8) };
}

/**
 * What the entries of one number in both files, 8 and 16 bytes, say; `damaged` when the CRC that
 * binds them does not hold.
 */
export function decodeIndexPoint(
  offsetEntry: Uint8Array,
  timeEntry: Uint8Array,
  segment: IndexSegment,
): IndexPoint | "damaged" {
  const { baseOffset, crc32c, seed } = segment;
  const times = viewOf(timeEntry);
  const crc = crc32c(timeEntry.subarray(0, timeEntryBytes - 4), crc32c(offsetEntry, seed));
  if (crc !== times.getUint32(12)) return "damaged";
  const offsets = viewOf(offsetEntry);
  const maxRelative = times.getUint32(8);
  return {
    baseOffset: baseOffset + offsets.getUint32(0),
    position: offsets.getUint32(4),
    maxTimestampBefore: readInt64(times, 0),
    maxTimestampBatchOffset: maxRelative === noRelativeOffset ? -1 : baseOffset + maxRelative,
  };
}
