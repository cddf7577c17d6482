import {
  type BrokerId,
  type IncarnationId,
  type Leadership,
  leaderOf,
  type Slot,
  type SlotLeader,
} from "@millrace/core";
import type { BrokerEndpoint, ClusterView } from "./cluster-view.ts";
import { HeadChecks } from "./head-checks.ts";
import type { HeardMember } from "./members.ts";
import type { Membership } from "./membership.ts";
import type { StoreAccess } from "./persist.ts";

type SeenMembership = Pick<
  Membership,
  | "incarnation"
  | "isRunning"
  | "leadership"
  | "live"
  | "hasEvidence"
  | "onLeadership"
  | "onLook"
  | "onEnd"
>;

/**
 * What a member of a cluster sees of it: what its looks and its own writes told, kept until the
 * next of them tells otherwise. A slot whose leader is not live has none for clients: they ask again
 * until it has another. When this incarnation is over it leads nothing any more.
 */
export class MemberView implements ClusterView {
  readonly brokerId: BrokerId;
  readonly #membership: SeenMembership;
  readonly #heads: HeadChecks;
  readonly #listeners = new Set<() => void>();
  #live: readonly HeardMember[] = [];
  #liveIncarnations: ReadonlySet<IncarnationId> = new Set();
  #leadership: Leadership;
  #version = 1;

  constructor(brokerId: BrokerId, membership: SeenMembership, access: StoreAccess) {
    this.brokerId = brokerId;
    this.#membership = membership;
    this.#heads = new HeadChecks(access);
    this.#leadership = membership.leadership;
    this.#update();
    membership.onLeadership(() => this.#update());
    membership.onLook(() => this.#update());
    membership.onEnd(() => this.#changed());
  }

  get controllerId(): BrokerId {
    const { controller } = this.#leadership;
    const known = this.#live.find(({ incarnation }) => incarnation === controller);
    return (known ?? this.#live[0])?.brokerId ?? this.brokerId;
  }

  get viewVersion(): number {
    return this.#version;
  }

  get hasEvidence(): boolean {
    return this.#membership.hasEvidence;
  }

  /** Brokers without a listener of that name can't be reached by it, and are left out. */
  endpoints(listener: {
    readonly name: string;
    readonly host: string;
    readonly port: number;
  }): readonly BrokerEndpoint[] {
    const endpoints: BrokerEndpoint[] = [];
    for (const { brokerId, listeners, rack } of this.#live) {
      const isOwn = brokerId === this.brokerId;
      const address = isOwn ? listener : listeners.find(({ name }) => name === listener.name);
      if (address === undefined) continue;
      endpoints.push({ brokerId, host: address.host, port: address.port, rack });
    }
    return endpoints;
  }

  leaderOf(slot: Slot): SlotLeader | undefined {
    const leader = leaderOf(this.#leadership, slot);
    if (leader === undefined) return undefined;
    if (leader.incarnation === this.#membership.incarnation) {
      return this.#membership.isRunning ? leader : undefined;
    }
    return this.#liveIncarnations.has(leader.incarnation) ? leader : undefined;
  }

  /**
   * Who takes over a slot depends on how many each leads by then; the order that is shown begins at
   * another broker for each slot, as the slots of a dead one are dealt out.
   */
  replicasOf(slot: Slot, factor: number): readonly BrokerId[] {
    const leader = this.leaderOf(slot)?.brokerId;
    const others = this.#live.map(({ brokerId }) => brokerId).filter((id) => id !== leader);
    const start = others.length === 0 ? 0 : slot % others.length;
    const standbys = [...others.slice(start), ...others.slice(0, start)];
    return (leader === undefined ? standbys : [leader, ...standbys]).slice(0, factor);
  }

  leads(slot: Slot): boolean {
    const { incarnation, isRunning } = this.#membership;
    return isRunning && leaderOf(this.#leadership, slot)?.incarnation === incarnation;
  }

  async isStillOurs(slot: Slot): Promise<boolean> {
    const head = await this.#heads.headOf(slot);
    return head?.owner === this.#membership.incarnation && this.leads(slot);
  }

  onViewChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #update(): void {
    const { live, leadership } = this.#membership;
    const incarnations = new Set(live.map(({ incarnation }) => incarnation));
    const isSame =
      incarnations.size === this.#liveIncarnations.size &&
      live.every(({ incarnation }) => this.#liveIncarnations.has(incarnation)) &&
      hasSameLeaders(this.#leadership, leadership);
    this.#live = live;
    this.#liveIncarnations = incarnations;
    this.#leadership = leadership;
    if (!isSame) this.#changed();
  }

  #changed(): void {
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }
}

/** An epoch belongs to one incarnation, so it tells leaders apart. */
function hasSameLeaders(before: Leadership, after: Leadership): boolean {
  if (before === after) return true;
  if (before.controller !== after.controller) return false;
  return before.leaders.every((leader, slot) => leader?.epoch === after.leaders[slot]?.epoch);
}
