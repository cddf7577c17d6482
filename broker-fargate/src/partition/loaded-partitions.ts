import type { Slot, TopicId } from "@millrace/core";
import type { PartitionOwner } from "./owner.ts";

/** The partitions that are loaded, by topic and number. */
export class LoadedPartitions {
  readonly #owners = new Map<TopicId, Map<number, PartitionOwner>>();

  find(topicId: TopicId, partition: number): PartitionOwner | undefined {
    return this.#owners.get(topicId)?.get(partition);
  }

  add(owner: PartitionOwner): void {
    const { partition, topicId } = owner;
    const byNumber = this.#owners.get(topicId) ?? new Map<number, PartitionOwner>();
    this.#owners.set(topicId, byNumber.set(partition, owner));
  }

  topics(): Iterable<TopicId> {
    return this.#owners.keys();
  }

  ofTopic(topicId: TopicId): readonly PartitionOwner[] {
    return [...(this.#owners.get(topicId)?.values() ?? [])];
  }

  ofSlots(slots: ReadonlySet<Slot>): readonly PartitionOwner[] {
    return this.all().filter(({ slot }) => slots.has(slot));
  }

  all(): readonly PartitionOwner[] {
    return [...this.#owners.values()].flatMap((byNumber) => [...byNumber.values()]);
  }

  remove({ partition, topicId }: PartitionOwner): void {
    const byNumber = this.#owners.get(topicId);
    byNumber?.delete(partition);
    if (byNumber?.size === 0) this.#owners.delete(topicId);
  }
}
