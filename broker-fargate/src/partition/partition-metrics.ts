import type { Clock } from "@millrace/core";
import type { Metrics } from "../metrics/registry.ts";
import type { AppendJournal } from "../journal/append-journal.ts";
import type { Duties } from "./duties.ts";

/** What the process tells of its partitions and their journal, read at each scrape. */
export function observePartitions(
  metrics: Metrics,
  {
    clock,
    duties,
    journal,
  }: { readonly clock: Clock; readonly duties: Duties; readonly journal: AppendJournal },
): void {
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.observe({ kind: "gauge", name, help }, read);
  gauge("millrace_journal_untrimmed_bytes", "Journal bytes that a start would replay.", () => {
    return journal.untrimmedBytes;
  });
  gauge(
    "millrace_journal_untrimmed_age_seconds",
    "How long the oldest of them are durable; 0 where there are none.",
    () => {
      const { oldestUntrimmedMs } = journal;
      return oldestUntrimmedMs === undefined ? 0 : (clock.monotonicMs() - oldestUntrimmedMs) / 1000;
    },
  );
  gauge("millrace_journal_files_bytes", "Bytes of the journal's files.", () => {
    return journal.allocatedBytes;
  });
  gauge("millrace_partitions_dirty", "Partitions with bytes that are not synced.", () => {
    return duties.dirtyPartitions;
  });
  gauge(
    "millrace_journal_usable",
    "0 when a sync of the journal failed, or another process ended it.",
    () => {
      return journal.state === "failed" || journal.state === "over" ? 0 : 1;
    },
  );
}
