import type { HeartbeatOutcome, HeartbeatRequest } from "./protocol.ts";
import { type Decision, findMember, restartSession } from "./rebalance.ts";

/** Heartbeat: the member's session starts anew, and it learns whether it must join again. */
export function heartbeat(decision: Decision, request: HeartbeatRequest): HeartbeatOutcome {
  const { group } = decision;
  if (group.state === "Dead") return "coordinatorNotAvailable";
  const member = findMember(group, request);
  if (typeof member === "string") return member;
  if (request.generation !== group.generation) return "illegalGeneration";
  restartSession(decision, member);
  return group.state === "PreparingRebalance" ? "rebalanceInProgress" : "alive";
}

export type CommitRefusal =
  | "coordinatorNotAvailable"
  | "fencedInstance"
  | "illegalGeneration"
  | "rebalanceInProgress"
  | "unknownMember";

/**
 * Whether offsets may be committed: by a member of the present generation, or, with generation −1,
 * by anyone while the group is empty. A member that commits is alive.
 */
export function checkCommit(decision: Decision, request: HeartbeatRequest): "ok" | CommitRefusal {
  const { group } = decision;
  if (group.state === "Dead") return "coordinatorNotAvailable";
  if (request.generation < 0 && group.state === "Empty") return "ok";
  const member = findMember(group, request);
  if (typeof member === "string") return member;
  if (request.generation !== group.generation) return "illegalGeneration";
  if (group.state === "CompletingRebalance") return "rebalanceInProgress";
  restartSession(decision, member);
  return "ok";
}
