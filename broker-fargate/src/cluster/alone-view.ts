import type { BrokerId, Epoch, IncarnationId, Topic, TopicId } from "@millrace/core";
import type { ClusterView } from "./cluster-view.ts";

/**
 * What a broker sees that is alone in its cluster: itself, at the address that was asked, as the
 * leader of every slot in this life's epoch. It is the only writer of its store, so that nothing it
 * knows needs to be confirmed, and nothing of it changes while it lives.
 */
export function aloneView(
  self: { readonly brokerId: BrokerId; readonly incarnation: IncarnationId; readonly epoch: Epoch },
  rack: () => string | undefined,
): ClusterView {
  const { brokerId, epoch, incarnation } = self;
  const leader = { brokerId, incarnation, epoch };
  const everybody = [brokerId];
  return {
    brokerId,
    controllerId: brokerId,
    viewVersion: 0,
    hasEvidence: true,
    endpoints: ({ host, port }) => [{ brokerId, host, port, rack: rack() }],
    leaderOf: () => leader,
    replicasOf: () => everybody,
    leads: () => true,
    isStillOurs: () => Promise.resolve(true),
    onViewChange: () => () => undefined,
  };
}

/** Where topics are looked for that this broker does not know. */
export interface TopicMisses {
  /**
   * Resolves with the topic if a strong read that began after the call found it. Rejects with
   * MetadataError.
   */
  confirmMissing(
    asked: { readonly name: string } | { readonly id: TopicId },
  ): Promise<Topic | undefined>;
}

/** A broker that is alone makes every topic itself: what it does not know is not there. */
export const noMisses: TopicMisses = { confirmMissing: () => Promise.resolve(undefined) };
