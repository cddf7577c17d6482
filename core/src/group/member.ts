import type { MemberProtocol, RequestId } from "./protocol.ts";

/** A member of a classic group. Its group alone changes it. */
export interface Member {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  /** In the member's order of preference, each name once. */
  protocols: readonly MemberProtocol[];
  assignment: Uint8Array;
  /** The JoinGroup that waits for the join phase to end. */
  waitingJoin: RequestId | undefined;
  /** The SyncGroup that waits for the leader's assignment. */
  waitingSync: RequestId | undefined;
  /** True until its first join phase ended: such a member expires even while it waits. */
  isNew: boolean;
}

export const noBytes: Uint8Array = new Uint8Array(0);

/** The first of each name counts: a repeated one would vote twice. */
export function distinctProtocols(protocols: readonly MemberProtocol[]): readonly MemberProtocol[] {
  const names = new Set<string>();
  return protocols.filter((protocol) => {
    if (names.has(protocol.name)) return false;
    names.add(protocol.name);
    return true;
  });
}

/** Whether two lists offer the same names with the same bytes in the same order. */
export function sameProtocols(
  left: readonly MemberProtocol[],
  right: readonly MemberProtocol[],
): boolean {
  if (left.length !== right.length) return false;
  return left.every((protocol, index) => {
    const other = right[index];
    return (
      other !== undefined &&
      other.name === protocol.name &&
      sameBytes(other.metadata, protocol.metadata)
    );
  });
}

export function metadataFor(member: Member, protocolName: string | null): Uint8Array {
  return member.protocols.find((protocol) => protocol.name === protocolName)?.metadata ?? noBytes;
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}
