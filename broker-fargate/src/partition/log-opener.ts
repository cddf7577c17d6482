import { PartitionLog } from "@millrace/core";
import type {
  Disk,
  Epoch,
  LogRecovery,
  Random,
  ReadBuffers,
  TopicId,
  TopicSettings,
} from "@millrace/core";
import { logConfigOf } from "./log-config.ts";
import type { PartitionItems, PartitionPlace } from "./partition-items.ts";
import { assertAllPlaced } from "./unplaced-records.ts";
import type { WireFormat } from "./wire-format.ts";

export const partitionsRoot = "partitions";

export function partitionDirectory({ partition, topicId }: Omit<PartitionPlace, "slot">): string {
  return `${partitionsRoot}/${topicId}-${partition}`;
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

interface LogOpenerDeps {
  readonly disk: Disk;
  readonly random: Random;
  readonly wire: WireFormat;
  readonly items: PartitionItems;
  readonly buffers?: ReadBuffers;
}

/** Opens partitions' logs, trusting of their files what the dirty list lets it trust. */
export class LogOpener {
  readonly #deps: LogOpenerDeps;

  constructor(deps: LogOpenerDeps) {
    this.#deps = deps;
  }

  /**
   * For use: what the dirty list names is read again. `epoch`: no batch has a higher one. Rejects
   * with a DiskError where the partition is offline.
   */
  async open(
    place: PartitionPlace,
    settings: TopicSettings,
    epoch: Epoch,
  ): Promise<{ readonly log: PartitionLog; readonly isListed: boolean }> {
    const { disk, items } = this.#deps;
    assertAllPlaced(disk, partitionDirectory(place));
    const [dirtyFrom, startOffset] = await Promise.all([
      items.dirtyFrom(place),
      items.startOffset(place),
    ]);
    const recovery = recoveryFrom(dirtyFrom, epoch);
    const log = this.#open(place, { settings, startOffset, recovery });
    return { log, isListed: dirtyFrom !== undefined };
  }

  /**
   * For replay: cut at `cutAt`, since what lies there or above is the journal's to tell; undefined:
   * replay opened it before and has synced what is there, up to `next`.
   */
  async openForReplay(
    place: PartitionPlace,
    settings: TopicSettings,
    how: { readonly cutAt: number | undefined; readonly next: number; readonly epoch: Epoch },
  ): Promise<PartitionLog> {
    const { cutAt, epoch, next } = how;
    const stored = await this.#deps.items.startOffset(place);
    // The journal may still hold what lies before the start; such entries are replayed as well.
    const startOffset = Math.min(stored, next);
    if (cutAt === undefined) {
      return this.#open(place, { settings, startOffset, recovery: { kind: "clean" } });
    }
    const dirtyFrom = await this.#deps.items.dirtyFrom(place);
    const isDirtyBelow = dirtyFrom !== undefined && dirtyFrom < cutAt;
    const recovery: LogRecovery = isDirtyBelow
      ? recoveryFrom(dirtyFrom, epoch)
      : { kind: "truncateTo", offset: cutAt };
    const log = this.#open(place, { settings, startOffset, recovery });
    log.truncateTo(cutAt);
    return log;
  }

  #open(
    place: PartitionPlace,
    how: {
      readonly settings: TopicSettings;
      readonly startOffset: number;
      readonly recovery: LogRecovery;
    },
  ): PartitionLog {
    const { disk, random, wire, buffers } = this.#deps;
    const { recovery, settings, startOffset } = how;
    const jitterMs = Math.min(settings.segmentJitterMs, 0xffffffff);
    const segmentJitterMs = jitterMs > 0 ? random.below(jitterMs) : 0;
    const { crc32c, findTimestamp, format } = wire;
    return PartitionLog.open({
      disk,
      directory: partitionDirectory(place),
      config: { ...logConfigOf(settings), segmentJitterMs },
      ...{ crc32c, findTimestamp, format, recovery, startOffset },
      ...(buffers === undefined ? {} : { buffers }),
    });
  }
}

function recoveryFrom(dirtyFrom: number | undefined, leaderEpochMax: Epoch): LogRecovery {
  if (dirtyFrom === undefined) return { kind: "clean" };
  return { kind: "verifyFrom", offset: dirtyFrom, leaderEpochMax };
}
