/** What a refused append means in Kafka's error codes. */
import { ErrorCode } from "@millrace/wire";
import type { AppendRefusalReason } from "../partition/append.ts";

export function refusalCode(reason: AppendRefusalReason): number {
  switch (reason) {
    case "corruptMessage":
      return ErrorCode.CORRUPT_MESSAGE;
    case "unsupportedMagic":
    case "invalidRecord":
      return ErrorCode.INVALID_RECORD;
    case "recordTooLarge":
      return ErrorCode.MESSAGE_TOO_LARGE;
    case "recordListTooLarge":
      return ErrorCode.RECORD_LIST_TOO_LARGE;
    case "invalidTimestamp":
      return ErrorCode.INVALID_TIMESTAMP;
    case "unsupportedCompression":
      return ErrorCode.UNSUPPORTED_COMPRESSION_TYPE;
    case "outOfOrderSequence":
      return ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER;
    case "invalidProducerEpoch":
      return ErrorCode.INVALID_PRODUCER_EPOCH;
    case "diskFull":
    case "diskFailed":
    case "notExamined":
      return ErrorCode.KAFKA_STORAGE_ERROR;
    case "journalFull":
    case "timedOut":
      return ErrorCode.REQUEST_TIMED_OUT;
    case "notLeader":
      return ErrorCode.NOT_LEADER_OR_FOLLOWER;
  }
}

/**
 * Whether a refusal names the log's start: Kafka does so where its log itself looked at the batch
 * and found a record, a timestamp or a sequence that it does not take.
 */
export function tellsLogStart(reason: AppendRefusalReason): boolean {
  return (
    reason === "invalidRecord" ||
    reason === "invalidTimestamp" ||
    reason === "outOfOrderSequence" ||
    reason === "invalidProducerEpoch"
  );
}
