/**
 * Idempotence of one producer in one partition, as Apache Kafka 4.x decides it (KIP-98, KIP-360).
 *
 * Sequences are int32 that count records and go from 2^31 - 1 on to 0. Of each producer the last
 * five batches are remembered, because a client may have five requests in flight: the same first
 * and last sequence under the same epoch is one of them sent again.
 */
export interface SequencedBatch {
  /** 0 or more. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
}

/** A batch of the window of five. */
export interface RememberedBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** The batch's largest timestamp, ms; -1: none. */
  readonly timestamp: number;
}

export interface Producer {
  readonly epoch: number;
  /** Of its last batch or marker, ms. */
  readonly lastTimestamp: number;
  /** Where its open transaction begins; -1: none is open. */
  readonly transactionFirstOffset: number;
  /** Oldest first. Empty after a marker raised the epoch. */
  readonly batches: readonly RememberedBatch[];
}

export type SequenceCheck =
  | { readonly kind: "append" }
  | {
      readonly kind: "duplicate";
      readonly baseOffset: number;
      readonly lastOffset: number;
      readonly timestamp: number;
    }
  | { readonly kind: "outOfOrderSequence" }
  | { readonly kind: "invalidProducerEpoch" };

export const rememberedBatchesMax = 5;
const lastOfAllSequences = 0x7fffffff;
const append: SequenceCheck = { kind: "append" };
const outOfOrder: SequenceCheck = { kind: "outOfOrderSequence" };
const oldEpoch: SequenceCheck = { kind: "invalidProducerEpoch" };

/**
 * What to do with the batch. Of an unknown producer any sequence is right: its state may have
 * expired, or its records may be gone.
 */
export function checkSequence(
  producer: Producer | undefined,
  batch: SequencedBatch,
): SequenceCheck {
  if (producer === undefined) return append;
  if (batch.producerEpoch < producer.epoch) return oldEpoch;
  if (batch.producerEpoch > producer.epoch) return batch.baseSequence === 0 ? append : outOfOrder;
  for (const known of producer.batches) {
    if (known.baseSequence !== batch.baseSequence) continue;
    if (known.lastSequence !== batch.lastSequence) continue;
    const { baseOffset, lastOffset, timestamp } = known;
    return { kind: "duplicate", baseOffset, lastOffset, timestamp };
  }
  const last = producer.batches.at(-1)?.lastSequence ?? -1;
  return batch.baseSequence === nextSequence(last) ? append : outOfOrder;
}

export function nextSequence(sequence: number): number {
  return sequence === lastOfAllSequences ? 0 : sequence + 1;
}

/** What the log says of a batch of an idempotent producer. */
export interface ProducerBatch extends SequencedBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly maxTimestamp: number;
  readonly isTransactional: boolean;
  /** A marker: it ends the producer's transaction. */
  readonly isControl: boolean;
}

/** The producer after the batch was appended. */
export function afterBatch(producer: Producer | undefined, batch: ProducerBatch): Producer {
  const sameEpoch = producer !== undefined && producer.epoch === batch.producerEpoch;
  const known = sameEpoch ? producer.batches : [];
  const epoch = batch.producerEpoch;
  const lastTimestamp = batch.maxTimestamp;
  if (batch.isControl) return { epoch, lastTimestamp, transactionFirstOffset: -1, batches: known };
  const open = producer?.transactionFirstOffset ?? -1;
  return {
    epoch,
    lastTimestamp,
    transactionFirstOffset: open < 0 && batch.isTransactional ? batch.baseOffset : open,
    batches: [...known.slice(1 - rememberedBatchesMax), remembered(batch)],
  };
}

function remembered(batch: ProducerBatch): RememberedBatch {
  return {
    baseSequence: batch.baseSequence,
    lastSequence: batch.lastSequence,
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    timestamp: batch.maxTimestamp,
  };
}
