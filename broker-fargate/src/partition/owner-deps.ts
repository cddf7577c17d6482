import type { Clock, PartitionLog, Slot, TopicId, TopicSettings } from "@millrace/core";
import type { OpenSlot } from "../cluster/slot-claims.ts";
import type { TieredPartition } from "../tier/tiered-partition.ts";
import type { AppendJournal } from "../journal/append-journal.ts";
import type { Duties } from "./duties.ts";
import type { Examinations } from "./examinations.ts";
import type { HotRepairs } from "../recovery/hot-repairs.ts";
import type { PartitionLimits } from "./limits.ts";
import type { PartitionOwner } from "./owner.ts";
import type { PartitionItems } from "./partition-items.ts";
import type { WireFormat } from "./wire-format.ts";

export interface OwnerDeps {
  readonly clock: Clock;
  readonly limits: PartitionLimits;
  readonly wire: WireFormat;
  readonly journal: AppendJournal;
  readonly items: PartitionItems;
  readonly duties: Duties;
  readonly examinations: Examinations;
  readonly repairs: HotRepairs;
  /** The log grew by so many bytes, which the object store is to have. */
  readonly onTierable: (owner: PartitionOwner, bytes: number) => void;
  /** Something that an operator should know and the partition lives on with. */
  readonly warn: (what: string, cause: unknown) => void;
}

export interface OwnerStart {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly slot: Slot;
  readonly openSlot: OpenSlot;
  readonly log: PartitionLog;
  readonly settings: TopicSettings;
  readonly tiered: TieredPartition | undefined;
  /** Whether the partition is on the dirty list. */
  readonly isListed: boolean;
}
