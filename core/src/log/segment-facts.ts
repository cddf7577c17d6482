import type { LogConfig } from "./log-config.ts";
import type { Segment } from "./segment.ts";

/** Looked up when asked for: a segment of an old log is not opened before. May throw a DiskError. */
export interface SegmentFacts {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly sizeBytes: number;
  /** ms; -1: no batch has a timestamp. */
  readonly maxTimestamp: number;
  /** The same; where no batch has one, when the file was last written to. */
  readonly largestTimestamp: number;
}

export function segmentFacts(segment: Segment, config: LogConfig): SegmentFacts {
  return {
    baseOffset: segment.baseOffset,
    get nextOffset() {
      return segment.tail(config).nextOffset;
    },
    get sizeBytes() {
      return segment.sizeBytes;
    },
    get maxTimestamp() {
      return segment.tail(config).maxTimestamp;
    },
    get largestTimestamp() {
      return segment.largestTimestamp(config);
    },
  };
}
