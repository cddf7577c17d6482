/** What must come back once all clients are gone. */
import type { Sample, SeriesName } from "./sample.ts";

/**
 * How much more than before there may be. Files: the lmdb environment and a journal file may have
 * been opened for the first time; timers: a duty may be due. Memory is judged by its slope only.
 */
const slack: Partial<Record<SeriesName, number>> = {
  connections: 0,
  groups: 0,
  "descriptors: sockets": 2,
  "descriptors: files": 3,
  "descriptors: others": 2,
  timers: 2,
  "other active resources": 3,
  "files in the data directory": 3,
  "size of the data directory": 16,
  "size of the metadata": 16,
};

/** What is left beyond it, as sentences. */
export function leftovers(before: Sample, after: Sample): readonly string[] {
  return Object.entries(slack).flatMap(([key, more]) => {
    const name = key as SeriesName;
    if (after[name] <= before[name] + more) return [];
    return [`left behind: ${name}, ${after[name]} after ${before[name]} before`];
  });
}
