import type { HeartbeatOutcome, JoinRefusal, LeaveResult, SyncRefusal } from "@millrace/core";
import { ErrorCode } from "@millrace/wire";
import type { DeleteGroupOutcome, DeleteOffsetsOutcome } from "../group/coordinator.ts";
import type { CommitOutcome, CommitResult } from "../group/offset-store.ts";

type Refusal<Outcome> =
  Extract<Outcome, { readonly kind: "refused" }> extends {
    readonly reason: infer Reason;
  }
    ? Reason
    : never;
type ResultOf<Outcome> =
  Extract<Outcome, { readonly kind: "done" }> extends {
    readonly results: readonly (infer Result)[];
  }
    ? Result
    : never;

/** Everything that the group coordinator may answer. */
type GroupReason =
  | CommitResult
  | DeleteGroupOutcome
  | HeartbeatOutcome
  | JoinRefusal
  | LeaveResult["outcome"]
  | Refusal<CommitOutcome>
  | Refusal<DeleteOffsetsOutcome>
  | ResultOf<DeleteOffsetsOutcome>
  | SyncRefusal;

/** Kafka's error codes for the reasons that the group coordinator gives. */
const codes: { readonly [Reason in GroupReason]: number } = {
  alive: ErrorCode.NONE,
  committed: ErrorCode.NONE,
  coordinatorNotAvailable: ErrorCode.COORDINATOR_NOT_AVAILABLE,
  deleted: ErrorCode.NONE,
  fencedInstance: ErrorCode.FENCED_INSTANCE_ID,
  groupMaxSizeReached: ErrorCode.GROUP_MAX_SIZE_REACHED,
  groupNotFound: ErrorCode.GROUP_ID_NOT_FOUND,
  groupSubscribed: ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
  // Kafka says so of a group whose record would be too large.
  groupTooLarge: ErrorCode.UNKNOWN_SERVER_ERROR,
  illegalGeneration: ErrorCode.ILLEGAL_GENERATION,
  inconsistentProtocol: ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
  invalidGroupId: ErrorCode.INVALID_GROUP_ID,
  invalidSessionTimeout: ErrorCode.INVALID_SESSION_TIMEOUT,
  left: ErrorCode.NONE,
  memberIdRequired: ErrorCode.MEMBER_ID_REQUIRED,
  metadataTooLarge: ErrorCode.OFFSET_METADATA_TOO_LARGE,
  nonEmptyGroup: ErrorCode.NON_EMPTY_GROUP,
  notCoordinator: ErrorCode.NOT_COORDINATOR,
  rebalanceInProgress: ErrorCode.REBALANCE_IN_PROGRESS,
  unknownMember: ErrorCode.UNKNOWN_MEMBER_ID,
};

export function groupErrorCode(reason: GroupReason): number {
  return codes[reason];
}
