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
  /** `segment.jitter.ms`, already drawn: taken off `segmentMs`. */
  readonly segmentJitterMs?: number;
}
