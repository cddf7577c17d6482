import { type ClassicGroup, type GroupState, metadataFor } from "@millrace/core";
import type { HeldGroup } from "./group-slot.ts";

export interface DescribedMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** Empty unless the group is Stable. */
  readonly metadata: Uint8Array;
  readonly assignment: Uint8Array;
}

export interface DescribedGroup {
  readonly state: GroupState;
  readonly protocolType: string;
  /** Empty unless the group is Stable. */
  readonly protocolName: string;
  readonly members: readonly DescribedMember[];
}

export interface ListedGroup {
  readonly groupId: string;
  readonly protocolType: string;
  readonly state: GroupState;
  readonly type: "classic";
}

export function describeGroup(classic: ClassicGroup): DescribedGroup {
  const protocolName = classic.state === "Stable" ? classic.protocolName : null;
  return {
    state: classic.state,
    protocolType: classic.protocolType ?? "",
    protocolName: protocolName ?? "",
    members: [...classic.members()].map((member) => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      metadata: metadataFor(member, protocolName),
      assignment: member.assignment,
    })),
  };
}

export function listedGroup({ groupId, classic }: HeldGroup): ListedGroup {
  const { state, protocolType } = classic;
  return { groupId, protocolType: protocolType ?? "", state, type: "classic" };
}
