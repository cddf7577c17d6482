/**
 * The bytes that a text takes within JSON in UTF-8 (RFC 8259), without its quotes: up to six for a
 * control character. What users name and send is stored so, and an item has a bound.
 */
export function jsonTextBytes(text: string): number {
  if (plain.test(text)) return text.length;
  let bytes = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) bytes += asciiBytes(unit);
    else if (unit < 0x800) bytes += 2;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 3;
    else if (isPair(text, at)) {
      bytes += 4;
      at += 1;
    } else bytes += escapeBytes;
  }
  return bytes;
}

/** Nearly every text: each character is one byte. */
const plain = /^[ !#-[\]-~]*$/;
/** `\u0001`, and so an unpaired surrogate. */
const escapeBytes = 6;
const shortEscapes = new Set(
  ['"', "\\", "\b", "\t", "\n", "\f", "\r"].map((one) => one.charCodeAt(0)),
);

function asciiBytes(unit: number): number {
  if (shortEscapes.has(unit)) return 2;
  return unit < 0x20 ? escapeBytes : 1;
}

function isPair(text: string, at: number): boolean {
  const [high, low] = [text.charCodeAt(at), text.charCodeAt(at + 1)];
  return high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff;
}
