import type { ByteSink } from "./byte-sink.ts";
import { DecompressError } from "./codec.ts";
import { MATCH_BLOCK_BYTES_MAX, MatchFinder } from "./match-finder.ts";

/**
 * Snappy's raw format: a length, then literals and copies.
 * Source: github.com/google/snappy, format_description.txt.
 */

const LITERAL = 0;
const COPY_1_BYTE_OFFSET = 1;
const COPY_2_BYTE_OFFSET = 2;

/** A literal of up to this many bytes has its length in the tag. */
const SHORT_LITERAL_BYTES_MAX = 60;
const COPY_BYTES_MAX = 64;

/** A three-byte copy yields 64 bytes; nothing yields more for its size. */
const EXPANSION_MAX = 22;

const LENGTH_BYTES_MAX = 5;

function corrupt(detail: string): DecompressError {
  return new DecompressError("snappy", "corrupt", detail);
}

/** What the preamble of a raw snappy stream says. */
export interface SnappyPreamble {
  readonly decompressedBytes: number;
  /** Where the elements begin. */
  readonly end: number;
}

/**
 * Reads the decompressed length that a raw stream in `input` from `start` to `end` claims. Throws
 * DecompressError where it exceeds `maxBytes`, or what the stream's size can yield at all.
 */
export function readSnappyPreamble(
  input: Uint8Array,
  start: number,
  end: number,
  maxBytes: number,
): SnappyPreamble {
  let decompressedBytes = 0;
  let scale = 1;
  let at = start;
  for (;;) {
    if (at >= end || at - start === LENGTH_BYTES_MAX) throw corrupt("no length");
    const byte = input[at++] as number;
    decompressedBytes += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 128;
  }
  if (decompressedBytes > (end - at) * EXPANSION_MAX) throw corrupt("length that cannot be");
  if (decompressedBytes > maxBytes) {
    throw new DecompressError("snappy", "too-large", `${decompressedBytes} bytes of ${maxBytes}`);
  }
  return { decompressedBytes, end: at };
}

/**
 * Decodes the elements of `input` from `start` to `end`, which must yield exactly
 * `decompressedBytes`; the sink has room for them. Throws DecompressError.
 */
export function decodeSnappyElements(
  input: Uint8Array,
  range: { readonly start: number; readonly end: number },
  decompressedBytes: number,
  sink: ByteSink,
): void {
  const { end } = range;
  const sinkStart = sink.length;
  const sinkEnd = sinkStart + decompressedBytes;
  let at = range.start;
  while (at < end) {
    const tag = input[at++] as number;
    const kind = tag & 3;
    let length: number;
    let distance: number;
    if (kind === LITERAL) {
      length = (tag >> 2) + 1;
      if (length > SHORT_LITERAL_BYTES_MAX) {
        const lengthBytes = length - SHORT_LITERAL_BYTES_MAX;
        length = readLittleEndian(input, at, lengthBytes, end) + 1;
        at += lengthBytes;
      }
      if (length > end - at || length > sinkEnd - sink.length) throw corrupt("literal too long");
      sink.addLiteral(input, at, at + length);
      at += length;
      continue;
    }
    if (kind === COPY_1_BYTE_OFFSET) {
      length = ((tag >> 2) & 7) + 4;
      distance = ((tag >> 5) << 8) | readLittleEndian(input, at, 1, end);
      at += 1;
    } else {
      const offsetBytes = kind === COPY_2_BYTE_OFFSET ? 2 : 4;
      length = (tag >> 2) + 1;
      distance = readLittleEndian(input, at, offsetBytes, end);
      at += offsetBytes;
    }
    if (distance === 0 || distance > sink.length - sinkStart) throw corrupt("copy from nowhere");
    if (length > sinkEnd - sink.length) throw corrupt("copy too long");
    sink.addRepetition(distance, length);
  }
  if (sink.length !== sinkEnd) throw corrupt("fewer bytes than claimed");
}

function readLittleEndian(input: Uint8Array, at: number, count: number, end: number): number {
  if (count > end - at) throw corrupt("ends within an element");
  let value = 0;
  for (let index = count - 1; index >= 0; index--) {
    value = value * 256 + (input[at + index] as number);
  }
  return value;
}

/** The most bytes that `encodeSnappy` writes for an input of a size. */
export function snappyBytesMax(inputBytes: number): number {
  return LENGTH_BYTES_MAX + inputBytes + Math.ceil(inputBytes / 6) + 32;
}

const finder: MatchFinder = new MatchFinder();

/** Adds the raw snappy stream of `input` from `start` to `end`; the sink has room for it. */
export function encodeSnappy(input: Uint8Array, start: number, end: number, sink: ByteSink): void {
  let length = end - start;
  while (length >= 0x80) {
    sink.addByte((length % 128) | 0x80);
    length = Math.floor(length / 128);
  }
  sink.addByte(length);
  for (let block = start; block < end; block += MATCH_BLOCK_BYTES_MAX) {
    const blockEnd = Math.min(block + MATCH_BLOCK_BYTES_MAX, end);
    finder.search(input, block, blockEnd);
    let literalStart = block;
    for (let match = 0; match < finder.count; match++) {
      const matchStart = finder.starts[match] as number;
      const matchLength = finder.lengths[match] as number;
      encodeLiteral(input, literalStart, matchStart, sink);
      encodeCopies(finder.distances[match] as number, matchLength, sink);
      literalStart = matchStart + matchLength;
    }
    encodeLiteral(input, literalStart, blockEnd, sink);
  }
}

function encodeLiteral(input: Uint8Array, from: number, to: number, sink: ByteSink): void {
  const length = to - from;
  if (length === 0) return;
  if (length <= SHORT_LITERAL_BYTES_MAX) {
    sink.addByte((length - 1) << 2);
  } else if (length <= 256) {
    sink.addByte(60 << 2);
    sink.addByte(length - 1);
  } else {
    sink.addByte(61 << 2);
    sink.addUint16LittleEndian(length - 1);
  }
  sink.addLiteral(input, from, to);
}

function encodeCopies(distance: number, length: number, sink: ByteSink): void {
  let left = length;
  while (left > 0) {
    const piece = Math.min(left, COPY_BYTES_MAX);
    sink.addByte(((piece - 1) << 2) | COPY_2_BYTE_OFFSET);
    sink.addUint16LittleEndian(distance);
    left -= piece;
  }
}
