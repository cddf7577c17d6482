/**
 * The words of the classic group protocol: what members ask, what they are told, and what the
 * coordinator must do around it. Nothing here knows error codes or wire versions.
 */

/** One way of assigning that a member brings, with its opaque subscription bytes. */
export interface MemberProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

/** Identifies a request that waits for its answer; the caller chooses it, once per request. */
export type RequestId = number;

export interface JoinRequest {
  readonly requestId: RequestId;
  /** Empty for a member that has no id yet. */
  readonly memberId: string;
  /** What the member is called if it has no id yet: unguessable, made by the caller. */
  readonly newMemberId: string;
  /** `group.instance.id` of a static member (KIP-345). */
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly MemberProtocol[];
  /** KIP-394, JoinGroup v4 on: a dynamic member without id first gets one, then joins with it. */
  readonly firstJoin: "givesId" | "joins";
  /** KIP-814, JoinGroup v9 on: a returning static leader may be told not to assign. */
  readonly skipAssignment: "supported" | "unsupported";
}

export type JoinRefusal =
  | "coordinatorNotAvailable"
  | "fencedInstance"
  | "groupMaxSizeReached"
  | "groupTooLarge"
  | "inconsistentProtocol"
  | "invalidGroupId"
  | "invalidSessionTimeout"
  | "memberIdRequired"
  | "notCoordinator"
  | "rebalanceInProgress"
  | "unknownMember";

export interface JoinedMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly metadata: Uint8Array;
}

export type JoinReply =
  | {
      readonly kind: "joined";
      readonly memberId: string;
      readonly generation: number;
      readonly protocolType: string | null;
      readonly protocolName: string | null;
      readonly leader: string;
      readonly skipAssignment: boolean;
      /** All members, for the leader; none for the others. */
      readonly members: readonly JoinedMember[];
    }
  | { readonly kind: "refused"; readonly reason: JoinRefusal; readonly memberId: string };

export interface SyncRequest {
  readonly requestId: RequestId;
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** By member id; of the leader only. */
  readonly assignments: ReadonlyMap<string, Uint8Array>;
}

export type SyncRefusal =
  | "coordinatorNotAvailable"
  | "fencedInstance"
  | "groupTooLarge"
  | "illegalGeneration"
  | "inconsistentProtocol"
  | "notCoordinator"
  | "rebalanceInProgress"
  | "unknownMember";

export type SyncReply =
  | {
      readonly kind: "synced";
      readonly protocolType: string | null;
      readonly protocolName: string | null;
      readonly assignment: Uint8Array;
    }
  | { readonly kind: "refused"; readonly reason: SyncRefusal };

export interface HeartbeatRequest {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
}

export type HeartbeatOutcome =
  | "alive"
  | "coordinatorNotAvailable"
  | "fencedInstance"
  | "illegalGeneration"
  | "rebalanceInProgress"
  | "unknownMember";

export interface LeavingMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly reason: string | null;
}

export interface LeaveResult {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly outcome: "left" | "fencedInstance" | "unknownMember";
}

/** A group's timers: one for the join phase, one for the sync phase, one per (pending) member. */
export type GroupTimer = "join" | "sync" | `member:${string}`;

export function memberTimer(memberId: string): GroupTimer {
  return `member:${memberId}`;
}

/**
 * What the coordinator does after a decision, in this order: write the group's item if `write` is
 * among them, set and cancel timers, and send the answers once everything written is durable.
 */
export type GroupEffect =
  | { readonly kind: "write" }
  | { readonly kind: "setTimer"; readonly timer: GroupTimer; readonly delayMs: number }
  | { readonly kind: "cancelTimer"; readonly timer: GroupTimer }
  | { readonly kind: "answerJoin"; readonly to: RequestId; readonly reply: JoinReply }
  | { readonly kind: "answerSync"; readonly to: RequestId; readonly reply: SyncReply };

/** The broker's `group.*` settings that bound classic groups. */
export interface GroupRules {
  readonly minSessionTimeoutMs: number;
  readonly maxSessionTimeoutMs: number;
  readonly maxSize: number;
  readonly initialRebalanceDelayMs: number;
  /** How long a member that never completed a join is kept; Kafka fixes it at five minutes. */
  readonly newMemberJoinTimeoutMs: number;
}

export const newMemberJoinTimeoutMsDefault = 300_000;
