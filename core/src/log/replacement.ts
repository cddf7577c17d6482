import type { Disk } from "../ports/disk.ts";
import { fileName, parseFileName } from "./file-names.ts";

/**
 * How one cleaned segment takes the place of neighbours, so that a death at any moment leaves all of
 * the old ones or the new one.
 *
 * A replacement of the segments that begin in [base, end) is written beside them:
 *
 * 1. `{base}-{end}.cleaned` is written and synced. Dying here leaves the old segments; the file is a
 *    stray that the next open removes.
 * 2. It is renamed to `{base}-{end}.swap`, and the folder synced: from here on the new segment counts.
 *    Whether the rename survived or not, what is there is whole: the old segments are, too. Who finds
 *    a `.swap` at a start syncs the folder before anything else, for the one that died before.
 * 3. Every old segment in [base, end) is removed, and the folder synced. Dying here, with any of the
 *    removals done and any of them brought back, leaves the `.swap`, which says what has to go.
 * 4. The `.swap` is renamed to `{base}.log`. It is the only file of the range now, durably, so that
 *    whether this rename survives makes no difference: with the `.swap` steps 3 and 4 are done again.
 *
 * Only one replacement of a log is under way at a time, and after one that failed behind step 1 no
 * other is begun before the log is opened anew: a `.swap` that was left must not be finished over a
 * newer one. The indexes come after step 3, as hints: without them they are made again.
 *
 * Why recovery never meets a gap that it would take for a loss: what is replaced lies below every
 * offset from which on a restart may verify or cut the log (its dirty mark's, its first journal
 * entry's), and neither ever falls.
 */
export interface ReplacedRange {
  readonly baseOffset: number;
  /** Where the first segment begins that is not replaced. */
  readonly endOffset: number;
}

const pattern = /^([0-9]{20})-([0-9]{20})\.(cleaned|swap|index\.cleaned|timeindex\.cleaned)$/;

export type BesideKind = "cleaned" | "swap" | "index.cleaned" | "timeindex.cleaned";

export function besideName({ baseOffset, endOffset }: ReplacedRange, kind: BesideKind): string {
  return `${digits(baseOffset)}-${digits(endOffset)}.${kind}`;
}

/** Undefined for a name that is none of ours. */
export function parseBesideName(
  name: string,
): (ReplacedRange & { readonly kind: BesideKind }) | undefined {
  const [, base, end, kind] = pattern.exec(name) ?? [];
  const [baseOffset, endOffset] = [Number(base), Number(end)];
  if (!Number.isSafeInteger(baseOffset) || !Number.isSafeInteger(endOffset)) return undefined;
  return { baseOffset, endOffset, kind: kind as BesideKind };
}

/**
 * Finishes the replacement that a death left half done, if one is there. Before the log is opened:
 * until then its segments may be neither all of the old ones nor the new one. `names`: the files in
 * the folder.
 */
export async function finishReplacements(
  disk: Disk,
  directory: string,
  names: readonly string[],
): Promise<void> {
  const swaps = names.flatMap((name) => {
    const parsed = parseBesideName(name);
    return parsed?.kind === "swap" ? [parsed] : [];
  });
  if (swaps.length === 0) return;
  // The process may have died alone: its last rename is seen, and power could still take it back.
  await disk.syncDirectory(directory);
  for (const name of names) {
    const isReplaced = swaps.some((range) => isSegmentFile(name, range));
    if (isReplaced) disk.remove(`${directory}/${name}`);
  }
  await disk.syncDirectory(directory);
  for (const range of swaps) {
    const to = fileName(range.baseOffset, "log");
    disk.rename(`${directory}/${besideName(range, "swap")}`, `${directory}/${to}`);
  }
  await disk.syncDirectory(directory);
}

/** Whether the file is a segment that begins in the range, or an index of one. */
function isSegmentFile(name: string, { baseOffset, endOffset }: ReplacedRange): boolean {
  const parsed = parseFileName(name);
  if (parsed === undefined || parsed.kind === "snapshot") return false;
  return parsed.offset >= baseOffset && parsed.offset < endOffset;
}

function digits(offset: number): string {
  return String(offset).padStart(20, "0");
}
