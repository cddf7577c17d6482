import { ByteSink } from "./byte-sink.ts";
import { type Codec, compressionIdOf, DecompressError } from "./codec.ts";
import {
  decodeLz4Block,
  encodeLz4Block,
  lz4BlockBytesMax,
  measureLz4Block,
  type PlainBlock,
} from "./lz4-block.ts";
import { xxhash32 } from "./xxhash32.ts";

/**
 * lz4 as Kafka's clients send it: one frame. Blocks may be independent or linked, checksums are
 * verified where the frame has them. What is written has independent blocks of 64 KiB, because
 * Java's clients read no linked ones.
 * Source: github.com/lz4/lz4, doc/lz4_Frame_format.md.
 */

const FRAME_MAGIC = 0x184d2204;
const MAGIC_BYTES = 4;
const VERSION = 1;

const BLOCK_INDEPENDENCE_BIT = 0x20;
const BLOCK_CHECKSUM_BIT = 0x10;
const CONTENT_SIZE_BIT = 0x08;
const CONTENT_CHECKSUM_BIT = 0x04;
const DICTIONARY_BIT = 0x01;
const FLAG_RESERVED_BIT = 0x02;
const DESCRIPTOR_RESERVED_BITS = 0x8f;

const CHECKSUM_BYTES = 4;
const BLOCK_SIZE_BYTES = 4;
/** In a block's size: its bytes are as they were, without compression. */
const STORED_BIT = 0x80000000;
const STORED_SIZE_MASK = 0x7fffffff;

/** Size code 4 is 64 KiB; each step more is four times as much, up to 4 MiB at 7. */
const SIZE_CODE_MIN = 4;
const BLOCK_BYTES = 65_536;

interface FrameHeader {
  readonly hasLinkedBlocks: boolean;
  readonly hasBlockChecksums: boolean;
  readonly hasContentChecksum: boolean;
  readonly contentBytes: number | undefined;
  readonly blockBytesMax: number;
  /** Where the blocks begin. */
  readonly end: number;
}

interface FramePlan {
  readonly header: FrameHeader;
  readonly decompressedBytes: number;
  readonly contentChecksum: number | undefined;
}

function corrupt(detail: string): DecompressError {
  return new DecompressError("lz4", "corrupt", detail);
}

function tooLarge(bytes: number, maxBytes: number): DecompressError {
  return new DecompressError("lz4", "too-large", `${bytes} bytes or more, of ${maxBytes}`);
}

function readHeader(bytes: Uint8Array, view: DataView): FrameHeader {
  const fixedBytes = MAGIC_BYTES + 3;
  if (bytes.length < fixedBytes) throw corrupt("ends within the header");
  if (view.getUint32(0, true) !== FRAME_MAGIC) throw corrupt("no frame");
  const flags = view.getUint8(MAGIC_BYTES);
  const descriptor = view.getUint8(MAGIC_BYTES + 1);
  if (flags >> 6 !== VERSION) throw corrupt("unknown version");
  if ((flags & DICTIONARY_BIT) !== 0) throw corrupt("needs a dictionary");
  if ((flags & FLAG_RESERVED_BIT) !== 0) throw corrupt("reserved flag");
  if ((descriptor & DESCRIPTOR_RESERVED_BITS) !== 0) throw corrupt("reserved descriptor bits");
  const sizeCode = descriptor >> 4;
  if (sizeCode < SIZE_CODE_MIN) throw corrupt("unknown block size");
  const hasContentSize = (flags & CONTENT_SIZE_BIT) !== 0;
  const checksumAt = fixedBytes - 1 + (hasContentSize ? 8 : 0);
  if (bytes.length <= checksumAt) throw corrupt("ends within the header");
  const checksum = (xxhash32(bytes.subarray(MAGIC_BYTES, checksumAt)) >>> 8) & 0xff;
  if (checksum !== view.getUint8(checksumAt)) throw corrupt("bad header checksum");
  return {
    hasLinkedBlocks: (flags & BLOCK_INDEPENDENCE_BIT) === 0,
    hasBlockChecksums: (flags & BLOCK_CHECKSUM_BIT) !== 0,
    hasContentChecksum: (flags & CONTENT_CHECKSUM_BIT) !== 0,
    contentBytes: hasContentSize ? readContentBytes(view) : undefined,
    blockBytesMax: BLOCK_BYTES * 4 ** (sizeCode - SIZE_CODE_MIN),
    end: checksumAt + 1,
  };
}

function readContentBytes(view: DataView): number {
  const at = MAGIC_BYTES + 2;
  return view.getUint32(at + 4, true) * 4_294_967_296 + view.getUint32(at, true);
}

/**
 * Measures every block, so that the output is allocated once, at its exact size. Nothing is kept of
 * them: a frame may have millions that yield a byte each, or none.
 */
function planFrame(bytes: Uint8Array, maxBytes: number): FramePlan {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(bytes, view);
  const { contentBytes } = header;
  if (contentBytes !== undefined && contentBytes > maxBytes) throw tooLarge(contentBytes, maxBytes);
  let decompressedBytes = 0;
  let at = header.end;
  for (;;) {
    if (bytes.length - at < BLOCK_SIZE_BYTES) throw corrupt("ends without an end mark");
    const size = view.getUint32(at, true);
    at += BLOCK_SIZE_BYTES;
    if (size === 0) break;
    const end = at + (size & STORED_SIZE_MASK);
    const next = end + (header.hasBlockChecksums ? CHECKSUM_BYTES : 0);
    if (next > bytes.length) throw corrupt("ends within a block");
    if (header.hasBlockChecksums && xxhash32(bytes.subarray(at, end)) !== view.getUint32(end, true))
      throw corrupt("bad block checksum");
    const historyBytes = header.hasLinkedBlocks ? decompressedBytes : 0;
    const blockBytes =
      size >= STORED_BIT ? end - at : measureLz4Block(bytes, { start: at, end, historyBytes });
    if (blockBytes > header.blockBytesMax) throw corrupt("block larger than its frame allows");
    decompressedBytes += blockBytes;
    if (decompressedBytes > maxBytes) throw tooLarge(decompressedBytes, maxBytes);
    at = next;
  }
  if (contentBytes !== undefined && contentBytes !== decompressedBytes)
    throw corrupt("not as many bytes as the header says");
  const left = bytes.length - at;
  if (left !== (header.hasContentChecksum ? CHECKSUM_BYTES : 0))
    throw corrupt("bytes after its end");
  const contentChecksum = header.hasContentChecksum ? view.getUint32(at, true) : undefined;
  return { header, decompressedBytes, contentChecksum };
}

function decompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const plan = planFrame(bytes, maxBytes);
  const sink = new ByteSink(plan.decompressedBytes);
  decodeBlocks(bytes, plan.header, sink);
  const { contentChecksum } = plan;
  if (contentChecksum !== undefined && xxhash32(sink.bytes) !== contentChecksum)
    throw corrupt("bad content checksum");
  return sink.bytes;
}

/** Of a frame that `planFrame` has accepted. */
function decodeBlocks(bytes: Uint8Array, header: FrameHeader, sink: ByteSink): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = header.end;
  for (;;) {
    const size = view.getUint32(at, true);
    if (size === 0) return;
    const start = at + BLOCK_SIZE_BYTES;
    const end = start + (size & STORED_SIZE_MASK);
    if (size >= STORED_BIT) sink.addLiteral(bytes, start, end);
    else decodeLz4Block(bytes, { start, end }, sink);
    at = end + (header.hasBlockChecksums ? CHECKSUM_BYTES : 0);
  }
}

/** Kafka's default. It stands for fast compression; every other one searches, the higher the more. */
const LEVEL_DEFAULT = 9;
/** From this level on nothing more is tried. */
const LEVEL_MAX = 10;

/** How many earlier copies of each place are looked at. */
function attemptsOf(level: number): number {
  return level === LEVEL_DEFAULT ? 1 : 2 ** Math.min(Math.max(level, 1), LEVEL_MAX);
}

function compress(bytes: Uint8Array, level: number = LEVEL_DEFAULT): Uint8Array {
  const headerBytes = MAGIC_BYTES + 3;
  const wholeBlocks = Math.floor(bytes.length / BLOCK_BYTES);
  const sizeMax =
    headerBytes +
    wholeBlocks * (BLOCK_SIZE_BYTES + lz4BlockBytesMax(BLOCK_BYTES)) +
    BLOCK_SIZE_BYTES +
    lz4BlockBytesMax(bytes.length % BLOCK_BYTES) +
    BLOCK_SIZE_BYTES;
  const sink = new ByteSink(sizeMax);
  sink.addUint32LittleEndian(FRAME_MAGIC);
  sink.addByte((VERSION << 6) | BLOCK_INDEPENDENCE_BIT);
  sink.addByte(SIZE_CODE_MIN << 4);
  sink.addByte(xxhash32(sink.bytes.subarray(MAGIC_BYTES, sink.length)) >>> 8);
  for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
    const end = Math.min(start + BLOCK_BYTES, bytes.length);
    addBlock(bytes, { start, end, attempts: attemptsOf(level) }, sink);
  }
  sink.addUint32LittleEndian(0);
  return sink.take();
}

function addBlock(bytes: Uint8Array, plain: PlainBlock, sink: ByteSink): void {
  const { end, start } = plain;
  const sizeAt = sink.length;
  sink.addUint32LittleEndian(0);
  const blockStart = sink.length;
  encodeLz4Block(bytes, plain, sink);
  let size = sink.length - blockStart;
  if (size >= end - start) {
    sink.length = blockStart;
    sink.addLiteral(bytes, start, end);
    size = (end - start) | STORED_BIT;
  }
  const blockEnd = sink.length;
  sink.length = sizeAt;
  sink.addUint32LittleEndian(size);
  sink.length = blockEnd;
}

/** lz4 without dependencies. */
export const lz4Codec: Codec = {
  name: "lz4",
  id: compressionIdOf("lz4"),
  compress,
  decompress,
};
