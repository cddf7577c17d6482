/**
 * What the program wishes of partitions beyond those it has now: where to begin with what will be
 * assigned, and what is paused, which a rebalance does not end.
 */
import type { TopicPartition } from "../transport/described.ts";
import type { Position } from "./options.ts";

type Filter = Partial<TopicPartition>;

interface Wish<Value> {
  readonly filter: Filter;
  readonly value: Value;
}

export class Wishes {
  #seeks: readonly Wish<Position>[] = [];
  #pauses: readonly Wish<boolean>[] = [];

  /** Counts for the next assignment. */
  seek(position: Position, filter: Filter): void {
    this.#seeks = withWish(this.#seeks, { filter, value: position });
  }

  setPaused(isPaused: boolean, filter: Filter): void {
    const pauses = withWish(this.#pauses, { filter, value: isPaused });
    // What nothing paused needs no rule to be resumed.
    const first = pauses.findIndex(({ value }) => value);
    this.#pauses = first < 0 ? [] : pauses.slice(first);
  }

  positionOf(at: TopicPartition): Position | undefined {
    return this.#seeks.findLast(({ filter }) => covers(filter, at))?.value;
  }

  isPaused(at: TopicPartition): boolean {
    return this.#pauses.findLast(({ filter }) => covers(filter, at))?.value ?? false;
  }

  /** A seek is for once: after the next rebalance the group's offsets count. */
  assigned(): void {
    this.#seeks = [];
  }
}

/** The last one that covers a partition counts; those that it covers as a whole say nothing more. */
function withWish<Value>(
  wishes: readonly Wish<Value>[],
  wish: Wish<Value>,
): readonly Wish<Value>[] {
  return [...wishes.filter(({ filter }) => !covers(wish.filter, filter)), wish];
}

/** Whether the filter is about a partition, or about all that another filter is about. */
export function covers(filter: Filter, other: Filter): boolean {
  const isTopic = filter.topic === undefined || filter.topic === other.topic;
  return isTopic && (filter.partition === undefined || filter.partition === other.partition);
}
