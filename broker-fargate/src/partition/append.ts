import type { AppendDecision, AppendRefusal, RecordFaultAt } from "@millrace/core";

export interface AppendRequest {
  /** A produce request's records field. Its offsets and epochs are written in place. */
  readonly records: Uint8Array;
  /** `appended`: the owner has given offsets (acks 0 and 1). `durable`: the policy holds (all). */
  readonly waitFor: "appended" | "durable";
  /** Produce before v7 may not carry zstd (KIP-110). `allowed` by default. */
  readonly zstd?: "allowed" | "refused";
}

/**
 * Beyond what a decision refuses. `diskFull`, `journalFull`, `timedOut`: nothing or, for an append
 * that was told so late, maybe something was appended; it may be tried again. `diskFailed`: the
 * partition takes no appends until a restart. `notLeader`: closed or deleted, outcome unknown.
 * `notExamined`: what looks at records beside the event loop failed; nothing was appended.
 */
export type AppendRefusalReason =
  | AppendRefusal
  | "diskFull"
  | "diskFailed"
  | "journalFull"
  | "timedOut"
  | "notExamined"
  | "notLeader";

export interface RecordError {
  readonly batchIndex: number;
  readonly batchIndexErrorMessage: string;
}

export type AppendResult =
  | {
      readonly kind: "appended" | "duplicate";
      readonly baseOffset: number;
      readonly lastOffset: number;
      /** Wall time under LogAppendTime; -1: the records keep the producer's timestamps. */
      readonly logAppendTimeMs: number;
      readonly logStartOffset: number;
    }
  | {
      readonly kind: "refused";
      readonly reason: AppendRefusalReason;
      readonly message?: string;
      readonly recordErrors?: readonly RecordError[];
    };

export type Refused = Extract<AppendResult, { readonly kind: "refused" }>;

export function refused(reason: AppendRefusalReason, message?: string): Refused {
  return message === undefined ? { kind: "refused", reason } : { kind: "refused", reason, message };
}

export function refusedBatch(
  invalid: Extract<AppendDecision, { readonly kind: "invalid" }>,
): Refused {
  const { reason, message } = invalid;
  const recordErrors = invalid.recordErrors.map((error: RecordFaultAt) => ({
    batchIndex: error.index,
    batchIndexErrorMessage: recordMessage(error.reason),
  }));
  return { kind: "refused", reason, message, recordErrors };
}

function recordMessage(reason: string): string {
  if (reason === "timestamp") return "the record's timestamp is out of the topic's range";
  if (reason === "append-time") return "the record claims to have the time of its append";
  if (reason === "missing-key") return "a compacted topic takes no record without a key";
  return `the record is invalid: ${reason}`;
}
