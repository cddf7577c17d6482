import type { LogConfig, TopicSettings } from "@millrace/core";

/** What of a topic's settings its logs go by. Their share of the jitter is drawn at their opening. */
export function logConfigOf(settings: TopicSettings): Omit<LogConfig, "segmentJitterShare"> {
  const { cleanupPolicy, indexIntervalBytes, segmentBytes, segmentIndexBytes } = settings;
  const { maxCompactionLagMs, segmentJitterMs } = settings;
  // As in Kafka: only closed segments are compacted, so that a record may not wait in an open one.
  const segmentMsMax = cleanupPolicy.compact ? maxCompactionLagMs : settings.segmentMs;
  const segmentMs = Math.min(settings.segmentMs, segmentMsMax);
  return { indexIntervalBytes, segmentBytes, segmentIndexBytes, segmentJitterMs, segmentMs };
}
