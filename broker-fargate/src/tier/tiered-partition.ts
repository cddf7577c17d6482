import type { ColdLog, ColdPart, TopicId, TopicSettings } from "@millrace/core";
import type { MarkedPartition } from "../partition/partition-items.ts";
import type { ColdReads } from "./cold-reads.ts";
import type { SlotPacks } from "./slot-packs.ts";

/** What the object store holds of one loaded partition, and how it is read. */
export interface TieredPartition {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly at: MarkedPartition;
  readonly cold: ColdLog;
  readonly reads: ColdReads;
  /** Of the partition's slot. */
  readonly packs: SlotPacks;
  /** Removes the parts that end at or before `offset`, with their objects; the start is stored. */
  cutStart(offset: number): Promise<void>;
}

/** Whether what is appended to the topic goes into the object store. */
export function isTiering(settings: TopicSettings): boolean {
  return settings.remoteStorageEnable && !settings.remoteLogCopyDisable;
}

/** Of their batches. */
export function bytesOf(parts: readonly ColdPart[]): number {
  return parts.reduce((sum, { batchesBytes }) => sum + batchesBytes, 0);
}
