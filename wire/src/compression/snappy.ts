import { ByteSink } from "./byte-sink.ts";
import { type Codec, compressionIdOf, DecompressError } from "./codec.ts";
import {
  decodeSnappyElements,
  encodeSnappy,
  readSnappyPreamble,
  snappyBytesMax,
} from "./snappy-block.ts";

/**
 * Snappy as Kafka's clients send it: either one raw stream (librdkafka) or xerial's framing, a
 * header and then chunks of a big-endian length and a raw stream (Java). Both are read; the framing
 * is written, because older Java clients read nothing else.
 * Source: github.com/xerial/snappy-java, SnappyOutputStream.
 */

const FRAME_MAGIC: readonly number[] = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00];
const FRAME_HEADER_BYTES = 16;
const FRAME_VERSION = 1;
/** The first four bytes of the magic, where a chunk's length would be: a second stream follows. */
const FRAME_MAGIC_AS_LENGTH = 0x82534e41;
const CHUNK_LENGTH_BYTES = 4;

/** Decompressed bytes of one chunk: what Java's clients write. */
const CHUNK_BYTES = 32_768;

/** One raw snappy stream inside what a batch carries. */
export interface SnappyChunk {
  /** Where the raw stream begins and ends, its preamble included. */
  readonly start: number;
  readonly end: number;
  /** Where its elements begin. */
  readonly elementsStart: number;
  readonly decompressedBytes: number;
}

/** How many bytes the raw streams of a batch's body claim to hold together. */
export interface SnappyPlan {
  readonly decompressedBytes: number;
  /** Set where there is one raw stream alone. */
  readonly only: SnappyChunk | undefined;
}

/**
 * Adds up the claims of the raw streams in `bytes`, before anything is allocated. Nothing is kept of
 * them: there may be millions that claim nothing. Throws DecompressError.
 */
export function planSnappy(bytes: Uint8Array, maxBytes: number): SnappyPlan {
  let only: SnappyChunk | undefined;
  let count = 0;
  let decompressedBytes = 0;
  for (const chunk of snappyChunks(bytes, maxBytes)) {
    count += 1;
    only = count === 1 ? chunk : undefined;
    decompressedBytes += chunk.decompressedBytes;
  }
  return { only, decompressedBytes };
}

/** The raw streams in `bytes`, framed or not, in their order. Throws DecompressError. */
export function* snappyChunks(bytes: Uint8Array, maxBytes: number): Generator<SnappyChunk> {
  if (!startsWithFrame(bytes, 0)) {
    yield planChunk(bytes, 0, bytes.length, maxBytes);
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let decompressedBytes = 0;
  let at = FRAME_HEADER_BYTES;
  while (at < bytes.length) {
    if (bytes.length - at < CHUNK_LENGTH_BYTES) throw corrupt("ends within a chunk's length");
    const length = view.getUint32(at);
    if (length === FRAME_MAGIC_AS_LENGTH) {
      if (!startsWithFrame(bytes, at)) throw corrupt("bad header within the stream");
      at += FRAME_HEADER_BYTES;
      continue;
    }
    const start = at + CHUNK_LENGTH_BYTES;
    if (length > bytes.length - start) throw corrupt("ends within a chunk");
    at = start + length;
    const chunk = planChunk(bytes, start, at, maxBytes - decompressedBytes);
    decompressedBytes += chunk.decompressedBytes;
    yield chunk;
  }
}

function planChunk(bytes: Uint8Array, start: number, end: number, maxBytes: number): SnappyChunk {
  const preamble = readSnappyPreamble(bytes, start, end, maxBytes);
  const { decompressedBytes, end: elementsStart } = preamble;
  return { start, end, elementsStart, decompressedBytes };
}

function corrupt(detail: string): DecompressError {
  return new DecompressError("snappy", "corrupt", detail);
}

function startsWithFrame(bytes: Uint8Array, at: number): boolean {
  if (bytes.length - at < FRAME_HEADER_BYTES) return false;
  return FRAME_MAGIC.every((byte, index) => bytes[at + index] === byte);
}

function decompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const plan = planSnappy(bytes, maxBytes);
  const sink = new ByteSink(plan.decompressedBytes);
  for (const chunk of snappyChunks(bytes, maxBytes)) {
    const elements = { start: chunk.elementsStart, end: chunk.end };
    decodeSnappyElements(bytes, elements, chunk.decompressedBytes, sink);
  }
  return sink.bytes;
}

/** Adds the raw stream of `input` from `start` to `end` to the sink, which has room for it. */
export interface SnappyEncoder {
  (input: Uint8Array, start: number, end: number, sink: ByteSink): void;
}

/** Frames `bytes` in chunks of 32 KiB, each compressed by `encode`. */
export function compressFramed(bytes: Uint8Array, encode: SnappyEncoder): Uint8Array {
  const chunkCount = Math.ceil(bytes.length / CHUNK_BYTES);
  const chunkBytesMax = CHUNK_LENGTH_BYTES + snappyBytesMax(CHUNK_BYTES);
  const lastBytes = bytes.length % CHUNK_BYTES;
  const sizeMax = FRAME_HEADER_BYTES + chunkCount * chunkBytesMax;
  const sink = new ByteSink(
    chunkCount === 1
      ? FRAME_HEADER_BYTES + CHUNK_LENGTH_BYTES + snappyBytesMax(lastBytes || CHUNK_BYTES)
      : sizeMax,
  );
  for (const byte of FRAME_MAGIC) sink.addByte(byte);
  sink.addUint32BigEndian(FRAME_VERSION);
  sink.addUint32BigEndian(FRAME_VERSION);
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    const lengthAt = sink.length;
    sink.addUint32BigEndian(0);
    const chunkStart = sink.length;
    encode(bytes, start, Math.min(start + CHUNK_BYTES, bytes.length), sink);
    const chunkEnd = sink.length;
    sink.length = lengthAt;
    sink.addUint32BigEndian(chunkEnd - chunkStart);
    sink.length = chunkEnd;
  }
  return sink.take();
}

/** Snappy without dependencies. */
export const snappyCodec: Codec = {
  name: "snappy",
  id: compressionIdOf("snappy"),
  compress: (bytes) => compressFramed(bytes, encodeSnappy),
  decompress,
};
