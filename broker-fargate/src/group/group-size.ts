import type { ClassicGroup, JoinRequest, SyncRequest } from "@millrace/core";
import { assignmentBytesMax, groupBytesMax, memberBytesMax } from "./limits.ts";

type JoiningMember = Omit<JoinRequest, "requestId" | "newMemberId">;

/** Whether the group can be written with this member in it. */
export function joinFits(classic: ClassicGroup | undefined, member: JoiningMember): boolean {
  const bytes = bytesOf(member);
  if (bytes > memberBytesMax) return false;
  if (classic === undefined) return true;
  let sum = bytes;
  for (const other of classic.members()) sum += bytesOf(other) + other.assignment.length;
  return sum <= groupBytesMax;
}

/** Whether the group can be written with these assignments. */
export function syncFits(classic: ClassicGroup, request: Omit<SyncRequest, "requestId">): boolean {
  let sum = 0;
  for (const member of classic.members()) {
    const assigned = request.assignments.get(member.memberId)?.length ?? 0;
    if (assigned > assignmentBytesMax) return false;
    sum += bytesOf(member) + assigned;
  }
  return sum <= groupBytesMax;
}

/** Texts count up to three bytes a unit in UTF-8. */
function bytesOf(
  member: Pick<JoiningMember, "clientId" | "instanceId" | "memberId" | "protocols">,
): number {
  const ids = member.memberId.length + member.clientId.length + (member.instanceId?.length ?? 0);
  let bytes = 300 + 3 * ids;
  for (const { name, metadata } of member.protocols)
    bytes += 3 * name.length + metadata.length + 20;
  return bytes;
}
