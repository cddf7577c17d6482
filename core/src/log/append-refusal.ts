/** Why a client's records field does nothing to the log. */
export type AppendRefusal =
  | "corruptMessage"
  | "unsupportedMagic"
  | "recordTooLarge"
  | "recordListTooLarge"
  | "invalidRecord"
  | "invalidTimestamp"
  | "unsupportedCompression"
  | "outOfOrderSequence"
  | "invalidProducerEpoch";

/** `index`: the record's place in the batch. `timestamp` and `missing-key` are reasons of ours. */
export interface RecordFaultAt {
  readonly index: number;
  readonly reason: string;
}

export interface Refused {
  readonly kind: "invalid";
  readonly reason: AppendRefusal;
  readonly message: string;
  readonly recordErrors: readonly RecordFaultAt[];
}

export function refuse(reason: AppendRefusal, message: string): Refused {
  return { kind: "invalid", reason, message, recordErrors: [] };
}
