import type { BrokerId, Slot, SlotLeader } from "@millrace/core";

export type { SlotLeader } from "@millrace/core";

/** Where clients reach a broker, for one of its listeners. */
export interface BrokerEndpoint {
  readonly brokerId: BrokerId;
  readonly host: string;
  readonly port: number;
  readonly rack: string | undefined;
}

/**
 * The brokers of the cluster and what each leads, as this broker knows it: from memory, at once,
 * and perhaps a moment old. A broker that is alone leads everything.
 */
export interface ClusterView {
  readonly brokerId: BrokerId;
  /** Live brokers as a client of this listener reaches them, ascending by id, this one among them. */
  endpoints(listener: {
    readonly name: string;
    readonly host: string;
    readonly port: number;
  }): readonly BrokerEndpoint[];
  readonly controllerId: BrokerId;
  /** Undefined: nobody leads it at the moment. */
  leaderOf(slot: Slot): SlotLeader | undefined;
  /**
   * The brokers that are shown as a partition's replicas: `min(factor, live)` of them, the leader
   * first, then the others in the order in which they would take over. Without a leader those.
   */
  replicasOf(slot: Slot, factor: number): readonly BrokerId[];
  /** Rises with every change of leaders or live brokers: what was made of them is out of date. */
  readonly viewVersion: number;
  /** Whether the slot is this broker's to serve, by what it knows. */
  leads(slot: Slot): boolean;
  /**
   * Whether a coordinator may answer from memory: its last strong read began a short time ago
   * (ownership rule 16). Always true of a broker that is alone.
   */
  readonly hasEvidence: boolean;
  /**
   * Resolves when a strong read that began after this call found the slot's head still ours. Calls
   * at the same time share a read. False: it is not. Rejects with MetadataError.
   */
  isStillOurs(slot: Slot): Promise<boolean>;
  /** Called after leaders or live brokers changed; returns how to stop that. */
  onViewChange(listener: () => void): () => void;
}

/** Another broker leads the slot, or nobody does, by what this one knows. */
export class NotLeaderError extends Error {
  override readonly name = "NotLeaderError";
  readonly slot: Slot;

  constructor(slot: Slot) {
    super(`slot ${slot} is led by another broker`);
    this.slot = slot;
  }
}
