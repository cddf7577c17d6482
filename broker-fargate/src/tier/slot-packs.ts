import type { ColdPart, Epoch, Slot, TopicId } from "@millrace/core";
import type { PackedPart, PackedPartition } from "@millrace/wire";
import type { CheckpointDamagedError } from "./former-checkpoints.ts";
import { checkpointNumber } from "./object-keys.ts";

/** A partition with its packed parts, oldest first. A loaded partition's ColdLog is one. */
export interface PackedOwner {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly cold: { readonly packed: readonly ColdPart[] };
}

/**
 * The packed parts of one slot's partitions: of those that are loaded, and of all others as the
 * newest checkpoint told them.
 */
export class SlotPacks {
  readonly slot: Slot;
  readonly epoch: Epoch;
  /** The section differs from what the newest checkpoint says, or lies elsewhere. */
  isChanged: boolean;
  /**
   * What its newest section is lost by: nobody knows which packed parts its partitions have, and no
   * other section takes its place, which would say that they have none.
   */
  readonly damage: CheckpointDamagedError | undefined;
  /**
   * A part is missing that has to move: no section can be written before it is replaced. Meanwhile
   * what its partitions get goes into segments, however little it is.
   */
  isStuck = false;
  /** Its section is in a checkpoint that is not registered yet: nobody may rest on it. */
  isBeingWritten = false;
  /** Objects that the newest registered section names. */
  named: ReadonlySet<string> = new Set();
  readonly #owners = new Map<string, PackedOwner>();

  /** `isChanged`: nothing of it lies in a checkpoint of this incarnation yet. */
  constructor(
    slot: Slot,
    epoch: Epoch,
    from: {
      readonly partitions: readonly PackedOwner[];
      readonly isChanged: boolean;
      readonly damage?: CheckpointDamagedError;
    },
  ) {
    this.slot = slot;
    this.epoch = epoch;
    this.isChanged = from.isChanged;
    this.damage = from.damage;
    for (const owner of from.partitions) this.#owners.set(keyOf(owner), owner);
  }

  find(topicId: TopicId, partition: number): readonly ColdPart[] {
    return this.#owners.get(keyOf({ topicId, partition }))?.cold.packed ?? [];
  }

  /** From now on its own list counts. */
  put(owner: PackedOwner): void {
    this.#owners.set(keyOf(owner), owner);
  }

  remove(topicId: TopicId, partition: number): void {
    if (this.#owners.delete(keyOf({ topicId, partition }))) this.isChanged = true;
  }

  /** Of all partitions that are loaded, and of all others that have packed parts. */
  owners(): IterableIterator<PackedOwner> {
    return this.#owners.values();
  }
}

/** A part as a section names it: by the number of the checkpoint that holds it. */
export function packedPart(part: ColdPart): PackedPart {
  const { object, ...rest } = part;
  return { checkpoint: checkpointNumber(object), ...rest };
}

export function packedOwner(
  { partition, parts, topicId }: PackedPartition,
  keyOfCheckpoint: (number: number) => string,
): PackedOwner {
  const packed = parts.map(({ checkpoint, ...rest }): ColdPart => {
    return { object: keyOfCheckpoint(checkpoint), ...rest };
  });
  return { topicId, partition, cold: { packed } };
}

/** One text for one partition. */
export function keyOf(owner: Pick<PackedOwner, "topicId" | "partition">): string {
  const { partition, topicId } = owner;
  return `${topicId}-${partition}`;
}
