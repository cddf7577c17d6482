import type { Disk, IncarnationId } from "@millrace/core";
import { journalDirectory, journalRoot, syncJournalFiles } from "./journal-files.ts";
import type { JournalItems } from "./journal-item.ts";
import { replayCuts, replayJournal } from "./journal-recovery.ts";
import type { ReplayDeps, ReplayedPartition, ReplayReport } from "./journal-recovery.ts";
import type { PartitionLimits } from "./limits.ts";

/**
 * Replays the journals of all former incarnations that are not closed, oldest first; then closes
 * each and deletes its files, but for those that are to be kept. In this order: segments durable →
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
  const laterCuts = new Map<string, number>();
  if (open.some(({ isReplayed }) => isReplayed)) {
    for (const former of open) {
      if (former.isReplayed) continue;
      for (const [key, cut] of replayCuts({ ...files, ...former })) laterCuts.set(key, cut);
    }
  }
  for (const former of open) {
    const source = { ...files, ...former, ...(former.isReplayed ? { laterCuts } : {}) };
    const report = await replayJournal(source, { ...deps, logsMax, syncsInFlightMax });
    const isKept = report.partitions.some(deps.isKept);
    if (isKept) kept.add(journalDirectory(former.incarnation));
    if (!isKept) await items.close(former.incarnation);
    else if (!former.isReplayed) {
      // What its own life had not synced is shown from now on, and a kill left it in the page cache.
      await syncJournalFiles(disk, former.incarnation);
      await items.markReplayed(former.incarnation);
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
