import { DiskError } from "../ports/disk.ts";
import { isCompactedAway, readCompactedGaps } from "./compacted-gaps.ts";
import { missing } from "./log-files.ts";
import type { LogOptions } from "./log-options.ts";
import type { SegmentList } from "./segment-list.ts";
import type { Segment } from "./segment.ts";

interface Dropped {
  readonly isAny: boolean;
  /** Of them, those that could not be read to their end. */
  readonly damaged: number;
}

/**
 * Removes segments that were deleted in an earlier life and are there nevertheless: a death came
 * after the start was stored, or a loss of power brought their names back, some and not others. To
 * be done before anything is recovered, which would take the others for lost, and with them all that
 * follows.
 *
 * Below the stored start nothing is needed. Of what is in the object store as well the hot copies go
 * that are cut off from the log's end, by a file that is missing or by one that is damaged. Where
 * only offsets are missing that compaction left nothing of, nothing is cut off. Where the object
 * store does not give them back, damage stays, and a file that is missing is a DiskError.
 */
export function dropDeleted(segments: SegmentList, options: LogOptions): Dropped {
  const { coldEndOffset = -1, startOffset } = options;
  let isAny = segments.removeBefore(startOffset).length > 0;
  let damaged = 0;
  // Most logs have no gap, and need no look at the file.
  let gaps: ReturnType<typeof readCompactedGaps> | undefined;
  for (let index = 0; ; ) {
    const [segment, following] = segments.all.slice(index, index + 2);
    if (segment === undefined || following === undefined) break;
    if (following.baseOffset > coldEndOffset) break;
    const end = endOf(segment, options);
    index += 1;
    if (end === following.baseOffset) continue;
    const to = following.baseOffset;
    if (end !== "damaged") {
      gaps ??= readCompactedGaps(options);
      if (isCompactedAway(gaps, { from: end, to })) continue;
    }
    const from = Math.max(startOffset, segments.all[0]?.baseOffset ?? startOffset);
    const damagedFrom = end === "damaged" ? segment.baseOffset : to;
    if (options.isCovered?.({ from, damagedFrom, to }) === false) {
      // Damage is met again by whoever reads it. A gap would be read over.
      if (end === "damaged") continue;
      throw missing(segment.path);
    }
    if (end === "damaged") damaged += 1;
    segments.removeBefore(following.baseOffset);
    isAny = true;
    index = 0;
  }
  return { isAny, damaged };
}

function endOf(segment: Segment, { config }: LogOptions): number | "damaged" {
  try {
    const { damagedAt, nextOffset } = segment.tail(config);
    return damagedAt < 0 ? nextOffset : "damaged";
  } catch (error) {
    if (error instanceof DiskError) return "damaged";
    throw error;
  }
}
