import { cleanBatches, indexBatches, KeyMap } from "@millrace/core";
import type {
  CleanOrder,
  CleanReport,
  CompactionTools,
  IndexOrder,
  PlainValue,
  SideOutcome,
  SideTasks,
} from "@millrace/core";

/**
 * Puts the keys of a piece of the log into the map. Bytes: the memory that the piece begins, and the
 * map, which is shared; back comes the memory. Told: PieceTold; says: IndexReport.
 */
export const indexTask = "compaction-index";

/**
 * Cleans a piece of the log. Bytes: the same; back comes the memory, which what is left of the piece
 * begins; where that has no room there, it follows. Told: PieceTold; says: CleanSaid.
 */
export const cleanTask = "compaction-clean";

export interface PieceTold {
  readonly order: IndexOrder | CleanOrder;
  readonly pieceBytes: number;
}

export interface CleanSaid {
  readonly report: CleanReport;
  readonly leftBytes: number;
}

/** The record work of compaction, for a thread. */
export function compactionTasks(tools: CompactionTools): SideTasks {
  return {
    [indexTask]: (asked) => {
      const { batches, map, memory, order } = pieceOf(asked);
      const report = indexBatches(batches, map, order as IndexOrder, tools);
      return { says: report as unknown as PlainValue, bytes: [memory] };
    },
    [cleanTask]: (asked): SideOutcome => {
      const { batches, map, memory, order } = pieceOf(asked);
      const { parts, report } = cleanBatches(batches, map, order as CleanOrder, tools);
      const left = packed(parts, batches) ?? joined(parts);
      const says: CleanSaid = { report, leftBytes: left.length };
      const bytes = left.buffer === memory.buffer ? [memory] : [memory, left];
      return { says: says as unknown as PlainValue, bytes };
    },
  };
}

interface AskedPiece extends Pick<PieceTold, "order"> {
  readonly batches: Uint8Array;
  readonly memory: Uint8Array;
  readonly map: KeyMap;
}

function pieceOf({ bytes, told }: Parameters<SideTasks[string]>[0]): AskedPiece {
  const [memory, map] = bytes;
  if (memory === undefined || map === undefined) throw new TypeError("a piece and a key map");
  const { order, pieceBytes } = told as unknown as PieceTold;
  return { batches: memory.subarray(0, pieceBytes), memory, map: KeyMap.over(map), order };
}

/**
 * The parts one after another, at the start of `batches`, which some of them are views of, in order;
 * undefined where one of these would be written over before it is read.
 */
export function packed(parts: readonly Uint8Array[], batches: Uint8Array): Uint8Array | undefined {
  let end = 0;
  for (const part of parts) {
    const isView = part.buffer === batches.buffer;
    if (isView && end > part.byteOffset - batches.byteOffset) return undefined;
    end += part.length;
  }
  if (end > batches.length) return undefined;
  let at = 0;
  for (const part of parts) {
    batches.set(part, at);
    at += part.length;
  }
  return batches.subarray(0, end);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
