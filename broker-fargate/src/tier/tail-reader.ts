import { DiskError, viewOf } from "@millrace/core";
import type { LogRead, PartitionLog, Random, ReadRange, Tail } from "@millrace/core";
import { TIER_NONCE_BYTES } from "@millrace/wire";
import type { WireFormat } from "../partition/wire-format.ts";
import { ImageWriter } from "./image-writer.ts";
import type { WrittenImage } from "./image-writer.ts";
import type { TierLimits } from "./limits.ts";
import { bytesOf } from "./tiered-partition.ts";
import type { TieredPartition } from "./tiered-partition.ts";

/** A partition's log, hot and cold. */
export interface TailOwner {
  readonly log: PartitionLog;
  readonly tiered: TieredPartition;
}

/** What was to be stored is gone meanwhile, or the object store does not give it back. */
export class TailGoneError extends Error {
  override readonly name = "TailGoneError";

  constructor(offset: number) {
    super(`offset ${offset} could not be read`);
  }
}

export interface TailReaderDeps {
  readonly random: Random;
  readonly wire: WireFormat;
  readonly limits: TierLimits;
}

/** Which batches an image is made of. */
export interface ImageWish {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** It ends with the batch that brings it here, if it does not end at `to`. */
  readonly targetBytes: number;
  /** Those as of `to`. */
  readonly producers: Uint8Array;
}

/** Reads what goes into the object store, and makes images of it. */
export class TailReader {
  readonly #deps: TailReaderDeps;

  constructor(deps: TailReaderDeps) {
    this.#deps = deps;
  }

  /** An image of the owner's batches. Rejects with DiskError or TailGoneError. */
  async readImage(owner: TailOwner, wish: ImageWish): Promise<WrittenImage> {
    const { limits, random, wire } = this.#deps;
    const { partition, topicId } = owner.tiered;
    const { from, producers, targetBytes, to } = wish;
    let image: ImageWriter | undefined;
    let next = from;
    let leftBytes = targetBytes;
    while (next < to && leftBytes > 0) {
      const maxBytes = Math.min(limits.chunkBytes, leftBytes);
      const range = { from: next, maxBytes, upTo: to, atLeastOneBatch: true };
      const run = await this.#read(owner, range);
      next = run.nextOffset;
      for (const bytes of run.records) {
        const runOffset = wire.format.readBaseOffset(viewOf(bytes), 0);
        // A start may lie inside a batch: the part begins with the batch.
        const baseOffset = Math.min(from, runOffset);
        image ??= new ImageWriter({ topicId, partition, baseOffset }, wire);
        const room = image.roomFor(bytes, run.nextOffset);
        if (room > 0) image.add(bytes.subarray(0, room));
        leftBytes -= room;
        if (room === bytes.length) continue;
        // It ends here; one that has no batch at all leaves out what nothing lies in.
        next = image.batchesBytes === 0 ? runOffset : image.nextOffset;
        leftBytes = 0;
        break;
      }
    }
    image ??= new ImageWriter({ topicId, partition, baseOffset: from }, wire);
    const nonce = random.bytes(TIER_NONCE_BYTES);
    const isLast = next >= to;
    return image.finish({ nextOffset: next, producers: isLast ? producers : none, nonce });
  }

  /** Whole batches from `from` on, hot or cold; cold, too, where the hot copy is damaged. */
  async #read(
    { log, tiered }: TailOwner,
    range: ReadRange,
  ): Promise<{ readonly records: readonly Uint8Array[]; readonly nextOffset: number }> {
    const { from, upTo } = range;
    for (;;) {
      const hot = readHot(log, range);
      if (hot instanceof DiskError) {
        if (from >= (tiered.cold.endOffset ?? 0)) throw hot;
      } else if (hot.kind === "ok") {
        // Nothing is left below `upTo`: compaction took it.
        const nextOffset = hot.records.length === 0 ? upTo : hot.nextOffset;
        return { records: hot.records, nextOffset };
      }
      const cold = tiered.reads.read(range);
      if (cold.kind === "ok" && cold.nextOffset > from) return cold;
      if (cold.kind === "past" && cold.nextOffset > from) {
        return { records: [], nextOffset: Math.min(cold.nextOffset, upTo) };
      }
      if (cold.kind !== "pending") throw new TailGoneError(from);
      await cold.ready;
    }
  }
}

/**
 * Every batch's CRC is checked: what goes into the object store wrong is wrong for good, once its hot
 * copy is deleted.
 */
function readHot(log: PartitionLog, range: ReadRange): LogRead | DiskError {
  try {
    return log.read({ ...range, checkedBelow: Number.POSITIVE_INFINITY });
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw error;
  }
}

export function tailOf({ log, tiered }: TailOwner): Tail {
  const { packed } = tiered.cold;
  const from = tiered.cold.segmentsEnd ?? log.logStartOffset;
  const packedEnd = packed.at(-1)?.nextOffset ?? from;
  const bytes = bytesOf(packed) + log.bytesFrom(packedEnd);
  return { from, to: log.endOffset, bytes, packed };
}

const none = new Uint8Array(0);
