import { type Operation, type PartitionName, type Send, type Tiers, topicOf } from "./history.ts";

/** A record that may have taken the place of the older ones of its key. */
interface KeyedSend {
  readonly send: Send;
  /** Undefined: nobody ever learned it. */
  readonly offset: number | undefined;
}

/**
 * What a history knows of the keys of compacted partitions: whether a record may have been removed,
 * because its key got another one later, or because it is a tombstone.
 */
export class CompactedKeys {
  readonly #tiersOf: (partition: PartitionName) => Tiers | undefined;
  readonly #byKey = new Map<string, KeyedSend[]>();
  readonly #sendOf = new Map<number, Send>();

  constructor(operations: readonly Operation[], compactedTopics: ReadonlyMap<string, Tiers>) {
    this.#tiersOf = (partition) => compactedTopics.get(topicOf(partition));
    const seenAt = new Map<number, number>();
    for (const operation of operations) {
      if (operation.kind !== "poll") continue;
      for (const { offset, value } of operation.records) seenAt.set(value, offset);
    }
    for (const operation of operations) {
      if (operation.kind !== "send") continue;
      this.#sendOf.set(operation.value, operation);
      const { key, offset, partition, value } = operation;
      if (key === undefined || operation.completion === "fail") continue;
      const name = `${partition} ${key}`;
      const others = this.#byKey.get(name) ?? [];
      this.#byKey.set(name, others);
      others.push({ send: operation, offset: seenAt.get(value) ?? offset });
    }
  }

  /** Undefined: the partition never was compacted. */
  tiersOf(partition: PartitionName): Tiers | undefined {
    return this.#tiersOf(partition);
  }

  /** Whether the record of this value, at this offset, may be gone at a place in the history. */
  mayBeGone(
    partition: PartitionName,
    record: { readonly value: number; readonly offset: number | undefined },
    at: number,
  ): boolean {
    const send = this.#sendOf.get(record.value);
    if (send?.key === undefined || this.#tiersOf(partition) === undefined) return false;
    if (send.isTombstone === true) return true;
    const { key } = send;
    return this.mayHaveLater({ partition, key, after: record.offset ?? -1, at }, (other) => {
      return other !== send;
    });
  }

  /** Whether the key may have such a record past that offset by then. */
  mayHaveLater(
    place: {
      readonly partition: PartitionName;
      readonly key: number;
      readonly after: number;
      readonly at: number;
    },
    isSuch: (send: Send) => boolean,
  ): boolean {
    const sends = this.#byKey.get(`${place.partition} ${place.key}`) ?? [];
    return sends.some(({ offset = Number.POSITIVE_INFINITY, send }) => {
      return offset > place.after && send.invokedAt < place.at && isSuch(send);
    });
  }
}
