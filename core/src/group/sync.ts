import { type Member, noBytes } from "./member.ts";
import type { SyncRefusal, SyncRequest } from "./protocol.ts";
import { type Decision, findMember, refuseSync, restartSession } from "./rebalance.ts";

/**
 * SyncGroup: a member asks for its assignment; the leader's request brings all of them, and makes
 * the group Stable. Others wait for the leader.
 */
export function syncGroup(decision: Decision, request: SyncRequest): void {
  const { group, effects } = decision;
  const { requestId: to } = request;
  const member = validate(decision, request);
  if (typeof member === "string") {
    refuseSync(decision, to, member);
    return;
  }
  if (group.pendingSyncs.delete(member.memberId) && group.pendingSyncs.size === 0) {
    effects.push({ kind: "cancelTimer", timer: "sync" });
  }
  if (group.state === "Stable") {
    answerSynced(decision, member, to);
    return;
  }
  const earlier = member.waitingSync;
  member.waitingSync = to;
  if (earlier !== undefined) refuseSync(decision, earlier, "rebalanceInProgress");
  if (group.leader === member.memberId) assign(decision, request);
}

function validate(decision: Decision, request: SyncRequest): Member | SyncRefusal {
  const { group } = decision;
  if (group.state === "Dead") return "coordinatorNotAvailable";
  const member = findMember(group, request);
  if (typeof member === "string") return member;
  if (request.generation !== group.generation) return "illegalGeneration";
  if (
    differs(request.protocolType, group.protocolType) ||
    differs(request.protocolName, group.protocolName)
  ) {
    return "inconsistentProtocol";
  }
  return group.state === "PreparingRebalance" ? "rebalanceInProgress" : member;
}

function differs(asked: string | null, actual: string | null): boolean {
  return asked !== null && actual !== null && asked !== actual;
}

/** Members that the leader forgot get nothing; assignments of strangers are dropped. */
function assign(decision: Decision, request: SyncRequest): void {
  const { group, effects, nowMs } = decision;
  for (const member of group.members()) {
    member.assignment = request.assignments.get(member.memberId) ?? noBytes;
  }
  group.enter("Stable", nowMs);
  effects.push({ kind: "write" });
  for (const member of group.members()) {
    const to = member.waitingSync;
    if (to === undefined) continue;
    member.waitingSync = undefined;
    answerSynced(decision, member, to);
    restartSession(decision, member);
  }
}

function answerSynced({ group, effects }: Decision, member: Member, to: number): void {
  const { protocolType, protocolName } = group;
  const { assignment } = member;
  const reply = { kind: "synced", protocolType, protocolName, assignment } as const;
  effects.push({ kind: "answerSync", to, reply });
}
