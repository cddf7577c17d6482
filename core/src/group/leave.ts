import type { LeaveResult, LeavingMember } from "./protocol.ts";
import {
  cancelTimer,
  type Decision,
  findMember,
  rebalanceOrCompleteJoin,
  removeMember,
} from "./rebalance.ts";

/**
 * LeaveGroup: members go, one result each in the order asked. An admin removes a static member by
 * its instance id alone (KIP-345). One rebalance follows, however many leave.
 */
export function leaveGroup(
  decision: Decision,
  leaving: readonly LeavingMember[],
): readonly LeaveResult[] | "coordinatorNotAvailable" {
  if (decision.group.state === "Dead") return "coordinatorNotAvailable";
  const results = leaving.map(({ memberId, instanceId }) => ({
    memberId,
    instanceId,
    outcome: leaveOne(decision, { memberId, instanceId }),
  }));
  const anyLeft = results.some(({ outcome }) => outcome === "left");
  if (anyLeft && decision.group.state !== "Empty") rebalanceOrCompleteJoin(decision);
  return results;
}

function leaveOne(
  decision: Decision,
  who: { readonly memberId: string; readonly instanceId: string | null },
): LeaveResult["outcome"] {
  const { group } = decision;
  if (who.memberId !== "" && group.pendingJoins.delete(who.memberId)) {
    cancelTimer(decision, who.memberId);
    return "left";
  }
  const member = findMember(group, named(decision, who));
  if (typeof member === "string") return member;
  removeMember(decision, member);
  cancelTimer(decision, member.memberId);
  return "left";
}

/** The instance id stands for its member where the request gives no member id. */
function named(
  { group }: Decision,
  who: { readonly memberId: string; readonly instanceId: string | null },
): { readonly memberId: string; readonly instanceId: string | null } {
  if (who.memberId !== "" || who.instanceId === null) return who;
  return { ...who, memberId: group.memberIdOf(who.instanceId) ?? "" };
}
