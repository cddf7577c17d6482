import type { LogConfig, TopicSettings } from "@millrace/core";

/** What of a topic's settings its logs go by. The jitter is drawn where a log is opened. */
export function logConfigOf(settings: TopicSettings): Omit<LogConfig, "segmentJitterMs"> {
  const { indexIntervalBytes, segmentBytes, segmentIndexBytes, segmentMs } = settings;
  return { indexIntervalBytes, segmentBytes, segmentIndexBytes, segmentMs };
}
