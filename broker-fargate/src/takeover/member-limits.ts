import { assert } from "@millrace/core";
import { checked, type PartitionLimits, partitionLimits } from "../partition/limits.ts";
import { memberTierLimits } from "../tier/limits.ts";

/**
 * What differs for a member of a cluster: its journal is what a takeover replays, so what a
 * checkpoint has covered is trimmed at once.
 */
export const memberPartitionLimits: PartitionLimits = checked({
  ...partitionLimits,
  journalTrimBytes: 32 * 1024 * 1024,
});

assert(
  memberPartitionLimits.journalTrimBytes < memberTierLimits.checkpointDueBytes,
  "the trim follows a checkpoint, whatever came meanwhile",
);
