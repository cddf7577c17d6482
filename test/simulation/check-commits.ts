import type {
  Anomaly,
  Assignment,
  Commit,
  CommittedRead,
  Completion,
  Operation,
} from "./history.ts";

/**
 * Judges groups: committed offsets, and who owned what in which generation. `shortened` are the
 * partitions whose end fell: an offset beyond it may have been committed before.
 */
export function checkCommits(
  operations: readonly Operation[],
  shortened: ReadonlySet<string>,
): readonly Anomaly[] {
  const commits = operations.filter((operation) => operation.kind === "commit");
  const reads = operations.filter((operation) => operation.kind === "committedRead");
  const assignments = operations.filter((operation) => operation.kind === "assignment");
  const register = (operation: Commit | CommittedRead): string =>
    `${operation.group} ${operation.partition}`;
  const commitsOf = Map.groupBy(commits, register);
  return [
    ...reads
      .filter(({ completion }) => completion === "ok")
      .flatMap((read) => judgeRead(read, commitsOf.get(register(read)) ?? [])),
    ...pastTheEnd(operations, shortened),
    ...ownedTwice(assignments),
    ...generations(assignments),
  ];
}

/**
 * A committed offset is a register: a read returns what a commit wrote that is not certainly
 * overwritten. Overwritten is a commit that was over before another one, which succeeded, began,
 * which in turn was over before the read began.
 */
function judgeRead(read: CommittedRead, commits: readonly Commit[]): Anomaly[] {
  const before = commits.filter(
    ({ completion, completedAt }) => completion === "ok" && completedAt < read.invokedAt,
  );
  const newest = before.reduce<Commit | undefined>(
    (best, commit) => (best === undefined || commit.invokedAt > best.invokedAt ? commit : best),
    undefined,
  );
  const where = `${read.group} ${read.partition}`;
  if (read.offset === -1) {
    if (newest === undefined) return [];
    return [{ kind: "commitWentBack", what: `${where}: nothing after ${newest.offset}` }];
  }
  const possible = commits.filter(
    ({ completion, invokedAt, completedAt, offset }) =>
      isPossible(completion) &&
      offset === read.offset &&
      invokedAt < read.completedAt &&
      completedAt >= (newest?.invokedAt ?? 0),
  );
  if (possible.length > 0) return [];
  const last = newest === undefined ? "nothing" : String(newest.offset);
  return [{ kind: "commitWentBack", what: `${where}: read ${read.offset}, committed was ${last}` }];
}

function isPossible(completion: Completion): boolean {
  return completion !== "fail";
}

/** Consumers commit what they polled, so no commit lies past an end that was seen later. */
function pastTheEnd(operations: readonly Operation[], shortened: ReadonlySet<string>): Anomaly[] {
  const found: Anomaly[] = [];
  const highest = new Map<string, Commit>();
  for (const operation of operations) {
    if (operation.kind === "commit" && operation.completion === "ok") {
      const before = highest.get(operation.partition);
      if (before === undefined || operation.offset > before.offset) {
        highest.set(operation.partition, operation);
      }
    }
    if (operation.kind !== "poll" || operation.completion !== "ok") continue;
    if (shortened.has(operation.partition)) continue;
    // A broker that has lost the partition and does not know it yet may show an end that was.
    if (operation.answeredBy !== undefined) continue;
    const commit = highest.get(operation.partition);
    if (commit === undefined || commit.completedAt >= operation.invokedAt) continue;
    if (operation.highWatermark >= commit.offset) continue;
    const what =
      `${operation.partition}: ${commit.offset} committed by ${commit.group}, ` +
      `high watermark ${operation.highWatermark}`;
    found.push({ kind: "commitPastHighWatermark", what });
  }
  return found;
}

/** In one generation a partition is one member's. */
function ownedTwice(assignments: readonly Assignment[]): Anomaly[] {
  const found: Anomaly[] = [];
  const owner = new Map<string, string>();
  for (const { group, generation, member, partitions } of assignments) {
    for (const partition of partitions) {
      const key = `${group} generation ${generation} ${partition}`;
      const other = owner.get(key);
      if (other !== undefined && other !== member) {
        found.push({ kind: "partitionOwnedTwice", what: `${key}: ${other} and ${member}` });
      }
      owner.set(key, member);
    }
  }
  return found;
}

/** Whoever joins after a generation was answered gets that one or a later one. */
function generations(assignments: readonly Assignment[]): Anomaly[] {
  const found: Anomaly[] = [];
  for (const one of assignments) {
    if (one.completion !== "ok") continue;
    const before = assignments.find(
      (other) =>
        other.group === one.group &&
        other.completedAt < one.invokedAt &&
        other.generation > one.generation,
    );
    if (before === undefined) continue;
    const what = `${one.group}: ${one.generation} after ${before.generation}`;
    found.push({ kind: "generationWentBack", what });
  }
  return found;
}
