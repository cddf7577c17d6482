import { DiskError, type PartitionLog, viewOf } from "@millrace/core";
import { readLastOffset, splitBatches } from "@millrace/wire";

export interface Served {
  readonly batches: readonly Uint8Array[];
  /** Why the reading ended: at the log's end, or at bytes that the log itself says are damaged. */
  readonly end: "end" | "damaged";
  readonly faults: readonly string[];
}

const readsMax = 10_000;

/** Reads as a consumer does: on from where the last batch ended. */
export function readAll(log: PartitionLog, maxBytes: number): Served {
  const batches: Uint8Array[] = [];
  let from = log.logStartOffset;
  for (let reads = 0; from < log.endOffset; reads += 1) {
    if (reads > readsMax) return served(batches, ["reading does not come to its end"]);
    const upTo = log.endOffset;
    const read = orDamaged(() => log.read({ from, maxBytes, upTo, atLeastOneBatch: true }));
    if (read === "damaged") return { batches, end: "damaged", faults: [] };
    if (read.kind !== "ok") return served(batches, [`${from} is out of range`]);
    // Copies: the log may use the memory again.
    const found = read.records.flatMap((run) => batchesOf(run.slice()));
    if (found.length === 0) return served(batches, [`nothing from ${from} on, up to ${upTo}`]);
    const last = found.at(-1) ?? new Uint8Array(61);
    if (readLastOffset(viewOf(last), 0) + 1 !== read.nextOffset) {
      return served(batches, [`the last batch from ${from} on does not end at the next offset`]);
    }
    if (read.nextOffset <= from) return served(batches, [`reading from ${from} stays where it is`]);
    batches.push(...found);
    from = read.nextOffset;
  }
  return { batches, end: "end", faults: [] };
}

function served(batches: readonly Uint8Array[], faults: readonly string[]): Served {
  return { batches, end: "end", faults };
}

function batchesOf(run: Uint8Array): readonly Uint8Array[] {
  const { end, starts } = splitBatches(run);
  return starts.map((at, index) => run.subarray(at, starts[index + 1] ?? end));
}

/** The one error that damaged files may cause. */
export function orDamaged<Result>(call: () => Result): Result | "damaged" {
  try {
    return call();
  } catch (error) {
    if (error instanceof DiskError) return "damaged";
    throw error;
  }
}
