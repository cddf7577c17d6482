import { deadAfter, type IncarnationId, readGapMsMax, type Watch } from "@millrace/core";
import { moveLookMs } from "./limits.ts";

/**
 * When a look is worth more than one of the rhythm: when it would first find a member dead that stands
 * still now, and again and again while that is acted on. In monotonic ms, or infinity. It saves up to
 * a whole interval of a takeover, twice.
 */
export function nextDeathMs(watch: Watch, self: IncarnationId): number {
  const { readBegunMs } = watch;
  let nextMs = Number.POSITIVE_INFINITY;
  if (readBegunMs === undefined) return nextMs;
  for (const [incarnation, seen] of watch.seen) {
    if (incarnation === self || watch.declared.has(incarnation)) continue;
    const dueMs = seen.sinceMs + deadAfter(seen);
    // Further away regular looks come first, without which nothing would be under watch.
    const isSoon = dueMs > readBegunMs && dueMs - readBegunMs < readGapMsMax;
    if (isSoon) nextMs = Math.min(nextMs, dueMs);
    // Somebody else acts on it about now, and whoever is given its slots has to hear that at once.
    const isNow = dueMs <= readBegunMs && readBegunMs - dueMs < readGapMsMax;
    if (isNow) nextMs = Math.min(nextMs, readBegunMs + moveLookMs);
  }
  return nextMs;
}
