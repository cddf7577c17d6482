import type { BatchFormat, ProducerState } from "@millrace/core";
import { viewOf } from "@millrace/core";

/** What the headers of a piece of the log say, for the round. */
export interface PieceLook {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** Whether a batch of a transaction, or a marker, is among them. */
  readonly hasTransactions: boolean;
  /**
   * Base offsets of the batches that tell the last that is known of their producers: its last data
   * batch, which has its sequence, or, where its epoch has none, the markers of that epoch.
   */
  readonly producersLast: readonly number[];
}

/** `batches` are whole and at least one. */
export function lookAtPiece(
  batches: Uint8Array,
  format: BatchFormat,
  producers: Pick<ProducerState, "get">,
): PieceLook {
  const view = viewOf(batches);
  const producersLast: number[] = [];
  let hasTransactions = false;
  let lastOffset = -1;
  for (let at = 0; at < batches.length; at += format.readBatchBytes(view, at)) {
    lastOffset = format.readLastOffset(view, at);
    const producerId = format.readProducerId(view, at);
    if (producerId < 0) continue;
    const isControl = format.isControl(view, at);
    hasTransactions ||= isControl || format.isTransactional(view, at);
    const producer = producers.get(producerId);
    if (producer === undefined) continue;
    const last = producer.batches.at(-1);
    const isLast =
      last === undefined
        ? isControl && format.readProducerEpoch(view, at) === producer.epoch
        : last.lastOffset === lastOffset;
    if (isLast) producersLast.push(format.readBaseOffset(view, at));
  }
  return { baseOffset: format.readBaseOffset(view, 0), lastOffset, hasTransactions, producersLast };
}
