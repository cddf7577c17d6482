/** UTF-8 (RFC 3629) and base64 (RFC 4648) of the short texts that logins consist of. */

/** An unpaired surrogate becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  // A UTF-16 unit takes three bytes at most: a pair of them takes four.
  const bytes = new Uint8Array(text.length * 3);
  let end = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = scalar(text.codePointAt(at) ?? 0);
    if (code >= 0x10000) at += 1;
    end = addCode(bytes, end, code);
  }
  return bytes.slice(0, end);
}

/** Returns where the code's bytes end. */
function addCode(bytes: Uint8Array, at: number, code: number): number {
  let end = at;
  if (code < 0x80) bytes[end++] = code;
  else if (code < 0x800) bytes[end++] = 0xc0 | (code >> 6);
  else if (code < 0x10000) bytes[end++] = 0xe0 | (code >> 12);
  else bytes[end++] = 0xf0 | (code >> 18);
  if (code >= 0x10000) bytes[end++] = tail(code >> 12);
  if (code >= 0x800) bytes[end++] = tail(code >> 6);
  if (code >= 0x80) bytes[end++] = tail(code);
  return end;
}

/** Characters that become text in one call: one call for each takes ten times as long. */
const codesPerCall = 4_096;

/** `undefined`: the bytes are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  let text = "";
  let codes: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at] ?? 0;
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    const code = length === 1 ? first : longCode(bytes, at, length);
    if (code === undefined) return undefined;
    codes.push(code);
    at += length;
    if (codes.length < codesPerCall) continue;
    text += String.fromCodePoint(...codes);
    codes = [];
  }
  return text + String.fromCodePoint(...codes);
}

function longCode(bytes: Uint8Array, at: number, length: number): number | undefined {
  const first = bytes[at] ?? 0;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return undefined;
  let code = first & (0x7f >> length);
  for (let i = 1; i < length; i += 1) {
    const next = bytes[at + i] ?? 0;
    if (next >> 6 !== 0b10) return undefined;
    code = (code << 6) | (next & 0x3f);
  }
  const shortest = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000;
  const isScalar = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return code >= shortest && isScalar ? code : undefined;
}

function scalar(code: number): number {
  return code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
}

function tail(code: number): number {
  return 0x80 | (code & 0x3f);
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** With padding. */
export function base64Text(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const word = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += digit(word >> 18) + digit(word >> 12);
    text += left > 1 ? digit(word >> 6) : "=";
    text += left > 2 ? digit(word) : "=";
  }
  return text;
}

/** `undefined`: the text is not base64 with its padding. */
export function base64Bytes(text: string): Uint8Array | undefined {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  // A pattern of the whole would remember each of its steps: long texts would exhaust the stack.
  const isIt =
    text.length % 4 === 0 && !/[^A-Za-z0-9+/]/u.test(text.slice(0, text.length - padding));
  if (!isIt) return undefined;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let at = 0, to = 0; at < text.length; at += 4, to += 3) {
    let word = 0;
    for (let i = 0; i < 4; i += 1) word = (word << 6) | valueOf(text[at + i] ?? "=");
    for (let i = 0; i < 3 && to + i < bytes.length; i += 1) bytes[to + i] = word >> (16 - 8 * i);
  }
  return bytes;
}

/** Of padding, 0. */
function valueOf(character: string): number {
  return Math.max(0, alphabet.indexOf(character));
}

function digit(value: number): string {
  return alphabet[value & 63] ?? "";
}

/** In a time that says nothing about where they differ; lengths are no secret. */
export function isSameSecret(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let i = 0; i < left.length; i += 1) difference |= (left[i] ?? 0) ^ (right[i] ?? 0);
  return difference === 0;
}
