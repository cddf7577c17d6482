/**
 * Which segments of a log retention takes, as Kafka decides it: by what DeleteRecords or an earlier
 * deletion made unreadable, by size, then by age.
 *
 * Always the oldest ones, without a gap, and nothing at or above the high watermark. Both tiers are
 * segments here: whoever asks gives each stretch of offsets once, from the tier that serves it.
 */

/** One stretch of the log. Its end is where the next one begins, or the log's end. */
export interface RetainedSegment {
  readonly baseOffset: number;
  readonly sizeBytes: number;
  /** Of its records, ms; where none has a timestamp, when it was last written to. */
  readonly largestTimestamp: number;
}

export interface RetainedLog<Segment extends RetainedSegment = RetainedSegment> {
  /** Oldest first; the last one may be empty. */
  readonly segments: readonly Segment[];
  readonly logStartOffset: number;
  readonly highWatermark: number;
  readonly logEndOffset: number;
}

/** The names are those of TopicSettings. Below 0: no bound. */
export interface RetentionRules {
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly cleanupPolicy: { readonly delete: boolean };
}

/** -2: as much as `retentionMs` and `retentionBytes` say. */
export interface LocalRetentionRules extends RetentionRules {
  readonly localRetentionMs: number;
  readonly localRetentionBytes: number;
}

/** `startOffset`: nobody can read the segment any more. */
export type RetentionReason = "startOffset" | "size" | "time";

/** So many of the oldest segments go, for one reason. */
export interface RetentionStep {
  readonly reason: RetentionReason;
  /** Where the last of them ends: what is kept begins there. */
  readonly upTo: number;
  readonly segments: number;
  readonly bytes: number;
}

const asRetention = -2;

/**
 * What goes from the log, in this order; none where nothing is due. The log's start moves to the
 * last step's `upTo` unless it is there already. That may be the log's end: then the active segment
 * goes, too, and the log begins an empty one.
 */
export function decideRetention(
  log: RetainedLog,
  rules: RetentionRules,
  nowMs: number,
): readonly RetentionStep[] {
  const taking = new Taking(log, log.highWatermark);
  taking.below(log.logStartOffset);
  if (!rules.cleanupPolicy.delete) return taking.steps;
  taking.beyondBytes(rules.retentionBytes);
  taking.olderThan(rules.retentionMs, nowMs);
  return taking.steps;
}

/**
 * Which hot copies go that the other tier has as well. `log.segments` are the hot ones; nothing at
 * or above `tieredEnd` goes. What the log keeps as a whole, and for how long, does not change.
 */
export function decideLocalRetention(
  log: RetainedLog & { readonly tieredEnd: number },
  rules: LocalRetentionRules,
  nowMs: number,
): readonly RetentionStep[] {
  const taking = new Taking(log, Math.min(log.highWatermark, log.tieredEnd));
  taking.below(log.logStartOffset);
  // A log that nothing is ever deleted from keeps its hot copies unless it is told otherwise.
  const whole = rules.cleanupPolicy.delete ? rules : { retentionMs: -1, retentionBytes: -1 };
  const { localRetentionBytes: bytes, localRetentionMs: ms } = rules;
  taking.beyondBytes(bytes === asRetention ? whole.retentionBytes : bytes);
  taking.olderThan(ms === asRetention ? whole.retentionMs : ms, nowMs);
  return taking.steps;
}

/**
 * The wall time at which retention may have something to do if nothing changes until then; infinite
 * for never. For logs that nobody writes to.
 */
export function retentionDueMs(log: RetainedLog, rules: RetentionRules, nowMs: number): number {
  if (decideRetention(log, rules, nowMs).length > 0) return nowMs;
  const [oldest] = log.segments;
  if (oldest === undefined || !rules.cleanupPolicy.delete) return Number.POSITIVE_INFINITY;
  const isEmpty = log.segments.length === 1 && oldest.sizeBytes === 0;
  if (isEmpty || rules.retentionMs < 0) return Number.POSITIVE_INFINITY;
  return oldest.largestTimestamp + rules.retentionMs + 1;
}

/** The oldest segments that are not taken yet, from `#next` on. */
class Taking {
  readonly steps: RetentionStep[] = [];
  readonly #log: RetainedLog;
  readonly #endMax: number;
  #next = 0;

  constructor(log: RetainedLog, endMax: number) {
    this.#log = log;
    this.#endMax = endMax;
  }

  below(logStartOffset: number): void {
    const lastIndex = this.#log.segments.length - 1;
    // The active segment stays: its name keeps the end of a log whose every record is gone.
    this.#take("startOffset", (_, end) => end <= logStartOffset && this.#next < lastIndex);
  }

  /** At least `bytes` are kept. */
  beyondBytes(bytes: number): void {
    if (bytes < 0) return;
    let surplus = -bytes;
    for (const { sizeBytes } of this.#log.segments.slice(this.#next)) surplus += sizeBytes;
    this.#take("size", ({ sizeBytes }) => {
      if (sizeBytes > surplus) return false;
      surplus -= sizeBytes;
      return true;
    });
  }

  olderThan(ms: number, nowMs: number): void {
    if (ms < 0) return;
    this.#take("time", ({ largestTimestamp }) => nowMs - largestTimestamp > ms);
  }

  #take(reason: RetentionReason, isDue: (segment: RetainedSegment, end: number) => boolean): void {
    const { segments, logEndOffset } = this.#log;
    const first = this.#next;
    let upTo = 0;
    let bytes = 0;
    for (;;) {
      const segment = segments[this.#next];
      const following = segments[this.#next + 1];
      const end = following?.baseOffset ?? logEndOffset;
      if (segment === undefined || end > this.#endMax) break;
      const isLastAndEmpty = following === undefined && segment.sizeBytes === 0;
      if (isLastAndEmpty || !isDue(segment, end)) break;
      bytes += segment.sizeBytes;
      upTo = end;
      this.#next += 1;
    }
    const taken = this.#next - first;
    if (taken > 0) this.steps.push({ reason, upTo, segments: taken, bytes });
  }
}
