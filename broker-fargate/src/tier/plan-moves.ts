import type { StoredCheckpoint } from "./checkpoint-writer.ts";
import type { TierLimits } from "./limits.ts";

/**
 * From which checkpoint on packed parts may stay where they are: those in earlier ones move into
 * the next, so that these can go. The oldest go first, one checkpoint's worth of bytes at a time,
 * while there are too many, or they take more than twice what still counts of them.
 */
export function planMoves(
  checkpoints: Iterable<StoredCheckpoint>,
  liveBytes: ReadonlyMap<string, number>,
  limits: Pick<TierLimits, "checkpointsMax" | "checkpointBytesMax">,
): number {
  const all = [...checkpoints];
  let live = 0;
  for (const bytes of liveBytes.values()) live += bytes;
  let count = all.length;
  let bytes = all.reduce((sum, checkpoint) => sum + checkpoint.bytes, 0);
  let moved = 0;
  let keptFrom = 0;
  for (const checkpoint of all) {
    const isTooMuch = bytes > 2 * live + limits.checkpointBytesMax;
    if (count <= limits.checkpointsMax && !isTooMuch) break;
    const moving = liveBytes.get(checkpoint.object) ?? 0;
    if (moved > 0 && moved + moving > limits.checkpointBytesMax) break;
    moved += moving;
    bytes += moving - checkpoint.bytes;
    count -= 1;
    keptFrom = checkpoint.number + 1;
  }
  return keptFrom;
}
