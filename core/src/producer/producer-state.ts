import { producersMax } from "../log/limits.ts";
import type { Producer, ProducerBatch, SequenceCheck, SequencedBatch } from "./sequence.ts";
import { afterBatch, checkSequence } from "./sequence.ts";
import { decodeProducers, encodeProducers } from "./snapshot.ts";

/** What a decision on an append asks about producers. */
export interface ProducerView {
  check(batch: SequencedBatch): SequenceCheck;
}

/**
 * The idempotent producers of one partition, as its log has them: the batches below the log's end,
 * no more. (Batches on their way into the log are `PendingProducers`.)
 *
 * The least recent producer is forgotten when there are too many, which is the same on every replay
 * because it depends on the order of batches alone; one with an open transaction is kept.
 */
export class ProducerState implements ProducerView {
  /** Least recent first. */
  readonly #producers: Map<number, Producer>;
  /** Producer id to first offset, in rising order of offsets. */
  readonly #transactions = new Map<number, number>();
  readonly #producersMax: number;

  private constructor(producers: Map<number, Producer>, limit: number) {
    this.#producers = producers;
    this.#producersMax = limit;
    const open = [...producers].filter(([, { transactionFirstOffset: first }]) => first >= 0);
    open.sort(([, a], [, b]) => a.transactionFirstOffset - b.transactionFirstOffset);
    for (const [id, producer] of open) this.#transactions.set(id, producer.transactionFirstOffset);
  }

  static empty(limit: number = producersMax): ProducerState {
    return new ProducerState(new Map(), limit);
  }

  /** Undefined for bytes that no `snapshot` made. Whoever stores them guards them with a CRC. */
  static restore(bytes: Uint8Array, limit: number = producersMax): ProducerState | undefined {
    const producers = decodeProducers(bytes);
    return producers === undefined ? undefined : new ProducerState(producers, limit);
  }

  get size(): number {
    return this.#producers.size;
  }

  /** Where the first open transaction begins. The last stable offset is no larger. */
  get firstUnstableOffset(): number | undefined {
    return this.#transactions.values().next().value;
  }

  get(producerId: number): Producer | undefined {
    return this.#producers.get(producerId);
  }

  entries(): IterableIterator<[number, Producer]> {
    return this.#producers.entries();
  }

  check(batch: SequencedBatch): SequenceCheck {
    return checkSequence(this.#producers.get(batch.producerId), batch);
  }

  /** Counts in a batch that the log now has. No effect for a producer without an id. */
  apply(batch: ProducerBatch): void {
    const { producerId } = batch;
    if (producerId < 0) return;
    const after = afterBatch(this.#producers.get(producerId), batch);
    this.#producers.delete(producerId);
    this.#producers.set(producerId, after);
    if (after.transactionFirstOffset < 0) this.#transactions.delete(producerId);
    else this.#transactions.set(producerId, after.transactionFirstOffset);
    if (this.#producers.size > this.#producersMax) this.#forgetLeastRecent();
  }

  /** Forgets producers that appended nothing for `expirationMs` (`producer.id.expiration.ms`). */
  expire(nowMs: number, expirationMs: number): void {
    for (const [id, producer] of this.#producers) {
      if (producer.transactionFirstOffset >= 0) continue;
      if (nowMs - producer.lastTimestamp >= expirationMs) this.#producers.delete(id);
    }
  }

  snapshot(): Uint8Array {
    return encodeProducers(this.#producers);
  }

  #forgetLeastRecent(): void {
    for (const [id, producer] of this.#producers) {
      if (producer.transactionFirstOffset >= 0) continue;
      this.#producers.delete(id);
      return;
    }
  }
}
