import { valueBytesShownMax } from "../limits.ts";
import type { Fields } from "./report.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Bytes as the fields `{name}`, text where they are printable UTF-8, or `{name}Hex`, and
 * `{name}Bytes`, how many there are, where not all are shown.
 */
export function shownBytes(name: string, bytes: Uint8Array | null): Fields {
  if (bytes === null) return { [name]: null };
  const text = printable(bytes);
  const rest = bytes.length > valueBytesShownMax ? { [`${name}Bytes`]: bytes.length } : {};
  if (text !== undefined) return { [name]: text, ...rest };
  return { [`${name}Hex`]: hexOf(bytes.subarray(0, valueBytesShownMax)), ...rest };
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** A CRC-32C as eight hexadecimal digits. */
export function crcText(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}

/** Whether what is shown is text; a character that the limit cuts in two does not count. */
function printable(bytes: Uint8Array): string | undefined {
  let end = Math.min(bytes.length, valueBytesShownMax);
  // Back to where a character begins.
  if (end < bytes.length) while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  try {
    const text = utf8.decode(bytes.subarray(0, end));
    return /[^\P{Cc}\t\r\n]/u.test(text) ? undefined : text;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
