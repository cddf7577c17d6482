import { parseFileName } from "./file-names.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogFiles } from "./log-files.ts";
import type { RetainedLog, RetentionRules } from "./retention.ts";
import { Segment } from "./segment.ts";

/**
 * What retention has to know of a log that is not open, from its folder: the names; the sizes, where
 * the rules count bytes; and of the oldest segment alone the last entry of its index and the batches
 * behind it. Nothing is recovered and nothing is kept open. Undefined: the log has no segment.
 *
 * Where the log really begins and ends the caller does not know either. So what this says may be due
 * is decided again once the log is open; only records that nobody can read may stay for longer.
 * Throws a DiskError.
 */
export function lookAtLog(
  files: LogFiles,
  config: LogConfig,
  rules: RetentionRules,
): RetainedLog | undefined {
  const bases: number[] = [];
  for (const name of files.disk.list(files.directory)) {
    const parsed = parseFileName(name);
    if (parsed?.kind === "log") bases.push(parsed.offset);
  }
  if (bases.length === 0) return undefined;
  // In the order of names, which is that of offsets.
  const seesBytes = rules.retentionBytes >= 0;
  const segments = bases.map((baseOffset, index) => {
    const isOldest = index === 0;
    return lookAtSegment(new Segment(files, baseOffset), config, { isOldest, seesBytes });
  });
  const end = Number.MAX_SAFE_INTEGER;
  return { segments, logStartOffset: 0, highWatermark: end, logEndOffset: end };
}

function lookAtSegment(
  segment: Segment,
  config: LogConfig,
  wanted: { readonly isOldest: boolean; readonly seesBytes: boolean },
): RetainedLog["segments"][number] {
  const { baseOffset } = segment;
  try {
    const sizeBytes = wanted.isOldest || wanted.seesBytes ? segment.sizeBytes : 0;
    // A younger segment's time matters once the oldest is gone; until then it is never old.
    const isTimed = wanted.isOldest && sizeBytes > 0;
    const largestTimestamp = isTimed ? segment.largestTimestamp(config) : Number.POSITIVE_INFINITY;
    return { baseOffset, sizeBytes, largestTimestamp };
  } finally {
    segment.close();
  }
}
