import { createRequire } from "node:module";
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import {
  type Codec,
  type CodecSet,
  compressFramed,
  compressionIdOf,
  DecompressError,
  lz4Codec,
  planSnappy,
  snappyChunks,
  snappyCodec,
  type SnappyEncoder,
} from "@millrace/wire";

/**
 * All five codecs, native where that is faster.
 *
 * gzip and zstd are Node's own. snappy is the optional package `snappy` where it is installed, which
 * gets only input whose framing and size have been checked; else the JavaScript one of the wire
 * package. lz4 is always the latter: the packages that exist have no limit on their output, and
 * checking their input first costs what they save. All are synchronous.
 */

/** The part of the `snappy` package that is used. */
interface SnappyPackage {
  compressSync(input: Uint8Array, options: { copyOutputData: boolean }): Uint8Array;
  uncompressSync(input: Uint8Array, options: { copyOutputData: boolean }): Uint8Array;
}

/** The code of Node's error for output past `maxOutputLength`. */
const TOO_LARGE_CODE = "ERR_BUFFER_TOO_LARGE";

/** zlib grows its output by pieces of one size, and a result may keep a whole piece alive. */
const PIECE_BYTES_MIN = 64;
const PIECE_BYTES_MAX = 131_072;
/** How much larger a batch usually becomes: the first piece then holds all of a small one. */
const USUAL_EXPANSION = 4;

/** Node refuses a limit of 0 bytes. */
const OUTPUT_LIMIT_BYTES_MIN = 1;

function pieceBytes(compressedBytes: number, maxBytes: number): number {
  const usual = Math.min(compressedBytes * USUAL_EXPANSION, maxBytes, PIECE_BYTES_MAX);
  return Math.max(usual, PIECE_BYTES_MIN);
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** What a decoder of node:zlib gives when it is asked for `info`. */
interface Decoded {
  readonly buffer: Uint8Array;
  /** `bytesWritten`: the bytes of its input that it used. */
  readonly engine: { readonly bytesWritten: number };
}

/**
 * Runs a decoder of node:zlib under a limit and names its failures. What follows the stream, which
 * Node passes over, other clients read as another stream, or refuse: it is one.
 */
function decompressLimited(
  name: "gzip" | "zstd",
  input: { readonly bytes: Uint8Array; readonly maxBytes: number },
  decode: (options: { maxOutputLength: number; chunkSize: number; info: true }) => unknown,
): Uint8Array {
  const { bytes, maxBytes } = input;
  let decoded: Uint8Array;
  let usedBytes: number;
  try {
    const maxOutputLength = Math.max(maxBytes, OUTPUT_LIMIT_BYTES_MIN);
    const chunkSize = pieceBytes(bytes.length, maxBytes);
    const { buffer, engine } = decode({ maxOutputLength, chunkSize, info: true }) as Decoded;
    decoded = buffer;
    usedBytes = engine.bytesWritten;
  } catch (error) {
    const isTooLarge = errorCode(error) === TOO_LARGE_CODE;
    throw isTooLarge
      ? tooLarge(name, maxBytes)
      : new DecompressError(name, "corrupt", "corrupt", error);
  }
  if (decoded.length > maxBytes) throw tooLarge(name, maxBytes);
  if (usedBytes < bytes.length) {
    throw new DecompressError(
      name,
      "corrupt",
      `${bytes.length - usedBytes} bytes after the stream`,
    );
  }
  return decoded;
}

function tooLarge(name: "gzip" | "zstd", maxBytes: number): DecompressError {
  return new DecompressError(name, "too-large", `more than ${maxBytes} bytes`);
}

/** gzip by node:zlib, by default at zlib's default level. */
export const gzipCodec: Codec = {
  name: "gzip",
  id: compressionIdOf("gzip"),
  compress: (bytes, level = constants.Z_DEFAULT_COMPRESSION) => gzipSync(bytes, { level }),
  decompress: (bytes, maxBytes) =>
    decompressLimited("gzip", { bytes, maxBytes }, (options) => gunzipSync(bytes, options)),
};

/**
 * zstd by node:zlib, by default at level 3. Windows of up to 128 MiB are accepted, as Java's clients do: the
 * memory for one is reserved, but only touched as far as the capped output reaches.
 */
export const zstdCodec: Codec = {
  name: "zstd",
  id: compressionIdOf("zstd"),
  compress: (bytes, level = 3) =>
    zstdCompressSync(bytes, {
      pledgedSrcSize: bytes.length,
      params: { [constants.ZSTD_c_compressionLevel]: level },
    }),
  decompress: (bytes, maxBytes) =>
    decompressLimited("zstd", { bytes, maxBytes }, (options) => zstdDecompressSync(bytes, options)),
};

function asBuffer(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** snappy by the `snappy` package. Its output is copied: memory it owns itself is slow to free. */
export function nativeSnappyCodec(snappy: SnappyPackage): Codec {
  const encode: SnappyEncoder = (input, start, end, sink) => {
    const raw = snappy.compressSync(asBuffer(input.subarray(start, end)), { copyOutputData: true });
    sink.addLiteral(raw, 0, raw.length);
  };
  return {
    name: "snappy",
    id: snappyCodec.id,
    compress: (bytes) => compressFramed(bytes, encode),
    decompress: (bytes, maxBytes) => {
      const { decompressedBytes, only } = planSnappy(bytes, maxBytes);
      if (only !== undefined) {
        return uncompressChunk(snappy, bytes.subarray(only.start, only.end));
      }
      const output = new Uint8Array(decompressedBytes);
      let at = 0;
      for (const { start, end } of snappyChunks(bytes, maxBytes)) {
        const raw = uncompressChunk(snappy, bytes.subarray(start, end));
        output.set(raw, at);
        at += raw.length;
      }
      return output;
    },
  };
}

function uncompressChunk(snappy: SnappyPackage, chunk: Uint8Array): Uint8Array {
  try {
    return snappy.uncompressSync(asBuffer(chunk), { copyOutputData: true });
  } catch (error) {
    throw new DecompressError("snappy", "corrupt", "corrupt", error);
  }
}

const require = createRequire(import.meta.url);

type Loaded<Package> =
  | { readonly kind: "loaded"; readonly package: Package }
  | { readonly kind: "missing"; readonly cause: unknown };

/** An optional package may not be installed, or have no build for this machine. */
function loadOptional<Package>(name: string): Loaded<Package> {
  try {
    return { kind: "loaded", package: require(name) as Package };
  } catch (cause) {
    return { kind: "missing", cause };
  }
}

/**
 * snappy, which chooses its implementation when it is first used: loading a native package takes a
 * start 5 ms and 3 MB, and most brokers never open a batch of snappy.
 */
function snappyWhenUsed(onFallback: (cause: unknown) => void): Codec {
  let chosen: Codec | undefined;
  const choose = (): Codec => {
    const snappy = loadOptional<SnappyPackage>("snappy");
    if (snappy.kind === "loaded") return nativeSnappyCodec(snappy.package);
    onFallback(snappy.cause);
    return snappyCodec;
  };
  const { name, id } = snappyCodec;
  return {
    ...{ name, id },
    compress: (bytes) => (chosen ??= choose()).compress(bytes),
    decompress: (bytes, maxBytes) => (chosen ??= choose()).decompress(bytes, maxBytes),
  };
}

export interface NodeCodecsOptions {
  /** Called once, when snappy is first used and has no native package: why it has none. */
  readonly onSnappyFallback?: (cause: unknown) => void;
}

/** All five codecs. Never throws. */
export function loadCodecs({ onSnappyFallback }: NodeCodecsOptions = {}): {
  readonly codecs: CodecSet;
} {
  const snappy = snappyWhenUsed((cause) => onSnappyFallback?.(cause));
  return { codecs: { gzip: gzipCodec, zstd: zstdCodec, snappy, lz4: lz4Codec } };
}
