import type { RetainedSegment } from "./retention.ts";

/** A part of the log in the object store, as retention sees it. See ColdPart. */
export interface ColdStretch {
  readonly baseOffset: number;
  /** Exclusive. */
  readonly nextOffset: number;
  readonly batchesBytes: number;
  /** ms; -1: no batch has a timestamp. */
  readonly maxTimestamp: number;
}

/**
 * The log of both tiers as segments, each stretch of offsets once: what is hot as its own segments
 * tell, which is exact, and before that what is cold only.
 *
 * Of a part that is cold only up to somewhere its share by offsets is counted. One without a
 * timestamp is as old as what follows it: nothing tells when it was written, and retention takes
 * older ones first anyway.
 */
export function acrossTiers(
  cold: Iterable<ColdStretch>,
  hot: readonly RetainedSegment[],
): readonly RetainedSegment[] {
  const onlyCold = clipped(cold, hot[0]?.baseOffset ?? Number.MAX_SAFE_INTEGER);
  let younger = hot[0];
  const segments: RetainedSegment[] = [];
  for (const { baseOffset, maxTimestamp, sizeBytes } of onlyCold.toReversed()) {
    const following = younger;
    younger =
      maxTimestamp >= 0
        ? { baseOffset, sizeBytes, largestTimestamp: maxTimestamp }
        : {
            ...{ baseOffset, sizeBytes },
            // Looked up when asked for, as the hot segment's is.
            get largestTimestamp() {
              return following?.largestTimestamp ?? Number.POSITIVE_INFINITY;
            },
          };
    segments.push(younger);
  }
  return [...segments.toReversed(), ...hot];
}

interface Clipped {
  readonly baseOffset: number;
  readonly sizeBytes: number;
  readonly maxTimestamp: number;
}

function clipped(cold: Iterable<ColdStretch>, hotStart: number): readonly Clipped[] {
  const parts: Clipped[] = [];
  let end = 0;
  for (const { baseOffset, batchesBytes, maxTimestamp, nextOffset } of cold) {
    const from = Math.max(baseOffset, end);
    const to = Math.min(nextOffset, hotStart);
    if (from >= to) continue;
    const share = (to - from) / (nextOffset - baseOffset);
    parts.push({ baseOffset: from, sizeBytes: Math.floor(batchesBytes * share), maxTimestamp });
    end = to;
  }
  return parts;
}
