import { assert } from "../assert.ts";
import { type ObjectListing, type ObjectRange, objectKeyBytesMax } from "./object-store.ts";

/**
 * The rules of ObjectStore that every adapter holds in the same way. Each throws on a bug of the
 * caller.
 *
 * No key is a folder of another: with `a/b` there, `a` and `a/b/c` are refused with an ObjectError
 * that is not retriable, or, by stores that have no folders, accepted.
 */

/** A page's most objects: S3's limit, held by every adapter. */
export const objectPageMax = 1000;
/** A segment's most bytes: what file systems take for a name. */
export const objectKeySegmentBytesMax = 255;

const segment = "[A-Za-z0-9._=-]+";
const keyPattern = new RegExp(`^${segment}(?:/${segment})*$`, "u");
const prefixPattern = new RegExp(`^(?:${segment}/)*(?:${segment})?$`, "u");

/** Whether it is a key at all; a store that others write to may hold what is none. */
export function isObjectKey(key: string): boolean {
  // All of it is ASCII, if it is a key: as many bytes as characters.
  if (key.length > objectKeyBytesMax || !keyPattern.test(key)) return false;
  return key.split("/").every(isSegment);
}

function isSegment(name: string): boolean {
  return name !== "." && name !== ".." && name.length <= objectKeySegmentBytesMax;
}

export function assertObjectKey(key: string): void {
  assert(isObjectKey(key), `not a key of an object: ${key.slice(0, 100)}`);
}

export function assertObjectRange({ from, bytes, into }: ObjectRange): void {
  const isRange = Number.isSafeInteger(from) && from >= 0;
  assert(isRange && Number.isSafeInteger(from + bytes) && bytes >= 0, "not a range of bytes");
  assert(into === undefined || into.length >= bytes, "no memory for what is read");
}

/** A prefix is the beginning of a key: all its whole segments are those of one. */
export function assertObjectListing({ prefix, limit }: ObjectListing): void {
  assert(prefix.length <= objectKeyBytesMax, "a prefix is longer than a key");
  assert(prefixPattern.test(prefix), `not the beginning of a key: ${prefix.slice(0, 100)}`);
  const folders = prefix.split("/").slice(0, -1);
  assert(folders.every(isSegment), `not the beginning of a key: ${prefix.slice(0, 100)}`);
  const isLimit = Number.isInteger(limit) && limit > 0 && limit <= objectPageMax;
  assert(isLimit, `not a page's limit: ${limit}`);
}

export function objectBytes(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/**
 * The parts, one after another, as pieces of exactly `pieceBytes` and a last one of the rest; each
 * piece is views of the parts. None for no bytes.
 */
export function* objectPieces(
  parts: readonly Uint8Array[],
  pieceBytes: number,
): Generator<readonly Uint8Array[]> {
  let piece: Uint8Array[] = [];
  let room = pieceBytes;
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      const view = part.subarray(at, at + room);
      piece.push(view);
      at += view.length;
      room -= view.length;
      if (room > 0) continue;
      yield piece;
      piece = [];
      room = pieceBytes;
    }
  }
  if (piece.length > 0) yield piece;
}
