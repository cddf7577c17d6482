import { assert, keys } from "@millrace/core";
import type { Slot, TopicId, Write } from "@millrace/core";
import type { OpenSlot } from "../cluster/slot-claims.ts";
import { read } from "../cluster/persist.ts";
import type { StoreAccess } from "../cluster/persist.ts";
import type { SlotWrites } from "./slot-writes.ts";

export interface PartitionPlace {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly slot: Slot;
}

/** A partition, with what a write under its slot needs. */
export interface MarkedPartition extends PartitionPlace {
  readonly openSlot: OpenSlot;
}

/**
 * What the metadata store keeps of partitions, under their slots' keys.
 *
 * The dirty list: which partitions' logs may have bytes that were not synced, and from which offset
 * on. A partition is on it, durably, before its first such byte; so after a crash only what is
 * listed is read again, when it is first touched. And the log's start where DeleteRecords moved it.
 * A partition that nobody touched has no item.
 *
 * Changes reject as SlotWrites do.
 */
export class PartitionItems {
  readonly #access: StoreAccess;
  readonly #writes: SlotWrites;

  constructor(access: StoreAccess, writes: SlotWrites) {
    this.#access = access;
    this.#writes = writes;
  }

  /**
   * The offset below which the partition's log is known to be durable; undefined: not listed. No
   * change that failed is made after it was read, nor of the start.
   */
  async dirtyFrom(at: PartitionPlace): Promise<number | undefined> {
    await this.#writes.settled(at.slot);
    const item = await read(this.#access, dirtyKey(at));
    const offset = item?.value["recoveryPoint"];
    assert(offset === undefined || typeof offset === "number", "a dirty mark names an offset");
    return offset;
  }

  /** Lists the partition, or moves its recovery point. */
  putDirty(at: MarkedPartition, recoveryPoint: number): Promise<void> {
    const value = { epoch: at.openSlot.epoch, recoveryPoint };
    return this.#change(at, { kind: "put", key: dirtyKey(at), value });
  }

  removeDirty(at: MarkedPartition): Promise<void> {
    return this.#change(at, { kind: "delete", key: dirtyKey(at) });
  }

  /** Where the log begins, if it was moved; 0 otherwise. */
  async startOffset(at: PartitionPlace): Promise<number> {
    await this.#writes.settled(at.slot);
    const item = await read(this.#access, keys.partition(at.slot, at.topicId, at.partition));
    const offset = item?.value["startOffset"] ?? 0;
    assert(typeof offset === "number", "a partition's start is an offset");
    return offset;
  }

  putStartOffset(at: MarkedPartition, startOffset: number): Promise<void> {
    const value = { epoch: at.openSlot.epoch, startOffset };
    const key = keys.partition(at.slot, at.topicId, at.partition);
    return this.#change(at, { kind: "put", key, value });
  }

  /** Deletes what there is of a deleted topic's partition. */
  async removeAll(at: PartitionPlace, openSlot: () => Promise<OpenSlot>): Promise<void> {
    await this.#writes.settled(at.slot);
    for (const key of [dirtyKey(at), keys.partition(at.slot, at.topicId, at.partition)]) {
      if ((await read(this.#access, key)) === undefined) continue;
      await this.#change({ ...at, openSlot: await openSlot() }, { kind: "delete", key });
    }
  }

  #change(at: MarkedPartition, write: Write): Promise<void> {
    return this.#writes.write(at, [write]);
  }
}

function dirtyKey(at: PartitionPlace): string {
  return keys.dirty(at.slot, at.topicId, at.partition);
}
