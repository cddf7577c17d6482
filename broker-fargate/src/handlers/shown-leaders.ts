/**
 * Who leads a partition, as clients are shown it: in Metadata and DescribeTopicPartitions, and with
 * an answer that sends them elsewhere (KIP-951).
 */
import { type Slot, slotOfLater, type TopicId } from "@millrace/core";
import { ErrorCode } from "@millrace/wire";
import type { Broker } from "../broker.ts";
import type { Topic } from "../cluster/cluster.ts";
import type { BrokerEndpoint } from "../cluster/cluster-view.ts";
import { liveBrokers } from "../cluster/live-brokers.ts";
import type { AdvertisedListener } from "./handler.ts";

/** The fields that both messages share. */
export interface ShownLeader {
  /** LEADER_NOT_AVAILABLE where nobody leads; the replicas are then those that may take over. */
  readonly errorCode: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly replicaNodes: readonly number[];
  /** All replicas: what they would serve is in the store. */
  readonly isrNodes: readonly number[];
}

/**
 * A slot's partitions share their leader, so it is made once for each slot and factor; a topic's id
 * is hashed once for all its partitions, which come one after another.
 */
export class ShownLeaders {
  readonly #broker: Pick<Broker, "cluster" | "view">;
  /** By the number of replicas, which the live brokers bound, then by slot. */
  readonly #shown = new Map<number, (ShownLeader | undefined)[]>();
  #topic: { readonly id: TopicId; readonly firstSlot: Slot } | undefined;
  #viewVersion = -1;
  #live = 0;

  constructor(broker: Pick<Broker, "cluster" | "view">) {
    this.#broker = broker;
  }

  of(topic: Topic, partition: number): ShownLeader {
    const { cluster, view } = this.#broker;
    if (this.#topic?.id !== topic.id) {
      this.#topic = { id: topic.id, firstSlot: cluster.slotOfPartition(topic.id, 0) };
    }
    const slot = slotOfLater(this.#topic.firstSlot, partition, cluster.slots);
    if (view.viewVersion !== this.#viewVersion) this.#forget();
    const replicas = Math.min(topic.replicationFactor, this.#live);
    let bySlot = this.#shown.get(replicas);
    if (bySlot === undefined) {
      bySlot = Array.from({ length: cluster.slots }, () => undefined);
      this.#shown.set(replicas, bySlot);
    }
    const shown = bySlot[slot] ?? this.#show(slot, replicas);
    bySlot[slot] = shown;
    return shown;
  }

  #forget(): void {
    const { view } = this.#broker;
    this.#viewVersion = view.viewVersion;
    this.#live = liveBrokers(view).length;
    this.#shown.clear();
  }

  #show(slot: Slot, factor: number): ShownLeader {
    const { view } = this.#broker;
    const replicas = view.replicasOf(slot, factor);
    const leader = view.leaderOf(slot);
    return {
      errorCode: leader === undefined ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.NONE,
      leaderId: leader?.brokerId ?? -1,
      leaderEpoch: leader?.epoch ?? -1,
      replicaNodes: replicas,
      isrNodes: replicas,
    };
  }
}

/** Whether an answer with this error tells the client who leads now, as in Kafka. */
export function tellsLeader(errorCode: number): boolean {
  return (
    errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || errorCode === ErrorCode.FENCED_LEADER_EPOCH
  );
}

export interface CurrentLeader {
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

/** The leaders that one response names, and how its client reaches them (KIP-951). */
export class NamedLeaders {
  readonly #broker: Pick<Broker, "cluster" | "view">;
  readonly #endpoints: readonly BrokerEndpoint[];
  readonly #named = new Set<number>();

  constructor(broker: Pick<Broker, "cluster" | "view">, listener: AdvertisedListener) {
    this.#broker = broker;
    this.#endpoints = broker.view.endpoints(listener);
  }

  /**
   * Undefined where nobody is known to lead, or who leads can't be reached: the client looks for
   * itself. So it is too where this broker has just lost a slot that it still believes its own.
   */
  of(
    at: { readonly topicId: TopicId; readonly partition: number },
    errorCode: number,
  ): CurrentLeader | undefined {
    const { cluster, view } = this.#broker;
    const leader = view.leaderOf(cluster.slotOfPartition(at.topicId, at.partition));
    if (leader === undefined) return undefined;
    const { brokerId: leaderId, epoch: leaderEpoch } = leader;
    const isLost = errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER && leaderId === view.brokerId;
    const isReached = this.#endpoints.some(({ brokerId }) => brokerId === leaderId);
    if (isLost || !isReached) return undefined;
    this.#named.add(leaderId);
    return { leaderId, leaderEpoch };
  }

  /** Of the leaders named so far. */
  get nodeEndpoints(): readonly {
    readonly nodeId: number;
    readonly host: string;
    readonly port: number;
    readonly rack: string | null;
  }[] {
    return this.#endpoints
      .filter(({ brokerId }) => this.#named.has(brokerId))
      .map(({ brokerId, host, port, rack }) => {
        return { nodeId: brokerId, host, port, rack: rack ?? null };
      });
  }
}
