import {
  type ClassicGroup,
  type JoinRequest,
  jsonTextBytes,
  type SyncRequest,
} from "@millrace/core";
import {
  assignmentBytesMax,
  groupBytesMax,
  groupHeadBytesMax,
  groupIdBytesMax,
  groupItemBytes,
  memberBytesMax,
} from "./limits.ts";

/** Base64 makes three bytes four. */
const encodedParts = 4 / 3;

/** With the id that it has, or gets. */
type JoiningMember = Omit<JoinRequest, "requestId" | "newMemberId">;
type SizedMember = Pick<JoiningMember, "clientId" | "instanceId" | "memberId" | "protocols">;

/** Every item of the group, and of its offsets, names it. */
export function idFits(groupId: string): boolean {
  return jsonTextBytes(groupId) <= groupIdBytesMax;
}

/** Whether the group can be written with this member in it. */
export function joinFits(
  groupId: string,
  classic: ClassicGroup | undefined,
  member: JoiningMember,
): boolean {
  const joining = sizeOf(member);
  if (joining.bytes > memberBytesMax) return false;
  let { bytes, idBytes, nameBytes } = joining;
  for (const other of classic?.members() ?? []) {
    const size = sizeOf(other);
    bytes += size.bytes + other.assignment.length;
    // Any of them may lead, by any of its protocols.
    idBytes = Math.max(idBytes, size.idBytes);
    nameBytes = Math.max(nameBytes, size.nameBytes);
  }
  const headBytes = jsonTextBytes(groupId) + jsonTextBytes(member.protocolType);
  return headBytes + idBytes + nameBytes <= groupHeadBytesMax && fits(groupId, bytes);
}

/** Whether the group can be written with these assignments. */
export function syncFits(classic: ClassicGroup, request: Omit<SyncRequest, "requestId">): boolean {
  let bytes = 0;
  for (const member of classic.members()) {
    const assigned = request.assignments.get(member.memberId)?.length ?? 0;
    if (assigned > assignmentBytesMax) return false;
    bytes += sizeOf(member).bytes + assigned;
  }
  return fits(classic.groupId, bytes);
}

function fits(groupId: string, memberBytes: number): boolean {
  const items = 1 + (memberBytes * encodedParts) / groupItemBytes;
  return memberBytes + items * jsonTextBytes(groupId) <= groupBytesMax;
}

interface MemberSize {
  readonly memberId: string;
  /** Of its id, and of its longest protocol's name. */
  readonly idBytes: number;
  readonly nameBytes: number;
  readonly bytes: number;
}

/** By the protocols, which are replaced with every join: each join looks at all members. */
const sizes = new WeakMap<SizedMember["protocols"], MemberSize>();

function sizeOf(member: SizedMember): MemberSize {
  const { clientId, instanceId, memberId, protocols } = member;
  const known = sizes.get(protocols);
  if (known?.memberId === memberId) return known;
  const idBytes = jsonTextBytes(memberId);
  let bytes = fieldBytes + idBytes + jsonTextBytes(clientId) + jsonTextBytes(instanceId ?? "");
  let nameBytes = 0;
  for (const { metadata, name } of protocols) {
    const its = jsonTextBytes(name);
    nameBytes = Math.max(nameBytes, its);
    bytes += its + metadata.length + protocolBytes;
  }
  const size = { memberId, idBytes, nameBytes, bytes };
  sizes.set(protocols, size);
  return size;
}

/** Names and numbers of a member, and what is around a protocol. */
const fieldBytes = 300;
const protocolBytes = 20;
