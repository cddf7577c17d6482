import {
  assert,
  DiskError,
  PartitionLog,
  ProducerState,
  summarizeBatch,
  viewOf,
} from "@millrace/core";
import type { Clock, TopicSettings } from "@millrace/core";
import { splitBatches } from "@millrace/wire";
import type { FormerEntry } from "../takeover/former-entries.ts";
import type { TieredPartition } from "../tier/tiered-partition.ts";
import type { LeftFiles } from "./left-files.ts";
import { logConfigOf } from "./log-config.ts";
import { type LogOpenerDeps, type OpenedPartition, partitionDirectory } from "./log-opener.ts";
import type { MarkedPartition } from "./partition-items.ts";

/** What former owners' journals hold of a partition whose slot is open, in order. */
export type FormerEntriesOf = (at: MarkedPartition) => readonly FormerEntry[];

export interface MemberLogsDeps extends LogOpenerDeps {
  readonly clock: Clock;
  readonly formerEntriesOf: FormerEntriesOf;
  /** Of earlier ownerships in this life. */
  readonly leftFiles: Pick<LeftFiles, "gone">;
}

/**
 * Opens partitions' logs in a cluster of several brokers, where the local disk is no more than a
 * cache of this life (ownership rule 13): whatever lies there is removed. The log goes on where the
 * object store's copy ends, and takes what former owners' journals tell behind that.
 */
export class MemberLogs {
  readonly #deps: MemberLogsDeps;

  constructor(deps: MemberLogsDeps) {
    this.#deps = deps;
  }

  /**
   * Rejects with a DiskError, not retriable, where a journal's range does not begin where the one
   * before ended: then acknowledged records are gone, and the partition is offline. And as Tier does.
   */
  async open(place: MarkedPartition, settings: TopicSettings): Promise<OpenedPartition> {
    const { disk, formerEntriesOf, items, leftFiles, tier } = this.#deps;
    assert(tier !== undefined, "a member of a cluster has an object store");
    const directory = partitionDirectory(place);
    const startOffset = await items.startOffset(place);
    const tiered = await tier.load(place, startOffset);
    if (tiered.packs.damage !== undefined) throw tiered.packs.damage;
    // What ends at or below the start is deleted; it may be older than all that was copied since.
    const all = formerEntriesOf(place);
    const entries = all.filter(({ lastOffset }) => lastOffset >= startOffset);
    const deleted = all.filter(({ lastOffset }) => lastOffset < startOffset);
    await leftFiles.gone(place);
    await disk.removeFolder(directory);
    const log = await this.#begin(place, { settings, startOffset, tiered, entries, deleted });
    try {
      this.#append(log, entries, place);
    } catch (error) {
      log.close();
      throw error;
    }
    if (log.logStartOffset < startOffset) log.advanceStartOffset(startOffset);
    return { log, tiered, startOffset, isListed: false };
  }

  /** Empty, and to go on at the end of the object store's copy, or at the first entry. */
  async #begin(
    place: MarkedPartition,
    from: {
      readonly settings: TopicSettings;
      readonly startOffset: number;
      readonly tiered: TieredPartition;
      readonly entries: readonly FormerEntry[];
      readonly deleted: readonly FormerEntry[];
    },
  ): Promise<PartitionLog> {
    const { buffers, disk, random, tier, wire } = this.#deps;
    const { deleted, entries, settings, startOffset, tiered } = from;
    const { cold } = tiered;
    const segmentJitterShare = random.below(jitterSteps) / jitterSteps;
    const { crc32c, findTimestamp, format } = wire;
    const next = cold.endOffset ?? entries[0]?.baseOffset ?? startOffset;
    // The start is stored, and it lies in what was acknowledged.
    if (next > startOffset && cold.isEmpty) throw holeAt(place, { from: startOffset, to: next });
    const log = PartitionLog.open({
      ...{ disk, directory: partitionDirectory(place), crc32c, findTimestamp, format },
      config: { ...logConfigOf(settings), segmentJitterShare },
      recovery: { kind: "clean" },
      startOffset: Math.min(startOffset, next),
      ...(buffers === undefined ? {} : { buffers }),
      ...(cold.endOffset === undefined ? {} : { coldEndOffset: cold.endOffset }),
    });
    if (cold.endOffset === undefined) {
      const told = { producers: this.#producersIn(deleted), epochs: [] };
      if (deleted.length > 0) await log.restartAt(next, told);
      return log;
    }
    const producers = await tier?.producersOf(tiered);
    assert(producers !== undefined, "there is an object store");
    await log.restartAt(cold.endOffset, { producers, epochs: cold.leaderEpochs() });
    return log;
  }

  /** What the object store has already is left out, batch by batch. */
  #append(log: PartitionLog, entries: readonly FormerEntry[], place: MarkedPartition): void {
    const { clock, wire } = this.#deps;
    for (const entry of entries) {
      if (entry.lastOffset < log.endOffset) continue;
      // Not before: they may have to be read from the disk.
      const { records } = entry;
      const view = viewOf(records);
      for (const at of splitBatches(records).starts) {
        const batch = summarizeBatch(wire.format, view, at);
        if (batch.lastOffset < log.endOffset) continue;
        const hole = { from: log.endOffset, to: batch.baseOffset };
        if (hole.from !== hole.to) throw holeAt(place, hole);
        log.append([records.subarray(at, at + batch.bytes)], [batch], clock.wallMs());
      }
    }
  }

  /** What is deleted is gone, but for what it told of producers. */
  #producersIn(entries: readonly FormerEntry[]): ProducerState {
    const { format } = this.#deps.wire;
    const producers = ProducerState.empty();
    for (const { records } of entries) {
      const view = viewOf(records);
      for (const at of splitBatches(records).starts) {
        producers.apply(summarizeBatch(format, view, at));
      }
    }
    return producers;
  }
}

/** Acknowledged records are gone: the partition is offline, and nothing hides it. */
function holeAt(
  place: MarkedPartition,
  { from, to }: { readonly from: number; readonly to: number },
): DiskError {
  const cause = new Error(
    `what the object store and journals have goes on at ${to}, after ${from}`,
  );
  return new DiskError("io", { path: partitionDirectory(place), applied: "no", cause });
}

/** How finely `segment.jitter.ms` is shared out. */
const jitterSteps = 65_536;
