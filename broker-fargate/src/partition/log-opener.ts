import { DiskError, PartitionLog, assert, finishReplacements } from "@millrace/core";
import type {
  Disk,
  Epoch,
  GivenUp,
  LogRecovery,
  Random,
  ReadBuffers,
  TopicId,
  TopicSettings,
} from "@millrace/core";
import { logConfigOf } from "./log-config.ts";
import type { TieredOwner } from "../tier/checkpointer.ts";
import type { Tier } from "../tier/tier.ts";
import type { TieredPartition } from "../tier/tiered-partition.ts";
import type { HotRepairs } from "../recovery/hot-repairs.ts";
import type { LogTrust } from "../recovery/journal-recovery.ts";
import type { MarkedPartition, PartitionItems, PartitionPlace } from "./partition-items.ts";
import { assertAllPlaced } from "../recovery/unplaced-records.ts";
import type { WireFormat } from "./wire-format.ts";

export const partitionsRoot = "partitions";
/** How finely `segment.jitter.ms` is shared out. */
const jitterSteps = 65_536;

export function partitionDirectory({ partition, topicId }: Omit<PartitionPlace, "slot">): string {
  return `${partitionsRoot}/${topicId}-${partition}`;
}

export function segmentPath(place: Omit<PartitionPlace, "slot">, baseOffset: number): string {
  return `${partitionDirectory(place)}/${String(baseOffset).padStart(20, "0")}.log`;
}

/** Bytes of a log's segments as its files say, without opening it. */
export function sizeOnDisk(disk: Disk, topicId: TopicId, partition: number): number {
  const directory = partitionDirectory({ topicId, partition });
  let bytes = 0;
  for (const name of disk.list(directory)) {
    if (!name.endsWith(".log")) continue;
    const file = disk.open(`${directory}/${name}`, { create: "never" });
    bytes += file?.size() ?? 0;
    file?.close();
  }
  return bytes;
}

export interface OpenedPartition {
  readonly log: PartitionLog;
  readonly tiered: TieredPartition | undefined;
  /** As it is stored; what lies below is to be deleted wherever it still is. */
  readonly startOffset: number;
  /** Whether it is on the dirty list. */
  readonly isListed: boolean;
}

export interface LogOpenerDeps {
  readonly disk: Disk;
  readonly random: Random;
  readonly wire: WireFormat;
  readonly items: PartitionItems;
  readonly repairs: HotRepairs;
  readonly buffers?: ReadBuffers;
  /** The object store's side; undefined where there is none. */
  readonly tier: Pick<Tier<TieredOwner>, "load" | "producersOf"> | undefined;
}

/** Opens partitions' logs, trusting of their files what the dirty list lets it trust. */
export class LogOpener {
  readonly #deps: LogOpenerDeps;

  constructor(deps: LogOpenerDeps) {
    this.#deps = deps;
  }

  /**
   * For use: what the dirty list names is read again, and where the files end before what the object
   * store has, the log goes on there. Rejects with a DiskError where the partition is offline: synced
   * records are gone that lay between others, or files can't be read. And as Tier does.
   */
  async open(place: MarkedPartition, settings: TopicSettings): Promise<OpenedPartition> {
    const { disk, items } = this.#deps;
    const directory = partitionDirectory(place);
    const names = disk.list(directory);
    assertAllPlaced(directory, names);
    await finishReplacements(disk, directory, names);
    const [dirtyFrom, startOffset] = await Promise.all([
      items.dirtyFrom(place),
      items.startOffset(place),
    ]);
    const tiered = await this.#deps.tier?.load(place, startOffset);
    const recovery = recoveryFrom(dirtyFrom, place.openSlot.epoch);
    const log = await this.#openOrTell(place, { settings, startOffset, recovery, tiered });
    if (tiered !== undefined) {
      this.#refuseLacking(log, tiered, startOffset);
      const { endOffset } = tiered.cold;
      if (endOffset !== undefined) this.#refuseHole(place, log, endOffset);
      if (endOffset !== undefined && endOffset > log.endOffset) {
        await this.#restart(place, log, tiered);
      } else log.learnEpochs(tiered.cold.leaderEpochs());
      await this.#learnProducers(log, tiered);
      await this.#storeStart(place, log, startOffset);
    }
    return { log, tiered, startOffset, isListed: dirtyFrom !== undefined };
  }

  /**
   * Where files are gone that nothing else has, the log begins with those that are left. Another life
   * would take what is packed of it for what a deletion left over, behind a gap. Without an object
   * store nobody knows: it may have them, and be configured again.
   */
  async #storeStart(place: MarkedPartition, log: PartitionLog, stored: number): Promise<void> {
    if (log.logStartOffset <= stored) return;
    await this.#deps.items.putStartOffset(place, log.logStartOffset);
  }

  /**
   * For replay, whose next entry begins at `next`: cut where its files are not to be trusted, since
   * what lies there or above is the journal's to tell. A log that does not reach so far while the
   * object store does goes on where that ends.
   */
  async openForReplay(
    place: MarkedPartition,
    settings: TopicSettings,
    how: { readonly trust: LogTrust; readonly next: number },
  ): Promise<PartitionLog> {
    const { next, trust } = how;
    const directory = partitionDirectory(place);
    await finishReplacements(this.#deps.disk, directory, this.#deps.disk.list(directory));
    const stored = await this.#deps.items.startOffset(place);
    const tiered = await this.#deps.tier?.load(place, stored);
    // The journal may still hold what lies before the start; such entries are replayed as well.
    const startOffset = Math.min(stored, next);
    if (trust.kind === "synced") {
      const recovery: LogRecovery = { kind: "clean" };
      return this.#openProven(place, { settings, startOffset, recovery, tiered });
    }
    const cutAt = trust.kind === "below" ? trust.offset : trust.below;
    const dirtyFrom = await this.#deps.items.dirtyFrom(place);
    const isDirtyBelow = dirtyFrom !== undefined && dirtyFrom < (cutAt ?? dirtyFrom + 1);
    const recovery: LogRecovery =
      isDirtyBelow || cutAt === undefined
        ? recoveryFrom(dirtyFrom, place.openSlot.epoch)
        : { kind: "truncateTo", offset: cutAt };
    const coldEnd = tiered?.cold.endOffset ?? 0;
    const opening = { settings, startOffset, recovery, tiered };
    const log = await this.#openOrReplace(place, opening, { trust, cutAt });
    const isShort =
      trust.kind === "below"
        ? coldEnd >= trust.offset &&
          (log.endOffset < trust.offset || log.localStartOffset === log.endOffset)
        : coldEnd > log.endOffset && log.endOffset < (cutAt ?? coldEnd);
    if (tiered !== undefined && coldEnd > 0 && isShort) await this.#restart(place, log, tiered);
    if (tiered !== undefined) await this.#learnProducers(log, tiered);
    return log;
  }

  /** Where hot segments went, and the snapshot that told of their producers is of no use. */
  async #learnProducers(log: PartitionLog, tiered: TieredPartition): Promise<void> {
    const { endOffset = 0 } = tiered.cold;
    if (!log.missesProducers || endOffset < log.localStartOffset || tiered.cold.isEmpty) return;
    const producers = await this.#deps.tier?.producersOf(tiered);
    if (producers !== undefined) log.learnProducers(endOffset, producers);
  }

  /** What is packed of the partition is lost: it is opened if its own files have all that is not in segments. */
  #refuseLacking(log: PartitionLog, { cold, packs }: TieredPartition, startOffset: number): void {
    if (packs.damage === undefined) return;
    const isEmpty = log.segments().next().done === true;
    const isCut = log.recovered.lostBelow !== undefined || log.endOffset < (cold.endOffset ?? 0);
    if (!isEmpty && !isCut && log.logStartOffset === startOffset) return;
    log.close();
    throw packs.damage;
  }

  /**
   * Between what the object store has and what is here records are missing: to go on would either
   * delete the older ones, or hide that there were others.
   */
  #refuseHole(place: PartitionPlace, log: PartitionLog, coldEnd: number): void {
    if (log.logStartOffset <= coldEnd) return;
    const cause = new Error(`synced records from ${coldEnd} to ${log.logStartOffset} are gone`);
    const hole = new DiskError("io", { path: partitionDirectory(place), applied: "no", cause });
    this.#deps.repairs.failed(hole);
    log.close();
    throw hole;
  }

  /** What can't be opened is told once. */
  async #openOrTell(place: PartitionPlace, how: OpenLog): Promise<PartitionLog> {
    try {
      return await this.#openProven(place, how);
    } catch (error) {
      if (error instanceof DiskError && error.reason === "io") this.#deps.repairs.failed(error);
      throw error;
    }
  }

  /**
   * Files that can't be read stand in nobody's way where the journal and the object store have all
   * that was in them: they go, and the log is written anew.
   */
  async #openOrReplace(
    place: PartitionPlace,
    how: OpenLog,
    { cutAt, trust }: { readonly trust: LogTrust; readonly cutAt: number | undefined },
  ): Promise<PartitionLog> {
    const open = async (): Promise<PartitionLog> => {
      const log = await this.#openProven(place, how);
      if (cutAt !== undefined) log.truncateTo(cutAt);
      return log;
    };
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof DiskError) || error.reason === "full") throw error;
      const isCovered = trust.kind === "below" && (await this.#hasAllBelow(trust.offset, how));
      if (!isCovered) throw error;
      const directory = partitionDirectory(place);
      await this.#deps.disk.removeFolder(directory);
      this.#deps.repairs.replaced(directory, error);
      return open();
    }
  }

  /** Whether the object store gives back all of the log that lies below. */
  async #hasAllBelow(to: number, { startOffset: from, tiered }: OpenLog): Promise<boolean> {
    if (tiered === undefined || (tiered.cold.endOffset ?? -1) < to) return false;
    return from >= to || this.#deps.repairs.isCovered(tiered, { from, damagedFrom: from, to });
  }

  /**
   * Of hot copies nothing is given up before the object store has shown that it gives them back: what
   * is not known yet ends the opening, is asked for, and the log is opened again.
   */
  async #openProven(place: PartitionPlace, how: OpenLog): Promise<PartitionLog> {
    const { tiered } = how;
    const known = new Map<string, boolean>();
    const isCovered = (given: GivenUp): boolean => {
      const answer = known.get(keyOf(given));
      if (answer === undefined) throw new UnprovenError(given);
      return answer;
    };
    for (;;) {
      try {
        return this.#open(place, { ...how, isCovered });
      } catch (error) {
        if (!(error instanceof UnprovenError) || tiered === undefined) throw error;
        const { given } = error;
        known.set(keyOf(given), await this.#deps.repairs.isCovered(tiered, given));
      }
    }
  }

  #open(place: PartitionPlace, how: ProvenOpen): PartitionLog {
    const { buffers, disk, random, repairs, wire } = this.#deps;
    const { isCovered, recovery, settings, startOffset } = how;
    const coldEndOffset = how.tiered?.cold.endOffset;
    const segmentJitterShare = random.below(jitterSteps) / jitterSteps;
    const { crc32c, findTimestamp, format } = wire;
    const directory = partitionDirectory(place);
    const log = PartitionLog.open({
      ...{ disk, directory },
      config: { ...logConfigOf(settings), segmentJitterShare },
      ...{ crc32c, findTimestamp, format, isCovered, recovery, startOffset },
      ...(buffers === undefined ? {} : { buffers }),
      ...(coldEndOffset === undefined ? {} : { coldEndOffset }),
    });
    repairs.opened(directory, log.recovered);
    return log;
  }

  async #restart(place: PartitionPlace, log: PartitionLog, tiered: TieredPartition): Promise<void> {
    const { cold } = tiered;
    const { localStartOffset: from, endOffset: to } = log;
    const given = { from, damagedFrom: to, to };
    if (from < to && !(await this.#deps.repairs.isCovered(tiered, given))) {
      const cause = new Error(
        `from ${to} on only the object store has records, and not those below`,
      );
      const short = new DiskError("io", { path: partitionDirectory(place), applied: "no", cause });
      this.#deps.repairs.failed(short);
      log.close();
      throw short;
    }
    const producers = await this.#deps.tier?.producersOf(tiered);
    assert(producers !== undefined && cold.endOffset !== undefined, "cold parts have an end");
    await log.restartAt(cold.endOffset, { producers, epochs: cold.leaderEpochs() });
  }
}

interface OpenLog {
  readonly settings: TopicSettings;
  readonly startOffset: number;
  readonly recovery: LogRecovery;
  readonly tiered: TieredPartition | undefined;
}

interface ProvenOpen extends OpenLog {
  readonly isCovered: (given: GivenUp) => boolean;
}

/** It is not known yet whether the object store gives back what a log would be opened without. */
class UnprovenError extends Error {
  override readonly name = "UnprovenError";
  readonly given: GivenUp;

  constructor(given: GivenUp) {
    super(`whether the object store has ${keyOf(given)} is not known`);
    this.given = given;
  }
}

function keyOf({ damagedFrom, from, to }: GivenUp): string {
  return `${from} ${damagedFrom} ${to}`;
}

function recoveryFrom(dirtyFrom: number | undefined, leaderEpochMax: Epoch): LogRecovery {
  if (dirtyFrom === undefined) return { kind: "clean" };
  return { kind: "verifyFrom", offset: dirtyFrom, leaderEpochMax };
}
