import type { Disk, IncarnationId } from "@millrace/core";
import { journalDirectory, journalRoot } from "./journal-files.ts";
import type { JournalItems } from "./journal-item.ts";
import { replayJournal } from "./journal-recovery.ts";
import type { ReplayDeps, ReplayReport } from "./journal-recovery.ts";
import type { PartitionLimits } from "./limits.ts";

/**
 * Replays the journals of all former incarnations that are not closed, oldest first; then closes
 * each and deletes its files. In this order: segments durable → item closed → files deleted, so
 * that dying between two steps leaves a state from which the next start does the rest.
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
}): Promise<readonly ReplayReport[]> {
  const { disk, incarnation, items, limits } = deps;
  const { replayLogsMax: logsMax, syncsInFlightMax } = limits;
  const reports: ReplayReport[] = [];
  for (const former of await items.listOpen(incarnation)) {
    const source = { disk, crc32c: deps.wire.crc32c, ...former };
    const report = await replayJournal(source, { ...deps, logsMax, syncsInFlightMax });
    await items.close(former.incarnation);
    if (report.partitions > 0) reports.push(report);
  }
  for (const name of disk.list(journalRoot)) {
    // Closed, all of them, by now: also one that died before it deleted what it had closed.
    const directory = `${journalRoot}/${name}`;
    if (directory !== journalDirectory(incarnation)) disk.remove(directory);
  }
  await items.forgetClosed({ slots: deps.slots, keptMax: limits.closedIncarnationsMax });
  return reports;
}
