/**
 * Which part of a log may be compacted, and whether it is time to, as Kafka's log cleaner decides
 * it.
 *
 *     log start … firstDirtyOffset … firstUncleanableOffset … log end
 *        clean            dirty             not to be touched
 *
 * Only whole closed segments are cleanable. The first uncleanable one is the first that reaches past
 * the last stable offset (its transactions are not decided), past `settledOffset` (a restart may
 * still cut or verify it), or that has a record younger than `min.compaction.lag.ms`; at the latest
 * the active one.
 */

/** A segment; its end is where the next one begins. The last one takes the appends. */
export interface CleanableSegment {
  readonly baseOffset: number;
  readonly sizeBytes: number;
  /** ms; where no batch has one, when it was last written to. */
  readonly largestTimestamp: number;
  /** Of its first batch, ms; -1: none. */
  readonly firstTimestamp: number;
}

export interface CleanableLog {
  readonly segments: readonly CleanableSegment[];
  readonly logStartOffset: number;
  /** Up to where an earlier round has cleaned; undefined: nobody knows. */
  readonly cleanedTo: number | undefined;
  readonly lastStableOffset: number;
  /** No restart will look again at what lies below. */
  readonly settledOffset: number;
}

/** The names are those of TopicSettings. */
export interface CompactionRules {
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly minCleanableDirtyRatio: number;
}

export interface Cleanable {
  readonly firstDirtyOffset: number;
  readonly firstUncleanableOffset: number;
  /** Of dirty bytes among all that are not uncleanable. */
  readonly dirtyRatio: number;
  /** Whether a round is due: by the ratio, or because a record waits for `max.compaction.lag.ms`. */
  readonly isDue: boolean;
}

/** Undefined: there is nothing dirty that may be touched. */
export function cleanable(
  log: CleanableLog,
  rules: CompactionRules,
  nowMs: number,
): Cleanable | undefined {
  const closed = log.segments.slice(0, -1);
  const firstDirtyOffset = firstDirty(log);
  let cleanBytes = 0;
  let dirtyBytes = 0;
  let firstUncleanableOffset = firstDirtyOffset;
  let isOverdue = false;
  for (const [index, segment] of closed.entries()) {
    const end = log.segments[index + 1]?.baseOffset ?? segment.baseOffset;
    if (end > log.lastStableOffset || end > log.settledOffset) break;
    if (end <= firstDirtyOffset) {
      cleanBytes += segment.sizeBytes;
      continue;
    }
    if (isTooYoung(segment, rules, nowMs)) break;
    dirtyBytes += segment.sizeBytes;
    firstUncleanableOffset = end;
    isOverdue ||= isTooOld(segment, rules, nowMs);
  }
  if (firstUncleanableOffset <= firstDirtyOffset || cleanBytes + dirtyBytes === 0) return undefined;
  const dirtyRatio = dirtyBytes / (cleanBytes + dirtyBytes);
  const isDue = (isOverdue && dirtyBytes > 0) || dirtyRatio > rules.minCleanableDirtyRatio;
  return { firstDirtyOffset, firstUncleanableOffset, dirtyRatio, isDue };
}

/** A log that was cut below what was cleaned is dirty from its start on. */
function firstDirty({ cleanedTo, logStartOffset, segments }: CleanableLog): number {
  const active = segments.at(-1)?.baseOffset ?? logStartOffset;
  // Of a tiered log the older part is not here.
  const start = Math.max(logStartOffset, segments[0]?.baseOffset ?? logStartOffset);
  if (cleanedTo === undefined || cleanedTo > active) return start;
  return Math.max(cleanedTo, start);
}

function isTooYoung(segment: CleanableSegment, rules: CompactionRules, nowMs: number): boolean {
  const { minCompactionLagMs } = rules;
  return minCompactionLagMs > 0 && segment.largestTimestamp > nowMs - minCompactionLagMs;
}

function isTooOld(segment: CleanableSegment, rules: CompactionRules, nowMs: number): boolean {
  const latest = nowMs - rules.maxCompactionLagMs;
  return latest > 0 && segment.firstTimestamp > 0 && segment.firstTimestamp < latest;
}
