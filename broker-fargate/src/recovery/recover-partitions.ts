import { ObjectError } from "@millrace/core";
import type { Clock, Disk, IncarnationId, TopicSettings } from "@millrace/core";
import type { Cluster } from "../cluster/cluster.ts";
import type { JournalItems } from "../journal/files/journal-item.ts";
import type { OfflinePartition, ReplayedPartition } from "./journal-recovery.ts";
import type { PartitionLimits } from "../partition/limits.ts";
import { partitionDirectory } from "../partition/log-opener.ts";
import type { LogOpener } from "../partition/log-opener.ts";
import type { PartitionPlace } from "../partition/partition-items.ts";
import type { WarningLog } from "../partition/partitions-deps.ts";
import { recoverJournals } from "./recover-journals.ts";
import { UnplacedRecords } from "./unplaced-records.ts";
import type { WireFormat } from "../partition/wire-format.ts";

export interface RecoverPartitionsDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly wire: WireFormat;
  readonly items: JournalItems;
  readonly limits: PartitionLimits;
  readonly logs: LogOpener;
  readonly cluster: Pick<Cluster, "incarnation" | "slots" | "slotOfPartition" | "openSlot">;
  readonly log: WarningLog;
  /** Undefined for a partition that is gone. */
  readonly settingsOf: (place: PartitionPlace) => TopicSettings | undefined;
  readonly isTiering: (place: ReplayedPartition) => boolean;
  /** The partition is offline until another start, and the journal stays until then. */
  readonly offline: (incarnation: IncarnationId, partition: OfflinePartition) => void;
  /** The journal stays until the object store has what it holds of them. */
  readonly keep: (
    incarnation: IncarnationId,
    partitions: readonly ReplayedPartition[],
  ) => Promise<void>;
}

/** Replays the journals of former incarnations into the logs; see recover-journals.ts. */
export async function recoverPartitions(deps: RecoverPartitionsDeps): Promise<void> {
  const { cluster, clock, disk, isTiering, log, logs, settingsOf } = deps;
  const reports = await recoverJournals({
    ...{ disk, wire: deps.wire, items: deps.items, limits: deps.limits },
    incarnation: cluster.incarnation,
    slots: cluster.slots,
    wallMs: () => clock.wallMs(),
    openLog: async ({ topicId, partition, baseOffset: next }, trust) => {
      const slot = cluster.slotOfPartition(topicId, partition);
      const place = { topicId, partition, slot };
      const settings = settingsOf(place);
      if (settings === undefined) return undefined;
      const at = { ...place, openSlot: await cluster.openSlot(slot) };
      return whileAway(deps, () => logs.openForReplay(at, settings, { trust, next }));
    },
    isKept: isTiering,
    setAside: ({ baseOffset, partition, topicId }, endOffset) => {
      const fields = { topicId, partition, endOffset, lostBelow: baseOffset };
      log.error(fields, "synced records of a partition are gone from the disk: it is offline");
      return new UnplacedRecords(disk, partitionDirectory({ topicId, partition }), baseOffset);
    },
  });
  for (const { bytes, incarnation, offline: own, partitions } of reports) {
    const fields = { incarnation, bytes, partitions: partitions.length };
    log.warn(fields, "replayed a former journal");
    for (const partition of own.values()) {
      const { cause, ...place } = partition;
      const message =
        "a former journal could not be replayed into a partition, which is offline until a start can";
      log.error({ err: cause, incarnation, ...place }, message);
      deps.offline(incarnation, partition);
    }
  }
  // Each journal is told of what any of them put offline: to keep a partition opens it, and one that
  // lacks what a later journal has for it must not be served.
  const offline = new Map(reports.flatMap((report) => [...report.offline]));
  for (const { incarnation, partitions } of reports) {
    const kept: ReplayedPartition[] = [];
    for (const place of partitions.filter(isTiering)) {
      const found = offline.get(`${place.topicId}-${place.partition}`);
      if (found === undefined) kept.push(place);
      else deps.offline(incarnation, found);
    }
    if (kept.length > 0) await whileAway(deps, () => deps.keep(incarnation, kept));
  }
}

/**
 * A start waits for an object store that is away: what it has to know of a log lies there, and who
 * ends for it would be started again for nothing.
 */
async function whileAway<Result>(
  { clock, limits, log }: Pick<RecoverPartitionsDeps, "clock" | "limits" | "log">,
  run: () => Promise<Result>,
): Promise<Result> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof ObjectError) || !error.retriable) throw error;
      log.warn({ err: error }, "the object store is away: the start waits for it");
      await new Promise<void>((resolve) => clock.after(limits.diskRetryMs, resolve));
    }
  }
}
