import { viewOf } from "@millrace/core";
import type { ColdPart, FoundRecord } from "@millrace/core";
import type { WireFormat } from "../partition/wire-format.ts";
import { chunkAt } from "./chunk-cache.ts";
import type { ChunkCache } from "./chunk-cache.ts";
import type { ImageTails } from "./image-tails.ts";
import type { TierLimits } from "./limits.ts";

export interface TimeQuery {
  /** ms */
  readonly timestamp: number;
  readonly startOffset: number;
}

export interface ColdSearchDeps {
  readonly chunks: ChunkCache;
  readonly wire: WireFormat;
  readonly limits: TierLimits;
  readonly tails: ImageTails;
}

/**
 * The part's first record with at least this timestamp at or after `startOffset`; undefined: it has
 * none. Where a batch can't be opened, its first offset stands for the record.
 */
export async function findInPart(
  part: ColdPart,
  query: TimeQuery,
  deps: ColdSearchDeps,
): Promise<FoundRecord | undefined | "failed"> {
  const { tails, wire } = deps;
  if (part.isLost === true) return "failed";
  const tail = tails.find(part) ?? (await tails.load(part));
  if (tail === undefined) return "failed";
  const { format, findTimestamp } = wire;
  let position = tail.index.floorByTimestamp(query.timestamp);
  while (position < part.batchesBytes) {
    const batch = await batchAt(part, position, deps);
    if (batch === undefined) return "failed";
    position += batch.length;
    const view = viewOf(batch);
    const maxTimestamp = format.readMaxTimestamp(view, 0);
    if (maxTimestamp < query.timestamp) continue;
    if (format.readLastOffset(view, 0) < query.startOffset) continue;
    const leaderEpoch = format.readPartitionLeaderEpoch(view, 0);
    const record = findTimestamp(batch, query);
    if (record === "unreadable") {
      const offset = Math.max(format.readBaseOffset(view, 0), query.startOffset);
      return { offset, timestamp: maxTimestamp, leaderEpoch };
    }
    if (record !== undefined) return { ...record, leaderEpoch };
  }
  return undefined;
}

/** A copy of one whole batch; undefined where it cannot be had. */
async function batchAt(
  part: ColdPart,
  position: number,
  deps: ColdSearchDeps,
): Promise<Uint8Array | undefined> {
  const { format } = deps.wire;
  let wanted = format.BATCH_HEADER_BYTES;
  for (;;) {
    if (position + wanted > part.batchesBytes) return undefined;
    const batch = new Uint8Array(wanted);
    if (!(await fill(batch, part, position, deps))) return undefined;
    const batchBytes = format.readBatchBytes(viewOf(batch), 0);
    if (batchBytes === wanted) return batch;
    if (batchBytes < wanted) return undefined;
    wanted = batchBytes;
  }
}

/** Reads the part's bytes from `position` on; false: they cannot be had. */
async function fill(
  into: Uint8Array,
  part: ColdPart,
  position: number,
  { chunks, limits }: ColdSearchDeps,
): Promise<boolean> {
  for (let filled = 0; filled < into.length; ) {
    const chunk = chunkAt(part, position + filled, limits.chunkBytes);
    if (chunks.find(chunk) === undefined) await chunks.load(chunk);
    const found = chunks.find(chunk);
    if (found === undefined) return false;
    const skip = part.position + position + filled - chunk.from;
    const some = found.subarray(skip, skip + into.length - filled);
    into.set(some, filled);
    filled += some.length;
  }
  return true;
}
