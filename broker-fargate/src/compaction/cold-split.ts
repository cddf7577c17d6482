import { viewOf } from "@millrace/core";
import type { ClippedPart, Random } from "@millrace/core";
import { splitBatches, TIER_NONCE_BYTES } from "@millrace/wire";
import type { WrittenImage } from "../tier/image-writer.ts";
import type { StoredParts } from "../tier/tiered-partition.ts";
import { ColdPartDamagedError } from "./cold-pieces.ts";

export interface SplitDeps {
  readonly parts: StoredParts;
  readonly random: Random;
  /** The part's batches, in order. */
  readonly pieces: AsyncIterable<{ readonly batches: Uint8Array }>;
  readonly readLastOffset: (view: DataView, at: number) => number;
}

/**
 * Makes two images of one part, as it is: the batches that end at or below `at`, and the others.
 * `whole`: its first batch ends above.
 */
export async function splitPart(
  { baseOffset, endOffset, part }: ClippedPart,
  at: number,
  { parts, pieces, random, readLastOffset }: SplitDeps,
): Promise<readonly WrittenImage[] | "whole"> {
  const tail = await parts.tailOf(part);
  if (tail === undefined) throw new ColdPartDamagedError(part, "it has no end");
  const leaderEpochs = part.leaderEpochs.filter(({ startOffset }) => startOffset < at);
  const lower = parts.newImage({ baseOffset, leaderEpochs });
  const upper: Uint8Array[] = [];
  for await (const { batches } of pieces) {
    const view = viewOf(batches);
    const starts = splitBatches(batches).starts;
    const first = starts.find((start) => readLastOffset(view, start) >= at) ?? batches.length;
    if (first > 0) lower.add(batches.subarray(0, first));
    if (first < batches.length) upper.push(batches.subarray(first));
  }
  if (lower.batchesBytes === 0) return "whole";
  const { nextOffset } = lower;
  const higher = parts.newImage({ baseOffset: nextOffset });
  for (const run of upper) higher.add(run);
  const nonce = (): Uint8Array => random.bytes(TIER_NONCE_BYTES);
  return [
    lower.finish({ nextOffset, producers: new Uint8Array(0), nonce: nonce() }),
    higher.finish({ nextOffset: endOffset, producers: tail.producers, nonce: nonce() }),
  ];
}
