import { acrossTiers, lookAtLog, retentionDueMs } from "@millrace/core";
import type { ColdPart, Disk, TopicId, TopicSettings } from "@millrace/core";
import { logConfigOf } from "../partition/log-config.ts";
import { partitionDirectory } from "../partition/log-opener.ts";
import type { WireFormat } from "../partition/wire-format.ts";

interface PartitionAt {
  readonly topicId: TopicId;
  readonly partition: number;
}

export interface IdleLogsDeps {
  readonly disk: Disk;
  readonly wire: WireFormat;
  /** What the object store has of a partition that is not loaded; absent: there is none. */
  readonly coldParts?: (at: PartitionAt) => Promise<readonly ColdPart[]>;
}

/**
 * Partitions that nobody touched since the start, as retention sees them: by a look at their folder,
 * which opens no log and leaves nothing in memory, and at the names of their cold parts.
 */
export class IdleLogs {
  readonly #deps: IdleLogsDeps;

  constructor(deps: IdleLogsDeps) {
    this.#deps = deps;
  }

  /**
   * The wall time from which on retention may take something of the partition, as long as nobody
   * touches it; `nowMs` or less: now. Rejects with a DiskError, and as `coldParts` does.
   */
  async dueMs(at: PartitionAt, settings: TopicSettings, nowMs: number): Promise<number> {
    const { cleanupPolicy, retentionBytes, retentionMs } = settings;
    const isBounded = cleanupPolicy.delete && (retentionMs >= 0 || retentionBytes >= 0);
    if (!isBounded) return Number.POSITIVE_INFINITY;
    const { coldParts, disk, wire } = this.#deps;
    const { crc32c, findTimestamp, format } = wire;
    const files = { disk, directory: partitionDirectory(at), format, crc32c, findTimestamp };
    const hot = lookAtLog(files, logConfigOf(settings), settings);
    const segments = acrossTiers((await coldParts?.(at)) ?? [], hot?.segments ?? []);
    if (segments.length === 0) return Number.POSITIVE_INFINITY;
    // Where it ends is known once it is loaded; nobody can say so from its folder.
    const end = Number.MAX_SAFE_INTEGER;
    const log = { segments, logStartOffset: 0, highWatermark: end, logEndOffset: end };
    return retentionDueMs(log, settings, nowMs);
  }
}
