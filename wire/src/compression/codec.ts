/** The names of the codecs, as Kafka's `compression.type` has them. */
export type CompressionType = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/** A compression type that needs a codec. */
export type CodecName = Exclude<CompressionType, "none">;

/** The ids that a batch's attributes carry, in their order. */
const typesById: readonly CompressionType[] = ["none", "gzip", "snappy", "lz4", "zstd"];

/** The compression type of an id (the three low bits of the attributes); undefined for 5 to 7. */
export function compressionTypeOf(id: number): CompressionType | undefined {
  return typesById[id];
}

/** The id that a batch's attributes carry for a compression type. */
export function compressionIdOf(type: CompressionType): number {
  return typesById.indexOf(type);
}

/**
 * One compression format as Kafka frames it. Both functions are synchronous: they hold the event
 * loop for as long as they work, so large batches belong in a worker thread.
 */
export interface Codec {
  readonly name: CodecName;
  /** The id in the batch's attributes. */
  readonly id: number;
  /**
   * Returns bytes of their own, not a view of shared memory. `level`: as Kafka counts those of this
   * codec; by default Kafka's. snappy has none.
   */
  compress(bytes: Uint8Array, level?: number): Uint8Array;
  /**
   * Returns at most `maxBytes`, in memory of their own, and never allocates more than that for
   * them. Throws DecompressError for anything else: what a client sent may be any bytes.
   */
  decompress(bytes: Uint8Array, maxBytes: number): Uint8Array;
}

/** The codecs that are at hand. One that is missing makes its batches `unsupported-compression`. */
export type CodecSet = { readonly [Name in CodecName]?: Codec };

/** `corrupt`: not what the format allows. `too-large`: would exceed the given limit. */
export type DecompressFailure = "corrupt" | "too-large";

/** The one failure of decompression. Never retriable: the bytes stay what they are. */
export class DecompressError extends Error {
  readonly codec: CodecName;
  readonly failure: DecompressFailure;

  constructor(codec: CodecName, failure: DecompressFailure, detail: string, cause?: unknown) {
    super(`${codec}: ${detail}`, cause === undefined ? undefined : { cause });
    this.name = "DecompressError";
    this.codec = codec;
    this.failure = failure;
  }
}
