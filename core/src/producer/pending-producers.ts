import type { ProducerState, ProducerView } from "./producer-state.ts";
import type { Producer, ProducerBatch, SequenceCheck, SequencedBatch } from "./sequence.ts";
import { afterBatch, checkSequence } from "./sequence.ts";

interface PendingProducer {
  readonly producer: Producer;
  readonly lastOffset: number;
}

/**
 * The log's producers as they will be once the batches are in the log that were accepted but wait
 * for the journal. Decisions are taken on this view, so that a window of five may be in flight;
 * the log's own state, and with it every snapshot, never names a batch that may yet be lost.
 */
export class PendingProducers implements ProducerView {
  readonly #log: { readonly producers: Pick<ProducerState, "get"> };
  readonly #pending = new Map<number, PendingProducer>();

  /** `log` is asked for its state each time, since a truncation gives it another. */
  constructor(log: { readonly producers: Pick<ProducerState, "get"> }) {
    this.#log = log;
  }

  check(batch: SequencedBatch): SequenceCheck {
    return checkSequence(this.#find(batch.producerId), batch);
  }

  /** Counts in a batch that was accepted. */
  apply(batch: ProducerBatch): void {
    if (batch.producerId < 0) return;
    const producer = afterBatch(this.#find(batch.producerId), batch);
    this.#pending.delete(batch.producerId);
    this.#pending.set(batch.producerId, { producer, lastOffset: batch.lastOffset });
  }

  /** Says that the log has every batch below `endOffset`, and its state counts them. */
  settle(endOffset: number): void {
    // In the order of their last batches, since `apply` moves a producer to the end.
    for (const [id, { lastOffset }] of this.#pending) {
      if (lastOffset >= endOffset) return;
      this.#pending.delete(id);
    }
  }

  #find(producerId: number): Producer | undefined {
    return this.#pending.get(producerId)?.producer ?? this.#log.producers.get(producerId);
  }
}
