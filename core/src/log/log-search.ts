import type { LogConfig } from "./log-config.ts";
import type { FoundRecord, TimestampQuery } from "./segment-rules.ts";
import type { Segment } from "./segment.ts";

interface Searched {
  readonly segments: readonly Segment[];
  readonly config: LogConfig;
  /** Exclusive: what is found at or above it is not told. */
  readonly upTo: number;
}

/** The first record in the segments that the query wants. */
export function findByTimestamp(
  { config, segments, upTo }: Searched,
  query: TimestampQuery,
): FoundRecord | undefined {
  for (const segment of segments) {
    const tail = segment.tail(config);
    if (tail.maxTimestamp < query.timestamp || tail.nextOffset <= query.startOffset) continue;
    const found = segment.findByTimestamp(query, config);
    if (found !== undefined) return found.offset < upTo ? found : undefined;
  }
  return undefined;
}

/** The first record at or after `startOffset` with the largest timestamp of the segments. */
export function findMaxTimestamp(
  { config, segments, upTo }: Searched,
  startOffset: number,
): FoundRecord | undefined {
  let best: Segment | undefined;
  let timestamp = -1;
  for (const segment of segments) {
    const { maxTimestamp } = segment.tail(config);
    if (maxTimestamp <= timestamp) continue;
    best = segment;
    timestamp = maxTimestamp;
  }
  const found = best?.findByTimestamp({ timestamp, startOffset }, config);
  return found !== undefined && found.offset < upTo ? found : undefined;
}
