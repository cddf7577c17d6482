import type { ClassicGroup } from "./classic-group.ts";
import { type Member, noBytes } from "./member.ts";
import {
  type GroupEffect,
  type GroupRules,
  type JoinRefusal,
  memberTimer,
  type SyncRefusal,
} from "./protocol.ts";

/** What a decision works with: the group, its rules, the wall time, and the effects so far. */
export interface Decision {
  readonly group: ClassicGroup;
  readonly rules: GroupRules;
  readonly nowMs: number;
  readonly effects: GroupEffect[];
}

export function refuseJoin(
  decision: Decision,
  to: number,
  refusal: { readonly reason: JoinRefusal; readonly memberId: string },
): void {
  decision.effects.push({ kind: "answerJoin", to, reply: { kind: "refused", ...refusal } });
}

export function refuseSync(decision: Decision, to: number, reason: SyncRefusal): void {
  decision.effects.push({ kind: "answerSync", to, reply: { kind: "refused", reason } });
}

/** Starts the member's session anew. */
export function restartSession(decision: Decision, member: Member): void {
  const timer = memberTimer(member.memberId);
  decision.effects.push({ kind: "setTimer", timer, delayMs: member.sessionTimeoutMs });
}

export function cancelTimer(decision: Decision, memberId: string): void {
  decision.effects.push({ kind: "cancelTimer", timer: memberTimer(memberId) });
}

/** Checks who asks, as every request of a member does. `ok` is its member. */
export function findMember(
  group: ClassicGroup,
  who: { readonly memberId: string; readonly instanceId: string | null },
): Member | "unknownMember" | "fencedInstance" {
  if (who.instanceId !== null) {
    const current = group.memberIdOf(who.instanceId);
    if (current === undefined) return "unknownMember";
    if (current !== who.memberId) return "fencedInstance";
  }
  return group.member(who.memberId) ?? "unknownMember";
}

/**
 * Takes a member out and answers what it waits for, so that no request outlives its member.
 * Its timer is left behind: the caller cancels it unless it has just fired.
 */
export function removeMember(decision: Decision, member: Member): void {
  const { group } = decision;
  group.remove(member.memberId);
  const { waitingJoin, waitingSync } = member;
  member.waitingJoin = undefined;
  member.waitingSync = undefined;
  if (waitingJoin !== undefined) {
    refuseJoin(decision, waitingJoin, { reason: "unknownMember", memberId: "" });
  }
  if (waitingSync !== undefined) refuseSync(decision, waitingSync, "unknownMember");
}

/** After a change of members or of what they offer. */
export function rebalanceOrCompleteJoin(decision: Decision): void {
  const { state } = decision.group;
  if (state === "Stable" || state === "CompletingRebalance" || state === "Empty") {
    prepareRebalance(decision);
  } else {
    maybeCompleteJoin(decision);
  }
}

/** Ends the join phase if everybody is there; an empty group's first one waits for its delay. */
export function maybeCompleteJoin(decision: Decision): void {
  const { group } = decision;
  if (group.state !== "PreparingRebalance" || group.initialDelay !== undefined) return;
  if (group.allJoined()) completeJoin(decision);
}

/** Opens a join phase. */
export function prepareRebalance(decision: Decision): void {
  const { group, rules, effects, nowMs } = decision;
  if (group.state === "CompletingRebalance") resetAssignments(decision);
  group.pendingSyncs.clear();
  effects.push({ kind: "cancelTimer", timer: "sync" });
  if (group.state === "Empty") {
    const delayMs = rules.initialRebalanceDelayMs;
    const remainingMs = Math.max(group.rebalanceTimeoutMs() - delayMs, 0);
    group.initialDelay = { delayMs, remainingMs, newMemberAdded: false };
    group.enter("PreparingRebalance", nowMs);
    effects.push({ kind: "setTimer", timer: "join", delayMs });
    return;
  }
  group.enter("PreparingRebalance", nowMs);
  if (group.allJoined()) {
    completeJoin(decision);
  } else {
    effects.push({ kind: "setTimer", timer: "join", delayMs: group.rebalanceTimeoutMs() });
  }
}

/** The `join` timer: the join phase ends with those who came, or waits on for an empty group. */
export function joinTimedOut(decision: Decision): void {
  const { group, rules, effects } = decision;
  if (group.state !== "PreparingRebalance") return;
  const initial = group.initialDelay;
  if (initial?.newMemberAdded === true && initial.remainingMs > 0) {
    const delayMs = Math.min(rules.initialRebalanceDelayMs, initial.remainingMs);
    const remainingMs = Math.max(initial.remainingMs - initial.delayMs, 0);
    group.initialDelay = { delayMs, remainingMs, newMemberAdded: false };
    effects.push({ kind: "setTimer", timer: "join", delayMs });
    return;
  }
  completeJoin(decision);
}

/** The `sync` timer: members that never asked for their assignment are out. */
export function syncTimedOut(decision: Decision): void {
  const { group } = decision;
  if (group.state !== "CompletingRebalance" && group.state !== "Stable") return;
  if (group.pendingSyncs.size === 0) return;
  for (const memberId of [...group.pendingSyncs]) {
    const member = group.member(memberId);
    if (member !== undefined) removeMember(decision, member);
    cancelTimer(decision, memberId);
  }
  prepareRebalance(decision);
}

/** A member's timer. One whose request waits here is alive, unless it never was in a generation. */
export function memberTimedOut(decision: Decision, memberId: string): void {
  const { group } = decision;
  if (group.pendingJoins.delete(memberId)) {
    maybeCompleteJoin(decision);
    return;
  }
  const member = group.member(memberId);
  if (member === undefined) return;
  const waits = member.waitingJoin !== undefined || member.waitingSync !== undefined;
  if (waits && !member.isNew) return;
  removeMember(decision, member);
  rebalanceOrCompleteJoin(decision);
}

/** Ends the join phase: who did not come is out (static members stay), a generation begins. */
function completeJoin(decision: Decision): void {
  const { group, effects } = decision;
  effects.push({ kind: "cancelTimer", timer: "join" });
  for (const member of [...group.members()]) {
    if (member.waitingJoin !== undefined || member.instanceId !== null) continue;
    removeMember(decision, member);
    cancelTimer(decision, member.memberId);
  }
  if (group.size > 0 && !electJoinedLeader(group)) {
    // Only absent static members are left: they keep their place until they come or expire.
    effects.push({ kind: "setTimer", timer: "join", delayMs: group.rebalanceTimeoutMs() });
    return;
  }
  beginGeneration(decision);
}

function beginGeneration(decision: Decision): void {
  const { group, effects, nowMs } = decision;
  group.initialDelay = undefined;
  group.generation += 1;
  group.pendingSyncs.clear();
  effects.push({ kind: "write" });
  if (group.size === 0) {
    group.protocolName = null;
    group.enter("Empty", nowMs);
    return;
  }
  group.protocolName = group.selectProtocol();
  group.enter("CompletingRebalance", nowMs);
  for (const member of group.members()) {
    answerJoined(decision, member, { skipAssignment: false });
    restartSession(decision, member);
    member.isNew = false;
    group.pendingSyncs.add(member.memberId);
  }
  effects.push({ kind: "setTimer", timer: "sync", delayMs: group.rebalanceTimeoutMs() });
}

/** Answers the member's waiting join, if it has one, with the present generation. */
export function answerJoined(
  decision: Decision,
  member: Member,
  how: { readonly skipAssignment: boolean; readonly leader?: string },
): void {
  const { group, effects } = decision;
  const to = member.waitingJoin;
  if (to === undefined) return;
  group.setWaitingJoin(member, undefined);
  const leader = how.leader ?? group.leader ?? "";
  effects.push({
    kind: "answerJoin",
    to,
    reply: {
      kind: "joined",
      memberId: member.memberId,
      generation: group.generation,
      protocolType: group.protocolType,
      protocolName: group.protocolName,
      leader,
      skipAssignment: how.skipAssignment,
      members: leader === member.memberId ? group.joinedMembers() : [],
    },
  });
}

/** Keeps the leader if it came, else takes the first that did. False when nobody came. */
function electJoinedLeader(group: ClassicGroup): boolean {
  if (group.leader !== null && group.member(group.leader)?.waitingJoin !== undefined) return true;
  for (const member of group.members()) {
    if (member.waitingJoin === undefined) continue;
    group.leader = member.memberId;
    return true;
  }
  return false;
}

function resetAssignments(decision: Decision): void {
  for (const member of decision.group.members()) {
    member.assignment = noBytes;
    const to = member.waitingSync;
    if (to === undefined) continue;
    member.waitingSync = undefined;
    refuseSync(decision, to, "rebalanceInProgress");
    restartSession(decision, member);
  }
}
