import { cleanBatches, indexBatches, KeyMap } from "@millrace/core";
import type {
  CleanOrder,
  CompactionTools,
  IndexOrder,
  PlainValue,
  SideOutcome,
  SideTasks,
} from "@millrace/core";

/** Puts the keys of a piece of the log into the map. Bytes: the piece, the map; back comes the map. */
export const indexTask = "compaction-index";

/** Cleans a piece of the log. Bytes: the piece, the map; back come the map and what is left. */
export const cleanTask = "compaction-clean";

/** The record work of compaction, for a thread. */
export function compactionTasks(tools: CompactionTools): SideTasks {
  return {
    [indexTask]: ({ bytes, told }) => {
      const [batches, map] = twoOf(bytes);
      const report = indexBatches(batches, map, told as unknown as IndexOrder, tools);
      return { says: report as unknown as PlainValue, bytes: [map.bytes] };
    },
    [cleanTask]: ({ bytes, told }): SideOutcome => {
      const [batches, map] = twoOf(bytes);
      const order = told as unknown as CleanOrder;
      const { parts, report } = cleanBatches(batches, map, order, tools);
      return { says: report as unknown as PlainValue, bytes: [map.bytes, joined(parts)] };
    },
  };
}

function twoOf(bytes: readonly Uint8Array[]): readonly [Uint8Array, KeyMap] {
  const [batches, map] = bytes;
  if (batches === undefined || map === undefined) throw new TypeError("a piece and a key map");
  return [batches, KeyMap.over(map as Uint8Array<ArrayBuffer>)];
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  let size = 0;
  for (const part of parts) size += part.length;
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
