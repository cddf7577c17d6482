import { cleanable, type Cleanable, type CompactionRules } from "../compaction/cleanable.ts";
import type { ColdPart } from "./cold-part.ts";

/** A part from where the one before it ends: below, that one is read. */
export interface ClippedPart {
  readonly part: ColdPart;
  readonly baseOffset: number;
  readonly endOffset: number;
}

/** The parts, which are in order, each from where the one before it ends. */
export function clippedParts(parts: Iterable<ColdPart>): readonly ClippedPart[] {
  const clipped: ClippedPart[] = [];
  for (const part of parts) {
    const baseOffset = Math.max(part.baseOffset, clipped.at(-1)?.endOffset ?? part.baseOffset);
    clipped.push({ part, baseOffset, endOffset: part.nextOffset });
  }
  return clipped;
}

export interface ColdCleanableLog {
  readonly clipped: readonly ClippedPart[];
  /** Where the clean part ends. */
  readonly cleanedTo: number;
  readonly logStartOffset: number;
  readonly lastStableOffset: number;
  /** ms; of the first batches of the part at `cleanedTo`. Absent: nobody asked. */
  readonly firstDirtyTimestamp?: number;
}

/**
 * Which of a partition's cold parts may be compacted, and whether it is time to: as `cleanable` says
 * of segments, but as each round costs requests, not while less than `dirtyBytesMin` is dirty, unless
 * a record waits for `max.compaction.lag.ms`. Undefined: there is nothing dirty that may be touched.
 *
 * All parts are closed, so the last may be among them.
 */
export function coldCleanable(
  log: ColdCleanableLog,
  rules: CompactionRules,
  when: { readonly nowMs: number; readonly dirtyBytesMin: number },
): Cleanable | undefined {
  const { cleanedTo, clipped, firstDirtyTimestamp } = log;
  const last = clipped.at(-1);
  if (last === undefined) return undefined;
  const segments = clipped.map(({ baseOffset, part }) => {
    const isFirstDirty = baseOffset === cleanedTo;
    return {
      baseOffset,
      sizeBytes: part.batchesBytes,
      largestTimestamp: part.maxTimestamp,
      firstTimestamp: (isFirstDirty ? firstDirtyTimestamp : undefined) ?? part.maxTimestamp,
    };
  });
  const end = { sizeBytes: 0, largestTimestamp: -1, firstTimestamp: -1 };
  const { lastStableOffset, logStartOffset } = log;
  const facts = {
    segments: [...segments, { ...end, baseOffset: last.endOffset }],
    ...{ cleanedTo, lastStableOffset, logStartOffset },
    // No restart cuts or verifies what is in the object store.
    settledOffset: last.endOffset,
  };
  const found = cleanable(facts, rules, when.nowMs);
  if (found === undefined) return undefined;
  const { firstDirtyOffset, firstUncleanableOffset } = found;
  let dirtyBytes = 0;
  for (const { baseOffset, endOffset, part } of clipped) {
    const isDirty = endOffset > firstDirtyOffset && baseOffset < firstUncleanableOffset;
    if (isDirty) dirtyBytes += part.batchesBytes;
  }
  if (dirtyBytes >= when.dirtyBytesMin) return found;
  // No share is above the whole: only a record that waited for too long makes it due.
  const isDue = cleanable(facts, { ...rules, minCleanableDirtyRatio: 1 }, when.nowMs)?.isDue;
  return { ...found, isDue: isDue === true };
}
