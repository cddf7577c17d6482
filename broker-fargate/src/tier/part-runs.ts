import type { ColdPart } from "@millrace/core";

/**
 * The packed parts up to the first gap, from `end` on. A gap is what a death left of a deletion of
 * all that was there: the segments go at once, packed parts with the next section.
 */
export function following(end: number, packed: readonly ColdPart[]): readonly ColdPart[] {
  let to = end;
  const gap = packed.findIndex(({ baseOffset, nextOffset }) => {
    if (baseOffset > to) return true;
    to = Math.max(to, nextOffset);
    return false;
  });
  return gap < 0 ? packed : packed.slice(0, gap);
}

/**
 * The segments after the last gap. What lies before it is below the log's start: parts go from the
 * front only, and where that failed, later ones may be gone and earlier ones not.
 */
export function lastRun(segments: readonly ColdPart[]): readonly ColdPart[] {
  const gap = segments.findLastIndex(({ baseOffset }, i) => {
    const before = segments[i - 1];
    return before !== undefined && before.nextOffset !== baseOffset;
  });
  return segments.slice(Math.max(0, gap));
}
