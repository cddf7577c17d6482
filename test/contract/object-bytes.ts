/** Objects' bytes, as the contract of object stores puts and finds them. */
import { expect } from "vitest";

/** Bytes that tell where they stand, and in which object. */
export function pattern(bytes: number, seed = 0): Uint8Array {
  const made = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 1) made[at] = at * 31 + (at >>> 8) * 7 + seed;
  return made;
}

/** The same bytes, so many from the beginning of their memory. */
export function shared(bytes: Uint8Array, from: number): Uint8Array {
  const made = new Uint8Array(new SharedArrayBuffer(from + bytes.length), from);
  made.set(bytes);
  return made;
}

export function text(found: Uint8Array | undefined): string | undefined {
  return found === undefined ? undefined : new TextDecoder().decode(found);
}

export const bytesOf = (letters: string): Uint8Array => new TextEncoder().encode(letters);

/** `toEqual` takes minutes for megabytes. */
export function expectSame(found: Uint8Array | undefined, expected: Uint8Array): void {
  expect(found?.length).toBe(expected.length);
  expect(Buffer.compare(found ?? new Uint8Array(), expected)).toBe(0);
}
