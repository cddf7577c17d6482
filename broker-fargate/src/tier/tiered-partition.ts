import type { ColdLog, ColdPart, TopicId, TopicSettings } from "@millrace/core";
import type { ImageTail } from "@millrace/wire";
import type { MarkedPartition } from "../partition/partition-items.ts";
import type { ColdChanges } from "./cold-changes.ts";
import type { ColdReads } from "./cold-reads.ts";
import type { ImageRange, ImageWriter } from "./image-writer.ts";
import type { PartProofs } from "./part-proofs.ts";
import type { SlotPacks } from "./slot-packs.ts";

/** Parts as they lie in the object store. Rejects with ObjectError when it does not answer. */
export interface StoredParts {
  /** Undefined: it is missing, or damaged. */
  tailOf(part: ColdPart): Promise<ImageTail | undefined>;
  /** Fewer bytes at the object's end; undefined: there is no such object. */
  readRange(
    object: string,
    range: { readonly from: number; readonly bytes: number },
  ): Promise<Uint8Array | undefined>;
  /** For one more. */
  newImage(range: Omit<ImageRange, "topicId" | "partition">): ImageWriter;
}

/** What the object store holds of one loaded partition, and how it is read. */
export interface TieredPartition {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly at: MarkedPartition;
  readonly cold: ColdLog;
  readonly reads: ColdReads;
  /** Of the partition's slot. */
  readonly packs: SlotPacks;
  /** To be read from end to end, past the cache. */
  readonly parts: StoredParts;
  /** Whether its parts are what they were when they were stored. */
  readonly proofs: PartProofs;
  /** Whatever changes its cold segments. */
  readonly changes: ColdChanges;
  /** A round takes what the log has now into the object store, or did not say yet what it took. */
  isBeingCopied: boolean;
  /** Removes the parts that end at or before `offset`, with their objects; the start is stored. */
  cutStart(offset: number): Promise<void>;
}

/** Whether what is appended to the topic goes into the object store. */
export function isTiering(settings: TopicSettings): boolean {
  return settings.remoteStorageEnable && !settings.remoteLogCopyDisable;
}

/** Whether what is in the object store is to be deleted (KIP-950). */
export function isGivenUp(settings: TopicSettings): boolean {
  return !settings.remoteStorageEnable && settings.remoteLogDeleteOnDisable;
}

/** Of their batches. */
export function bytesOf(parts: readonly ColdPart[]): number {
  return parts.reduce((sum, { batchesBytes }) => sum + batchesBytes, 0);
}
