import { assert } from "../assert.ts";
import { viewOf } from "./batch-format.ts";
import { cleanedOffsetName } from "./file-names.ts";
import { readInt64, writeInt64 } from "./int64.ts";
import type { LogFiles } from "./log-files.ts";

/**
 * The file `cleaned-offset`: up to where compaction has cleaned the log. It lies with the segments
 * that it tells of, and not in the metadata, because it is true of these files only: without them,
 * or without it, the log is dirty from its start, which costs one round and nothing else. So it is
 * not synced, and one that is damaged counts as absent.
 *
 * Layout, big endian: magic uint32, version uint32, offset int64, CRC-32C of those 16 bytes uint32.
 */
const magic = 0x4d524344;
const version = 1;
const fileBytes = 20;
const crcAt = 16;

/** Undefined: nobody knows. */
export function readCleanedOffset(files: CleanedOffsetFiles): number | undefined {
  const file = files.disk.open(`${files.directory}/${cleanedOffsetName}`, { create: "never" });
  if (file === undefined) return undefined;
  const bytes = new Uint8Array(fileBytes);
  const isWhole = file.read(0, bytes) === fileBytes;
  file.close();
  return isWhole ? decodeCleanedOffset(bytes, files.crc32c) : undefined;
}

/** To be called when the segments below `offset` have taken their places. */
export function writeCleanedOffset(files: CleanedOffsetFiles, offset: number): void {
  const { crc32c, directory, disk } = files;
  const bytes = new Uint8Array(fileBytes);
  const view = viewOf(bytes);
  view.setUint32(0, magic);
  view.setUint32(4, version);
  writeInt64(view, 8, offset);
  view.setUint32(crcAt, crc32c(bytes.subarray(0, crcAt)));
  const path = `${directory}/${cleanedOffsetName}`;
  const file = disk.open(`${path}.tmp`, { create: "ifAbsent" });
  assert(file !== undefined, "ifAbsent opens");
  try {
    file.resize(0);
    file.write(0, [bytes]);
  } finally {
    file.close();
  }
  disk.rename(`${path}.tmp`, path);
}

/**
 * To be called when a log was opened, or cut, that ends at `endOffset`: records that come there are new, and
 * what was cleaned before is not they. Whether the file is gone now.
 */
export function forgetCleanedAbove(endOffset: number, files: CleanedOffsetFiles): boolean {
  if ((readCleanedOffset(files) ?? 0) <= endOffset) return false;
  files.disk.remove(`${files.directory}/${cleanedOffsetName}`);
  return true;
}

/** Undefined for bytes that are no such file, or a damaged one. */
export function decodeCleanedOffset(
  bytes: Uint8Array,
  crc32c: CleanedOffsetFiles["crc32c"],
): number | undefined {
  if (bytes.length < fileBytes) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0) !== magic || view.getUint32(4) !== version) return undefined;
  if (view.getUint32(crcAt) !== crc32c(bytes.subarray(0, crcAt))) return undefined;
  const offset = readInt64(view, 8);
  return Number.isSafeInteger(offset) && offset >= 0 ? offset : undefined;
}

export type CleanedOffsetFiles = Pick<LogFiles, "disk" | "directory" | "crc32c">;
