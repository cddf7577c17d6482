import type { LogOptions } from "./log-options.ts";
import type { SegmentList } from "./segment-list.ts";

/**
 * Removes segments that were deleted in an earlier life and are there nevertheless: a death came
 * after the start was stored, or a loss of power brought their names back, some and not others. To
 * be done before anything is recovered, which would take the others for lost, and with them all that
 * follows. Returns whether there were any.
 *
 * Below the stored start nothing is needed. Of what is in the object store as well the hot copies go
 * that are cut off from the log's end.
 */
export function dropDeleted(segments: SegmentList, options: LogOptions): boolean {
  const { coldEndOffset, config, startOffset } = options;
  let dropped = segments.removeBefore(startOffset).length > 0;
  if (coldEndOffset === undefined) return dropped;
  for (const [index, segment] of segments.all.entries()) {
    const following = segments.all[index + 1];
    if (following === undefined || following.baseOffset > coldEndOffset) return dropped;
    if (segment.tail(config).nextOffset === following.baseOffset) continue;
    segments.removeBefore(following.baseOffset);
    dropped = true;
    return dropDeleted(segments, options) || dropped;
  }
  return dropped;
}
