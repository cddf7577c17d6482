/** When a partition's log begins a new segment. Names after the topic configurations of Kafka. */
export interface LogConfig {
  /** `segment.bytes`. */
  readonly segmentBytes: number;
  /** `segment.ms`: by the records' timestamps; by wall time for records without any. */
  readonly segmentMs: number;
  /** `segment.index.bytes`: the most bytes of the larger of a segment's two indexes. */
  readonly segmentIndexBytes: number;
  /** `index.interval.bytes`: log bytes between two index entries. */
  readonly indexIntervalBytes: number;
  /** `segment.jitter.ms`: the most that is taken off `segmentMs`. */
  readonly segmentJitterMs?: number;
  /** How much of it is, from 0 to less than 1: drawn once for each log. */
  readonly segmentJitterShare?: number;
}

/** ms after which a segment is closed. */
export function rollAfterMs(config: LogConfig): number {
  const { segmentJitterMs = 0, segmentJitterShare = 0, segmentMs } = config;
  return segmentMs - Math.floor(Math.min(segmentJitterMs, segmentMs) * segmentJitterShare);
}
