import { type Crc32c } from "../crc32c.ts";
import { combineCrc32c } from "../crc32c-combine.ts";
import { readBatchBytes, readCrc } from "./batch.ts";
import { CRC_COVERS_FROM } from "./layout.ts";

/** Below it, reading the bytes again costs less than combining CRCs. */
const combinedBytesMin = 4096;

/**
 * The CRC-32C of whole batches, one after another, each of which has the CRC that its header says
 * (it was checked when the batch came): large ones are not read again for it.
 */
export function crcOfBatches(bytes: Uint8Array, crc32c: Crc32c): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let crc = 0;
  let readTo = 0;
  for (let at = 0, end = 0; at < bytes.length; at = end) {
    end = at + readBatchBytes(view, at);
    if (end - at < combinedBytesMin) continue;
    const covered = at + CRC_COVERS_FROM;
    crc = crc32c(bytes.subarray(readTo, covered), crc);
    crc = combineCrc32c(crc, readCrc(view, at), end - covered);
    readTo = end;
  }
  return readTo === bytes.length ? crc : crc32c(bytes.subarray(readTo), crc);
}
