import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Bytes to look at: a file as long as it was when it was opened, or a part of one. */
export interface Source {
  readonly bytes: number;
  /** Where it begins in its file. */
  readonly position: number;
  /** The bytes from `from` on, at most `bytes` of them, fewer at the end. */
  read(from: number, bytes: number): Uint8Array;
}

export interface FileSource extends Source {
  close(): void;
}

/** Opens a file for reading only. Throws node's error where that can't be done. */
export function openSource(path: string): FileSource {
  const descriptor = openSync(path, "r");
  const { size } = fstatSync(descriptor);
  return {
    bytes: size,
    position: 0,
    read: (from, bytes) => readAll(descriptor, from, Math.min(bytes, size - from)),
    close: () => closeSync(descriptor),
  };
}

/** At most what the file has: a length in the file itself is checked before it comes here. */
function readAll(descriptor: number, from: number, wanted: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, wanted));
  let at = 0;
  while (at < bytes.length) {
    const count = readSync(descriptor, bytes, at, bytes.length - at, from + at);
    if (count === 0) break;
    at += count;
  }
  return bytes.subarray(0, at);
}

export function partOf(
  source: Source,
  range: { readonly from: number; readonly bytes: number },
): Source {
  return {
    bytes: range.bytes,
    position: source.position + range.from,
    read: (from, bytes) => source.read(range.from + from, Math.min(bytes, range.bytes - from)),
  };
}

/** Bytes that are in memory already, as what lies at `position` of a file. */
export function sourceOf(held: Uint8Array, position: number): Source {
  return {
    bytes: held.length,
    position,
    read: (from, bytes) => held.subarray(from, from + bytes),
  };
}
