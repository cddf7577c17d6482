import type { CompactedKeys } from "./compacted-keys.ts";
import type { Anomaly, EndOffset, Operation, Poll } from "./history.ts";

/** Judges what consumers saw of the order and the end of partitions. */
export function checkPolls(
  operations: readonly Operation[],
  keys: CompactedKeys,
): readonly Anomaly[] {
  const polls = operations.filter((operation) => operation.kind === "poll");
  const ends = operations.filter((operation) => operation.kind === "endOffset");
  const found: Anomaly[] = [];
  const byPartition = new Map<string, Poll[]>();
  for (const poll of polls) {
    if (poll.completion !== "ok") continue;
    found.push(...withinOnePoll(poll));
    const others = byPartition.get(poll.partition) ?? [];
    byPartition.set(poll.partition, others);
    others.push(poll);
  }
  for (const [partition, ofPartition] of byPartition) {
    found.push(...skips(partition, ofPartition, keys), ...backwards(ofPartition));
    found.push(...epochs(partition, ofPartition));
  }
  found.push(...watermarks(polls, ends));
  return found;
}

function withinOnePoll(poll: Poll): Anomaly[] {
  const found: Anomaly[] = [];
  const where = `${poll.partition} from ${poll.from} by ${poll.consumer}`;
  let before = poll.from - 1;
  for (const { offset } of poll.records) {
    if (offset <= before) {
      found.push({ kind: "nonMonotonicPoll", what: `${where}: ${offset} after ${before}` });
    }
    if (offset >= poll.highWatermark) {
      const what = `${where}: ${offset} at high watermark ${poll.highWatermark}`;
      found.push({ kind: "readPastHighWatermark", what });
    }
    before = offset;
  }
  return found;
}

/**
 * A poll that went from `from` to its last record contains every record that is known between, but
 * for those that may have been compacted away; and these are not seen again, unless the object store
 * has an older copy.
 */
function skips(partition: string, polls: readonly Poll[], keys: CompactedKeys): Anomaly[] {
  const known = new Map<number, number>();
  for (const { records } of polls) {
    for (const { offset, value } of records) known.set(offset, value);
  }
  const sorted = [...known.keys()].sort((left, right) => left - right);
  const goneAt = new Map<number, number>();
  const found: Anomaly[] = [];
  for (const { completedAt, consumer, from, records } of polls) {
    const last = records.at(-1)?.offset;
    if (last === undefined) continue;
    const seen = new Set(records.map(({ offset }) => offset));
    for (let at = lowerBound(sorted, from); (sorted[at] ?? last) < last; at += 1) {
      const offset = sorted[at];
      if (offset === undefined || seen.has(offset)) continue;
      const record = { offset, value: known.get(offset) ?? -1 };
      if (keys.mayBeGone(partition, record, completedAt)) {
        goneAt.set(offset, Math.min(completedAt, goneAt.get(offset) ?? Infinity));
        continue;
      }
      const what = `${partition}: ${consumer} polled from ${from} to ${last} without ${offset}`;
      found.push({ kind: "pollSkip", what });
    }
  }
  if (keys.tiersOf(partition) === "hot") found.push(...returned(partition, polls, goneAt));
  return found;
}

function returned(
  partition: string,
  polls: readonly Poll[],
  goneAt: ReadonlyMap<number, number>,
): Anomaly[] {
  return polls.flatMap(({ consumer, invokedAt, records }) => {
    const again = records.filter(({ offset }) => (goneAt.get(offset) ?? Infinity) < invokedAt);
    return again.map(({ offset, value }): Anomaly => {
      const what = `${partition}@${offset}: ${consumer} got ${value}, which had been gone`;
      return { kind: "recordCameBack", what };
    });
  });
}

/** Within a stretch, a consumer's polls begin where, or after, the one before ended. */
function backwards(polls: readonly Poll[]): Anomaly[] {
  const found: Anomaly[] = [];
  const lastOf = new Map<string, number>();
  for (const { consumer, stretch, records, partition } of polls) {
    const key = `${consumer} ${stretch}`;
    const before = lastOf.get(key) ?? -1;
    const first = records[0]?.offset;
    if (first !== undefined && first <= before) {
      const what = `${partition}: ${consumer} got ${first} after ${before}`;
      found.push({ kind: "nonMonotonicPoll", what });
    }
    lastOf.set(key, Math.max(before, records.at(-1)?.offset ?? -1));
  }
  return found;
}

/** Along the offsets of a partition, leader epochs never fall. */
function epochs(partition: string, polls: readonly Poll[]): Anomaly[] {
  const epochAt = new Map<number, number>();
  const found: Anomaly[] = [];
  for (const { records } of polls) {
    for (const { offset, leaderEpoch } of records) {
      const before = epochAt.get(offset);
      if (before !== undefined && before !== leaderEpoch) {
        const what = `${partition}@${offset} had epoch ${before}, then ${leaderEpoch}`;
        found.push({ kind: "epochWentBack", what });
      }
      epochAt.set(offset, leaderEpoch);
    }
  }
  let newest = -1;
  for (const [offset, epoch] of [...epochAt].sort(([left], [right]) => left - right)) {
    if (epoch < newest) {
      const what = `${partition}@${offset} has epoch ${epoch} after ${newest}`;
      found.push({ kind: "epochWentBack", what });
    }
    newest = Math.max(newest, epoch);
  }
  return found;
}

/**
 * Readers see the durable end, so it never falls: not within a life, not over a restart. Only what
 * was seen before the other was asked for counts. Of several brokers one that has lost the partition
 * and does not know it yet may show an end that was, so each of them is held against itself.
 */
function watermarks(polls: readonly Poll[], ends: readonly EndOffset[]): Anomaly[] {
  const seen = [
    ...polls.map((poll) => ({ ...poll, end: poll.highWatermark, by: poll.consumer })),
    ...ends.map((end) => ({ ...end, end: end.offset, by: "ListOffsets" })),
  ].filter(({ completion }) => completion === "ok");
  const byPartition = new Map<string, (typeof seen)[number][]>();
  for (const sight of seen) {
    const name = `${sight.partition} ${sight.answeredBy ?? ""}`;
    const others = byPartition.get(name) ?? [];
    byPartition.set(name, others);
    others.push(sight);
  }
  return [...byPartition.values()].flatMap(fallingEnds);
}

interface Sight {
  readonly partition: string;
  readonly invokedAt: number;
  readonly completedAt: number;
  readonly end: number;
  readonly by: string;
}

function fallingEnds(sights: readonly Sight[]): Anomaly[] {
  const byStart = sights.toSorted((left, right) => left.invokedAt - right.invokedAt);
  const byEnd = sights.toSorted((left, right) => left.completedAt - right.completedAt);
  const found: Anomaly[] = [];
  let completed = 0;
  let highest = -1;
  for (const sight of byStart) {
    for (let done = byEnd[completed]; done !== undefined; done = byEnd[completed]) {
      if (done.completedAt >= sight.invokedAt) break;
      highest = Math.max(highest, done.end);
      completed += 1;
    }
    if (sight.end < highest) {
      const what = `${sight.partition}: ${sight.by} saw ${sight.end} after ${highest} was seen`;
      found.push({ kind: "highWatermarkWentBack", what });
    }
  }
  return found;
}

function lowerBound(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? value) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
