import type { DiskFile } from "../ports/disk.ts";
import type { BatchScanner } from "./batch-scanner.ts";
import { scanWindowBytes } from "./limits.ts";
import type { LogFiles } from "./log-files.ts";

/** Whether the scanner's current batch has the bytes that its CRC was computed from. */
export function batchCrcHolds(files: LogFiles, file: DiskFile, scanner: BatchScanner): boolean {
  const { format, crc32c } = files;
  const claimed = format.readCrc(scanner.view, scanner.at);
  const whole = scanner.bytesInWindow;
  if (whole !== undefined) return crc32c(whole.subarray(format.CRC_COVERS_FROM)) === claimed;
  // In pieces: the length is not to be trusted before the CRC is, so nothing is sized by it.
  const chunk = new Uint8Array(scanWindowBytes);
  const end = scanner.position + scanner.bytes;
  let crc = 0;
  let at = scanner.position + format.CRC_COVERS_FROM;
  while (at < end) {
    const into = chunk.subarray(0, Math.min(chunk.length, end - at));
    if (file.read(at, into) !== into.length) return false;
    crc = crc32c(into, crc);
    at += into.length;
  }
  return crc === claimed;
}
