import { assert, keys, transactWritesMax } from "@millrace/core";
import type { Slot, TopicId, Write } from "@millrace/core";
import { FencedError } from "../cluster/slot-claims.ts";
import type { OpenSlot } from "../cluster/slot-claims.ts";
import { read, transact } from "../cluster/persist.ts";
import type { StoreAccess } from "../cluster/persist.ts";

export interface PartitionPlace {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly slot: Slot;
}

/** A partition, with what a write under its slot needs. */
export interface MarkedPartition extends PartitionPlace {
  readonly openSlot: OpenSlot;
}

interface Change {
  readonly write: Write;
  readonly check: Write;
  readonly done: (() => void)[];
  readonly failed: ((error: unknown) => void)[];
}

/**
 * What the metadata store keeps of partitions, under their slots' keys.
 *
 * The dirty list: which partitions' logs may have bytes that were not synced, and from which offset
 * on. A partition is on it, durably, before its first such byte; so after a crash only what is
 * listed is read again, when it is first touched. And the log's start where DeleteRecords moved it.
 * A partition that nobody touched has no item.
 *
 * While one transaction is under way, further changes collect for the next one. Each transaction
 * holds on condition that the slots' heads are still this incarnation's (an absent item can carry
 * no claim). Rejects with MetadataError, when nobody knows whether the change was made, or with
 * FencedError.
 */
export class PartitionItems {
  readonly #access: StoreAccess;
  #changes = new Map<string, Change>();
  #writing = false;

  constructor(access: StoreAccess) {
    this.#access = access;
  }

  /** The offset below which the partition's log is known to be durable; undefined: not listed. */
  async dirtyFrom(at: PartitionPlace): Promise<number | undefined> {
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
    for (const key of [dirtyKey(at), keys.partition(at.slot, at.topicId, at.partition)]) {
      if ((await read(this.#access, key)) === undefined) continue;
      await this.#change({ ...at, openSlot: await openSlot() }, { kind: "delete", key });
    }
  }

  #change(at: MarkedPartition, write: Write): Promise<void> {
    const { headVersion: version } = at.openSlot;
    const condition = { is: "version", version } as const;
    const check: Write = { kind: "check", key: keys.head(at.slot), condition };
    return new Promise((done, failed) => {
      const before = this.#changes.get(write.key);
      this.#changes.delete(write.key);
      this.#changes.set(write.key, {
        write,
        check,
        done: [...(before?.done ?? []), done],
        failed: [...(before?.failed ?? []), failed],
      });
      if (this.#writing) return;
      this.#writing = true;
      queueMicrotask(() => void this.#writeAll());
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#changes.size > 0) {
      const changes = this.#take();
      const checks = new Map(changes.map(({ check }) => [check.key, check]));
      const writes = [...checks.values(), ...changes.map(({ write }) => write)];
      try {
        // The items are this owner's alone, so an earlier try's effect refuses nothing.
        const outcome = await transact(this.#access, writes, () => false);
        if (!outcome.ok) throw new FencedError(`${outcome.refused[0]?.key} is another owner's`);
        changes.flatMap(({ done }) => done).forEach((tell) => tell());
      } catch (error) {
        changes.flatMap(({ failed }) => failed).forEach((tell) => tell(error));
      }
    }
    this.#writing = false;
  }

  /** As many changes as one transaction holds, with one check for each of their slots. */
  #take(): readonly Change[] {
    const taken: Change[] = [];
    const heads = new Set<string>();
    for (const [key, change] of this.#changes) {
      heads.add(change.check.key);
      if (taken.length + 1 + heads.size > transactWritesMax) break;
      taken.push(change);
      this.#changes.delete(key);
    }
    return taken;
  }
}

function dirtyKey(at: PartitionPlace): string {
  return keys.dirty(at.slot, at.topicId, at.partition);
}
