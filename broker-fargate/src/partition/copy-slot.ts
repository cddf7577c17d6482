import { inLanes, ObjectError } from "@millrace/core";
import { copiesAtOnceMax } from "../takeover/limits.ts";
import type { Tier } from "../tier/tier.ts";
import type { PartitionOwner } from "./owner.ts";
import type { MarkedPartition } from "./partition-items.ts";
import { closeLog, type PartitionCopy, type PartitionLoader } from "./partition-loader.ts";
import type { PartitionName } from "./partition-loader.ts";

export interface CopySlotDeps {
  readonly tier: Tier<PartitionOwner>;
  readonly loader: PartitionLoader;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Packs all that a slot's sources have, of a slot that is not owned yet: nothing is written that
 * needs the head (ownership rule 7). Its packs stay in memory, for the claim that follows. What an
 * earlier copy left there is dropped, since the head may have got another owner meanwhile.
 */
export async function copySlot(
  { loader, tier, warn }: CopySlotDeps,
  at: Pick<MarkedPartition, "slot" | "openSlot">,
  waiting: readonly PartitionName[],
): Promise<void> {
  await tier.closeSlot(at.slot, "lost");
  const copies: PartitionCopy[] = [];
  try {
    await tier.adoptSlot(at.slot, at.openSlot);
    const known = waiting.filter((one) => loader.isKnown(one));
    await inLanes(known, copiesAtOnceMax, async (one) => {
      const { partition, topicId } = one;
      copies.push(await loader.openCopy({ topicId, partition, ...at }));
    });
    if ((await tier.checkpointer.copy(copies)) === "done" && tier.isSlotHeld(at.slot)) return;
    const cause = `slot ${at.slot} could not be copied`;
    throw new ObjectError(cause, { retriable: true, applied: "maybe" });
  } catch (error) {
    await tier.closeSlot(at.slot, "lost");
    throw error;
  } finally {
    for (const { log } of copies) closeLog(log, warn);
  }
}
