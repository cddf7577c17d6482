import type { ByteSink } from "./byte-sink.ts";
import { DecompressError } from "./codec.ts";
import { MatchFinder } from "./match-finder.ts";

/**
 * One block of lz4: sequences of literals and a match, the last one without a match.
 * Source: github.com/lz4/lz4, doc/lz4_Block_format.md.
 */

const MATCH_BYTES_MIN = 4;
/** A length of 15 in a token's half goes on in the bytes that follow. */
const LONG_LENGTH = 15;

function corrupt(detail: string): DecompressError {
  return new DecompressError("lz4", "corrupt", detail);
}

/** Where a block lies, and how many bytes before its output its matches may reach. */
export interface Lz4Block {
  readonly start: number;
  readonly end: number;
  readonly historyBytes: number;
}

/** Where the bytes that continue a length of 15 end: with the first that is not 255. */
function longLengthEnd(input: Uint8Array, at: number, end: number): number {
  for (let next = at; next < end; next++) {
    if (input[next] !== 255) return next + 1;
  }
  throw corrupt("ends within a length");
}

/** What the bytes that continue a length add to it. */
function longLength(input: Uint8Array, at: number, lengthEnd: number): number {
  return (lengthEnd - at - 1) * 255 + (input[lengthEnd - 1] as number);
}

/**
 * Walks a block without decoding it and returns how many bytes it yields. Throws DecompressError
 * for everything that is wrong with it, so that `decodeLz4Block` may leave out all checks.
 */
export function measureLz4Block(input: Uint8Array, block: Lz4Block): number {
  const { end, historyBytes } = block;
  let at = block.start;
  let yielded = 0;
  while (at < end) {
    const token = input[at++] as number;
    let literalBytes = token >> 4;
    if (literalBytes === LONG_LENGTH) {
      const lengthEnd = longLengthEnd(input, at, end);
      literalBytes += longLength(input, at, lengthEnd);
      at = lengthEnd;
    }
    at += literalBytes;
    yielded += literalBytes;
    if (at === end) return yielded;
    if (at + 2 > end) throw corrupt("ends within a sequence");
    const distance = (input[at] as number) | ((input[at + 1] as number) << 8);
    at += 2;
    if (distance === 0 || distance > yielded + historyBytes) throw corrupt("match from nowhere");
    yielded += (token & LONG_LENGTH) + MATCH_BYTES_MIN;
    if ((token & LONG_LENGTH) === LONG_LENGTH) {
      const lengthEnd = longLengthEnd(input, at, end);
      yielded += longLength(input, at, lengthEnd);
      at = lengthEnd;
    }
  }
  throw corrupt("ends without literals");
}

/** Decodes a block that `measureLz4Block` has accepted; the sink has room for what that said. */
export function decodeLz4Block(
  input: Uint8Array,
  block: Pick<Lz4Block, "start" | "end">,
  sink: ByteSink,
): void {
  const { end } = block;
  let at = block.start;
  for (;;) {
    const token = input[at++] as number;
    let literalBytes = token >> 4;
    if (literalBytes === LONG_LENGTH) {
      const lengthEnd = longLengthEnd(input, at, end);
      literalBytes += longLength(input, at, lengthEnd);
      at = lengthEnd;
    }
    sink.addLiteral(input, at, at + literalBytes);
    at += literalBytes;
    if (at >= end) return;
    const distance = (input[at] as number) | ((input[at + 1] as number) << 8);
    at += 2;
    let matchBytes = (token & LONG_LENGTH) + MATCH_BYTES_MIN;
    if ((token & LONG_LENGTH) === LONG_LENGTH) {
      const lengthEnd = longLengthEnd(input, at, end);
      matchBytes += longLength(input, at, lengthEnd);
      at = lengthEnd;
    }
    sink.addRepetition(distance, matchBytes);
  }
}

/** The most bytes that `encodeLz4Block` writes for an input of a size. */
export function lz4BlockBytesMax(inputBytes: number): number {
  return inputBytes + Math.ceil(inputBytes / 255) + 16;
}

const finder: MatchFinder = new MatchFinder();

/** Bytes that become a block, at most 65,536 of them, and how many matches of each are tried. */
export interface PlainBlock {
  readonly start: number;
  readonly end: number;
  /** 1: the first that is found, which is fast. */
  readonly attempts: number;
}

/**
 * Adds the block of those bytes of `input`, which refers to nothing before it; the sink has room
 * for it.
 */
export function encodeLz4Block(input: Uint8Array, plain: PlainBlock, sink: ByteSink): void {
  const { attempts, end, start } = plain;
  if (attempts === 1) finder.search(input, start, end);
  else finder.searchDeep(input, plain, attempts);
  let literalStart = start;
  for (let match = 0; match < finder.count; match++) {
    const matchStart = finder.starts[match] as number;
    const matchLength = finder.lengths[match] as number;
    const literalBytes = matchStart - literalStart;
    const matchCode = matchLength - MATCH_BYTES_MIN;
    sink.addByte((Math.min(literalBytes, LONG_LENGTH) << 4) | Math.min(matchCode, LONG_LENGTH));
    addLongLength(literalBytes, sink);
    sink.addLiteral(input, literalStart, matchStart);
    sink.addUint16LittleEndian(finder.distances[match] as number);
    addLongLength(matchCode, sink);
    literalStart = matchStart + matchLength;
  }
  const lastLiterals = end - literalStart;
  sink.addByte(Math.min(lastLiterals, LONG_LENGTH) << 4);
  addLongLength(lastLiterals, sink);
  sink.addLiteral(input, literalStart, end);
}

function addLongLength(length: number, sink: ByteSink): void {
  if (length < LONG_LENGTH) return;
  let left = length - LONG_LENGTH;
  for (; left >= 255; left -= 255) sink.addByte(255);
  sink.addByte(left);
}
