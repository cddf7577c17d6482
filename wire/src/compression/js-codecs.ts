import type { CodecSet } from "./codec.ts";
import { lz4Codec } from "./lz4.ts";
import { snappyCodec } from "./snappy.ts";

/** The codecs that need nothing outside this package. gzip and zstd come from an adapter. */
export const jsCodecs: CodecSet = { snappy: snappyCodec, lz4: lz4Codec };
