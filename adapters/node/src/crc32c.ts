import { crc32c as nativeCrc32c } from "@node-rs/crc32";
import { type Crc32c, crc32c as jsCrc32c } from "@millrace/wire";

/** From this size on the native function is faster, the cost of calling it included. */
const NATIVE_BYTES_MIN = 200;

/** CRC-32C with the processor's own instructions for all but short inputs. */
export const crc32c: Crc32c = (bytes: Uint8Array, initial = 0): number =>
  bytes.length < NATIVE_BYTES_MIN ? jsCrc32c(bytes, initial) : nativeCrc32c(bytes, initial);
