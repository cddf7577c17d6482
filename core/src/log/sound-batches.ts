import { viewOf } from "./batch-format.ts";
import type { LogFiles } from "./log-files.ts";

type Soundness = Pick<LogFiles, "format" | "crc32c">;

/** Bytes of batches, and a view of them. */
interface Batches {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Whether what lies from `at` to `end` is a batch of the format, with the CRC that it says. */
export function isSound(files: Soundness, batches: Batches, at: number, end: number): boolean {
  const { crc32c, format } = files;
  const { bytes, view } = batches;
  if (format.readMagic(view, at) !== magic) return false;
  return crc32c(bytes.subarray(at + format.CRC_COVERS_FROM, end)) === format.readCrc(view, at);
}

/** How many of the bytes, from the first one on, are whole and sound batches. */
export function soundBytesOf(files: Soundness, bytes: Uint8Array): number {
  const { format } = files;
  const batches = { bytes, view: viewOf(bytes) };
  for (let at = 0; ; ) {
    if (bytes.length - at < format.BATCH_HEADER_BYTES) return at;
    const end = at + format.readBatchBytes(batches.view, at);
    if (end < at + format.BATCH_HEADER_BYTES || end > bytes.length) return at;
    if (!isSound(files, batches, at, end)) return at;
    at = end;
  }
}

const magic = 2;
