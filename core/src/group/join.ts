import { distinctProtocols, type Member, noBytes, sameProtocols } from "./member.ts";
import { type JoinRefusal, type JoinRequest, memberTimer } from "./protocol.ts";
import {
  answerJoined,
  cancelTimer,
  type Decision,
  findMember,
  maybeCompleteJoin,
  prepareRebalance,
  rebalanceOrCompleteJoin,
  refuseJoin,
  refuseSync,
  removeMember,
} from "./rebalance.ts";

/** Ids that a group has given and that nobody has joined with yet; each costs a timer. */
export const pendingJoinsMax = 10_000;

/**
 * JoinGroup: a member enters or re-enters a join phase, or learns the generation that holds.
 * The request is answered at once, or when the phase ends (then with `answerJoin` of a later
 * decision). Sources: KIP-62, KIP-134, KIP-345, KIP-394, KIP-814.
 */
export function joinGroup(decision: Decision, request: JoinRequest): void {
  const { group, rules } = decision;
  const { sessionTimeoutMs } = request;
  if (
    sessionTimeoutMs < rules.minSessionTimeoutMs ||
    sessionTimeoutMs > rules.maxSessionTimeoutMs
  ) {
    refuse(decision, request, "invalidSessionTimeout");
  } else if (!hasRoom(decision, request.memberId)) {
    dropRefused(decision, request.memberId);
    refuseJoin(decision, request.requestId, { reason: "groupMaxSizeReached", memberId: "" });
  } else if (group.state === "Dead") {
    refuse(decision, request, "coordinatorNotAvailable");
  } else if (!group.supports(request.protocolType, request.protocols)) {
    refuse(decision, request, "inconsistentProtocol");
  } else if (request.memberId !== "") {
    joinKnown(decision, request);
  } else if (request.instanceId !== null) {
    joinNewStatic(decision, request, request.instanceId);
  } else if (request.firstJoin === "givesId") {
    giveId(decision, request);
  } else {
    addMember(decision, request, request.newMemberId);
  }
}

function refuse(decision: Decision, request: JoinRequest, reason: JoinRefusal): void {
  refuseJoin(decision, request.requestId, { reason, memberId: request.memberId });
}

/** In a join phase those who came count; else those who are in. Pending members do not count. */
function hasRoom({ group, rules }: Decision, memberId: string): boolean {
  const member = group.member(memberId);
  if (group.state === "PreparingRebalance") {
    return member?.waitingJoin !== undefined || group.waitingJoins < rules.maxSize;
  }
  if (group.state === "CompletingRebalance" || group.state === "Stable") {
    return member !== undefined || group.size < rules.maxSize;
  }
  return true;
}

/** A member that found no room in the join phase loses its place, or the phase waits for it. */
function dropRefused(decision: Decision, memberId: string): void {
  const { group } = decision;
  const member = group.member(memberId);
  if (member !== undefined) removeMember(decision, member);
  else if (!group.pendingJoins.delete(memberId)) return;
  cancelTimer(decision, memberId);
  maybeCompleteJoin(decision);
}

function giveId(decision: Decision, request: JoinRequest): void {
  const { newMemberId: memberId, requestId, sessionTimeoutMs } = request;
  if (decision.group.pendingJoins.size >= pendingJoinsMax) {
    refuse(decision, request, "groupMaxSizeReached");
    return;
  }
  decision.group.pendingJoins.add(memberId);
  decision.effects.push({
    kind: "setTimer",
    timer: memberTimer(memberId),
    delayMs: sessionTimeoutMs,
  });
  refuseJoin(decision, requestId, { reason: "memberIdRequired", memberId });
}

function addMember(decision: Decision, request: JoinRequest, memberId: string): void {
  const { group, rules, effects } = decision;
  if (group.initialDelay !== undefined) group.initialDelay.newMemberAdded = true;
  const member: Member = {
    memberId,
    instanceId: request.instanceId,
    clientId: request.clientId,
    clientHost: request.clientHost,
    sessionTimeoutMs: request.sessionTimeoutMs,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    protocols: distinctProtocols(request.protocols),
    assignment: noBytes,
    waitingJoin: request.requestId,
    waitingSync: undefined,
    isNew: true,
  };
  group.add(member, request.protocolType);
  const timer = memberTimer(memberId);
  effects.push({ kind: "setTimer", timer, delayMs: rules.newMemberJoinTimeoutMs });
  rebalanceOrCompleteJoin(decision);
}

function joinKnown(decision: Decision, request: JoinRequest): void {
  const { group } = decision;
  if (group.pendingJoins.has(request.memberId) && request.instanceId === null) {
    addMember(decision, request, request.memberId);
    return;
  }
  const member = findMember(group, request);
  if (typeof member === "string") {
    refuse(decision, request, member);
    return;
  }
  const unchanged = sameProtocols(member.protocols, distinctProtocols(request.protocols));
  const mayKeepGeneration =
    group.state === "CompletingRebalance" ||
    (group.state === "Stable" && group.leader !== member.memberId);
  if (unchanged && mayKeepGeneration) {
    // Its answer was lost on the way: the generation holds, and it may know it.
    wait(decision, member, request);
    answerJoined(decision, member, { skipAssignment: false });
    return;
  }
  update(decision, member, request);
  rebalanceOrCompleteJoin(decision);
}

function joinNewStatic(decision: Decision, request: JoinRequest, instanceId: string): void {
  const { group } = decision;
  const current = group.memberIdOf(instanceId);
  const member = current === undefined ? undefined : group.member(current);
  if (member === undefined) addMember(decision, request, request.newMemberId);
  else replaceStatic(decision, member, request);
}

/** A static member came back without its id: it takes its old place under a new id (KIP-345). */
function replaceStatic(decision: Decision, old: Member, request: JoinRequest): void {
  const { group, effects } = decision;
  const leaderBefore = group.leader;
  fence(decision, old);
  cancelTimer(decision, old.memberId);
  const member = group.rename(old, request.newMemberId);
  update(decision, member, request);
  effects.push({
    kind: "setTimer",
    timer: memberTimer(member.memberId),
    delayMs: member.sessionTimeoutMs,
  });
  if (group.state === "CompletingRebalance") {
    prepareRebalance(decision);
  } else if (group.state !== "Stable") {
    maybeCompleteJoin(decision);
  } else if (group.selectProtocol() !== group.protocolName) {
    rebalanceOrCompleteJoin(decision);
  } else {
    effects.push({ kind: "write" });
    // A client that can't skip assigning must not learn that it leads, or it would assign.
    answerJoined(
      decision,
      member,
      request.skipAssignment === "supported"
        ? { skipAssignment: group.leader === member.memberId }
        : { skipAssignment: false, leader: leaderBefore ?? "" },
    );
  }
}

function fence(decision: Decision, old: Member): void {
  const { waitingJoin, waitingSync } = old;
  decision.group.setWaitingJoin(old, undefined);
  old.waitingSync = undefined;
  if (waitingJoin !== undefined) {
    refuseJoin(decision, waitingJoin, { reason: "fencedInstance", memberId: old.memberId });
  }
  if (waitingSync !== undefined) refuseSync(decision, waitingSync, "fencedInstance");
}

function update(decision: Decision, member: Member, request: JoinRequest): void {
  decision.group.setProtocols(member, distinctProtocols(request.protocols));
  member.sessionTimeoutMs = request.sessionTimeoutMs;
  member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
  wait(decision, member, request);
}

/** The newest of a member's joins is the one that counts; an earlier one must not wait forever. */
function wait(decision: Decision, member: Member, request: JoinRequest): void {
  const earlier = member.waitingJoin;
  decision.group.setWaitingJoin(member, request.requestId);
  if (earlier === undefined) return;
  refuseJoin(decision, earlier, { reason: "rebalanceInProgress", memberId: member.memberId });
}
