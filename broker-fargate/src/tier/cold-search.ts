import { viewOf } from "@millrace/core";
import type { ColdPart, FoundRecord } from "@millrace/core";
import type { WireFormat } from "../partition/wire-format.ts";
import { chunkAt } from "./chunk-cache.ts";
import type { ChunkCache } from "./chunk-cache.ts";
import type { ImageTails } from "./image-tails.ts";
import type { TierLimits } from "./limits.ts";
import { copyFrom } from "./window.ts";
import type { Window } from "./window.ts";

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
    const window = await load(part, { position, bytes: wanted }, deps);
    if (window === undefined || window.bytes < wanted) return undefined;
    const batch = new Uint8Array(wanted);
    copyFrom(window, 0, batch);
    const batchBytes = format.readBatchBytes(viewOf(batch), 0);
    if (batchBytes === wanted) return batch;
    if (batchBytes < wanted || batchBytes > part.batchesBytes - position) return undefined;
    wanted = batchBytes;
  }
}

async function load(
  part: ColdPart,
  range: { readonly position: number; readonly bytes: number },
  { chunks, limits }: ColdSearchDeps,
): Promise<Window | undefined> {
  const { bytes, position } = range;
  const pieces: Uint8Array[] = [];
  let have = 0;
  while (have < bytes && position + have < part.batchesBytes) {
    const chunk = chunkAt(part, position + have, limits.chunkBytes);
    if (chunks.find(chunk) === undefined) await chunks.load(chunk);
    const found = chunks.find(chunk);
    if (found === undefined) return undefined;
    const skip = part.position + position + have - chunk.from;
    pieces.push(found.subarray(skip));
    have += found.length - skip;
  }
  return { pieces, bytes: have };
}
