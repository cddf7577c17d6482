import type { Disk, IncarnationId } from "@millrace/core";
import { journalDirectory, journalRoot, syncJournalFiles } from "../journal/files/journal-files.ts";
import type { JournalItems, OpenJournal } from "../journal/files/journal-item.ts";
import type { JournalSource } from "../journal/files/journal-reader.ts";
import { replayCuts, replayJournal } from "./journal-recovery.ts";
import type { ReplayDeps, ReplayedPartition, ReplayReport } from "./journal-recovery.ts";
import type { PartitionLimits } from "../partition/limits.ts";

/**
 * Replays the journals of all former incarnations that are not closed, oldest first; then closes
 * each and deletes its files, but for those that are to be kept, and for those of a partition that
 * could not be replayed: they wait for a start that can. In this order: segments durable →
 * item closed, or marked as replayed → files deleted, so that dying between two steps leaves a
 * state from which the next start does the rest. At most one that was not replayed has entries,
 * the newest that has any: a life marks or closes all others before it writes its own.
 */
export async function recoverJournals(deps: {
  readonly disk: Disk;
  readonly wire: ReplayDeps["wire"];
  readonly items: JournalItems;
  readonly limits: PartitionLimits;
  readonly incarnation: IncarnationId;
  /** How many slots the cluster has. */
  readonly slots: number;
  readonly wallMs: () => number;
  readonly openLog: ReplayDeps["openLog"];
  readonly setAside: ReplayDeps["setAside"];
  /** Whether a journal that names the partition stays until it is covered elsewhere. */
  readonly isKept: (place: ReplayedPartition) => boolean;
}): Promise<readonly ReplayReport[]> {
  const { disk, incarnation, items, limits } = deps;
  const { replayLogsMax: logsMax, syncsInFlightMax } = limits;
  const reports: ReplayReport[] = [];
  const kept = new Set([journalDirectory(incarnation)]);
  const open = await items.listOpen(incarnation);
  const files = { disk, crc32c: deps.wire.crc32c };
  const laterCuts = laterCutsOf(open, files);
  const offline = new Map<string, Error>();
  for (const former of open) {
    const source = { ...files, ...former, offline };
    const { isReplayed, unreplayed } = former;
    const report = await replayJournal(isReplayed ? { ...source, laterCuts } : source, {
      ...{ ...deps, logsMax, syncsInFlightMax },
    });
    for (const [key, { cause }] of report.offline) offline.set(key, cause);
    const [first] = offline.values();
    if (first !== undefined && offline.size > limits.unreplayedPartitionsMax) throw first;
    // One that an earlier life has replayed it into has grown since.
    const left = [...report.offline.keys()].filter((key) => !isReplayed || unreplayed.has(key));
    const isKept = report.offline.size > 0 || report.partitions.some(deps.isKept);
    if (isKept) kept.add(journalDirectory(former.incarnation));
    if (!isKept) await items.close(former.incarnation);
    else if (!isReplayed || left.length < unreplayed.size) {
      // What its own life had not synced is shown from now on, and a kill left it in the page cache.
      await syncJournalFiles(disk, former.incarnation);
      await items.markReplayed(former.incarnation, left);
    }
    if (report.partitions.length > 0) reports.push(report);
  }
  for (const name of disk.list(journalRoot)) {
    // Closed, all others, by now: also one that died before it deleted what it had closed.
    const directory = `${journalRoot}/${name}`;
    if (!kept.has(directory)) disk.remove(directory);
  }
  await items.forgetClosed({ slots: deps.slots, keptMax: limits.closedIncarnationsMax });
  return reports;
}

/** By partition, where the journals begin that have not been replayed into it. */
function laterCutsOf(
  open: readonly OpenJournal[],
  files: Pick<JournalSource, "disk" | "crc32c">,
): ReadonlyMap<string, number> {
  const cuts = new Map<string, number>();
  if (!open.some(({ isReplayed }) => isReplayed)) return cuts;
  for (const former of open) {
    const { isReplayed, unreplayed } = former;
    if (isReplayed && unreplayed.size === 0) continue;
    for (const [key, cut] of replayCuts({ ...files, ...former })) {
      if (!isReplayed || unreplayed.has(key)) cuts.set(key, cut);
    }
  }
  return cuts;
}
