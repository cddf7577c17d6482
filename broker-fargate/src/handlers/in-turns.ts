import type { Clock } from "@millrace/core";
import { entriesPerTurnMax } from "../limits.ts";

/**
 * Answers every entry of a request, in its order, some in each turn of the event loop: a request
 * that names a hundred thousand things holds up nobody else while it is worked on. Up to
 * `entriesPerTurnMax` entries, as nearly every request has, are worked on in this turn.
 */
export async function inTurns<Entry, Result>(
  clock: Clock,
  entries: readonly Entry[],
  answer: (entry: Entry) => Result | Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (let first = 0; first < entries.length; first += entriesPerTurnMax) {
    if (first > 0) await new Promise<void>((resolve) => clock.after(0, resolve));
    const some = entries.slice(first, first + entriesPerTurnMax);
    for (const result of await Promise.all(some.map(answer))) results.push(result);
  }
  return results;
}
