import { assert, DiskError, PartitionLog, summarizeBatch, viewOf } from "@millrace/core";
import type { Clock, TopicSettings } from "@millrace/core";
import { splitBatches } from "@millrace/wire";
import type { FormerEntry } from "../takeover/former-entries.ts";
import type { TieredPartition } from "../tier/tiered-partition.ts";
import { logConfigOf } from "./log-config.ts";
import { type LogOpenerDeps, type OpenedPartition, partitionDirectory } from "./log-opener.ts";
import type { MarkedPartition } from "./partition-items.ts";

/** What former owners' journals hold of a partition whose slot is open, in order. */
export type FormerEntriesOf = (at: MarkedPartition) => readonly FormerEntry[];

export interface MemberLogsDeps extends LogOpenerDeps {
  readonly clock: Clock;
  readonly formerEntriesOf: FormerEntriesOf;
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
    const { disk, formerEntriesOf, items, tier } = this.#deps;
    assert(tier !== undefined, "a member of a cluster has an object store");
    const directory = partitionDirectory(place);
    const startOffset = await items.startOffset(place);
    const tiered = await tier.load(place, startOffset);
    if (tiered.packs.damage !== undefined) throw tiered.packs.damage;
    // What ends at or below the start is deleted; it may be older than all that was copied since.
    const entries = formerEntriesOf(place).filter(({ lastOffset }) => lastOffset >= startOffset);
    await disk.removeFolder(directory);
    const log = await this.#begin(place, { settings, startOffset, tiered, entries });
    try {
      this.#append(log, entries, directory);
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
    },
  ): Promise<PartitionLog> {
    const { buffers, disk, random, tier, wire } = this.#deps;
    const { entries, settings, startOffset, tiered } = from;
    const { cold } = tiered;
    const segmentJitterShare = random.below(jitterSteps) / jitterSteps;
    const { crc32c, findTimestamp, format } = wire;
    const next = cold.endOffset ?? entries[0]?.baseOffset ?? startOffset;
    const log = PartitionLog.open({
      ...{ disk, directory: partitionDirectory(place), crc32c, findTimestamp, format },
      config: { ...logConfigOf(settings), segmentJitterShare },
      recovery: { kind: "clean" },
      startOffset: Math.min(startOffset, next),
      ...(buffers === undefined ? {} : { buffers }),
      ...(cold.endOffset === undefined ? {} : { coldEndOffset: cold.endOffset }),
    });
    if (cold.endOffset === undefined) return log;
    const producers = await tier?.producersOf(tiered);
    assert(producers !== undefined, "there is an object store");
    await log.restartAt(cold.endOffset, { producers, epochs: cold.leaderEpochs() });
    return log;
  }

  #append(log: PartitionLog, entries: readonly FormerEntry[], path: string): void {
    const { clock, wire } = this.#deps;
    for (const { baseOffset, lastOffset, records } of entries) {
      if (lastOffset < log.endOffset) continue;
      if (baseOffset !== log.endOffset) {
        const what = `a former owner's journal goes on at ${baseOffset}, after ${log.endOffset}`;
        throw new DiskError("io", { path, applied: "no", cause: new Error(what) });
      }
      const view = viewOf(records);
      const batches = splitBatches(records).starts.map((at) => {
        return summarizeBatch(wire.format, view, at);
      });
      log.append([records], batches, clock.wallMs());
    }
  }
}

/** How finely `segment.jitter.ms` is shared out. */
const jitterSteps = 65_536;
