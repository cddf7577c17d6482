import { readInt64, writeInt64 } from "../record/int64.ts";
import { EPOCH_AT, EPOCH_ENTRY_BYTES, EPOCH_START_OFFSET_AT } from "./layout.ts";

/** From `startOffset` on, to the next entry's, the records were appended under `epoch`. */
export interface PartEpoch {
  readonly epoch: number;
  readonly startOffset: number;
}

export function writePartEpochs(view: DataView, at: number, epochs: readonly PartEpoch[]): void {
  epochs.forEach(({ epoch, startOffset }, i) => {
    view.setUint32(at + i * EPOCH_ENTRY_BYTES + EPOCH_AT, epoch);
    writeInt64(view, at + i * EPOCH_ENTRY_BYTES + EPOCH_START_OFFSET_AT, startOffset);
  });
}

/** Undefined where epochs and offsets do not both ascend; the entries lie within the view. */
export function readPartEpochs(
  view: DataView,
  at: number,
  count: number,
): readonly PartEpoch[] | undefined {
  const epochs: PartEpoch[] = [];
  let lastEpoch = -1;
  let lastStart = -1;
  for (let i = 0; i < count; i++) {
    const epoch = view.getUint32(at + i * EPOCH_ENTRY_BYTES + EPOCH_AT);
    const startOffset = readInt64(view, at + i * EPOCH_ENTRY_BYTES + EPOCH_START_OFFSET_AT);
    if (epoch <= lastEpoch || startOffset <= lastStart) return undefined;
    if (!Number.isSafeInteger(startOffset)) return undefined;
    epochs.push({ epoch, startOffset });
    lastEpoch = epoch;
    lastStart = startOffset;
  }
  return epochs;
}
