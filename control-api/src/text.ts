/** Bytes as text: base64 in the alphabet of URLs, without padding (RFC 4648, section 5). */
import { base64Bytes, base64Text } from "@millrace/core";

export function urlText(bytes: Uint8Array): string {
  return base64Text(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** `undefined`: the text is none that `urlText` makes. */
export function urlBytes(text: string): Uint8Array | undefined {
  const padded = text.padEnd(Math.ceil(text.length / 4) * 4, "=");
  const bytes = base64Bytes(padded.replaceAll("-", "+").replaceAll("_", "/"));
  return bytes !== undefined && urlText(bytes) === text ? bytes : undefined;
}
