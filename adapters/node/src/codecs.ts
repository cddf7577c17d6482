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

/** Runs a decoder of node:zlib under a limit and names its failures. */
function decompressLimited(
  name: "gzip" | "zstd",
  maxBytes: number,
  decode: (maxOutputLength: number) => Uint8Array,
): Uint8Array {
  let decoded: Uint8Array;
  try {
    decoded = decode(Math.max(maxBytes, OUTPUT_LIMIT_BYTES_MIN));
  } catch (error) {
    const isTooLarge = errorCode(error) === TOO_LARGE_CODE;
    throw isTooLarge
      ? tooLarge(name, maxBytes)
      : new DecompressError(name, "corrupt", "corrupt", error);
  }
  if (decoded.length > maxBytes) throw tooLarge(name, maxBytes);
  return decoded;
}

function tooLarge(name: "gzip" | "zstd", maxBytes: number): DecompressError {
  return new DecompressError(name, "too-large", `more than ${maxBytes} bytes`);
}

/** gzip by node:zlib, at zlib's default level. */
export const gzipCodec: Codec = {
  name: "gzip",
  id: compressionIdOf("gzip"),
  compress: (bytes) => gzipSync(bytes),
  decompress: (bytes, maxBytes) =>
    decompressLimited("gzip", maxBytes, (maxOutputLength) =>
      gunzipSync(bytes, { maxOutputLength, chunkSize: pieceBytes(bytes.length, maxBytes) }),
    ),
};

/**
 * zstd by node:zlib, at level 3. Windows of up to 128 MiB are accepted, as Java's clients do: the
 * memory for one is reserved, but only touched as far as the capped output reaches.
 */
export const zstdCodec: Codec = {
  name: "zstd",
  id: compressionIdOf("zstd"),
  compress: (bytes) =>
    zstdCompressSync(bytes, {
      pledgedSrcSize: bytes.length,
      params: { [constants.ZSTD_c_compressionLevel]: 3 },
    }),
  decompress: (bytes, maxBytes) =>
    decompressLimited("zstd", maxBytes, (maxOutputLength) =>
      zstdDecompressSync(bytes, { maxOutputLength, chunkSize: pieceBytes(bytes.length, maxBytes) }),
    ),
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
      const plan = planSnappy(bytes, maxBytes);
      const [only] = plan.chunks;
      if (only !== undefined && plan.chunks.length === 1) {
        return uncompressChunk(snappy, bytes.subarray(only.start, only.end));
      }
      const output = new Uint8Array(plan.decompressedBytes);
      let at = 0;
      for (const { start, end } of plan.chunks) {
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

/** All five codecs, and which of them stand in for a native one. */
export interface NodeCodecs {
  readonly codecs: CodecSet;
  /** Why snappy runs in JavaScript, for the log at start; undefined where it is native. */
  readonly snappyFallbackCause: unknown;
}

/** Loads the codecs. Loads modules, so call it once, at start. Never throws. */
export function loadCodecs(): NodeCodecs {
  const snappy = loadOptional<SnappyPackage>("snappy");
  const isNative = snappy.kind === "loaded";
  const codecs = {
    gzip: gzipCodec,
    zstd: zstdCodec,
    snappy: isNative ? nativeSnappyCodec(snappy.package) : snappyCodec,
    lz4: lz4Codec,
  };
  return { codecs, snappyFallbackCause: isNative ? undefined : snappy.cause };
}
