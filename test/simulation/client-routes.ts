import { ApiKey, ErrorCode, type MetadataResponse } from "@millrace/wire";
import type { ClientProcess } from "./client.ts";
import { ConnectionLost, KafkaConnection } from "./kafka-connection.ts";
import { nameOf, type PartitionRef } from "./partition-ref.ts";

/** Where brokers say that one of them is reached. */
export interface LeaderHint {
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly endpoints: readonly {
    readonly nodeId: number;
    readonly host: string;
    readonly port: number;
  }[];
}

interface KnownLeader {
  readonly epoch: number;
  /** Undefined: whoever it was at that epoch is it no more, or was not reached. */
  address: string | undefined;
}

/** Two questions for metadata are at least so far apart. */
const refreshPauseMs = 50;

/**
 * What one client knows of a cluster, as Kafka's clients do: leaders from metadata and from what
 * brokers say when they are not it (KIP-951), never back to an older epoch; and coordinators.
 */
export class ClientRoutes {
  readonly #client: ClientProcess;
  readonly #connections = new Map<string, KafkaConnection>();
  /** By the partition's name. */
  readonly #leaders = new Map<string, KnownLeader>();
  /** Addresses, by group. */
  readonly #coordinators = new Map<string, string>();
  #refreshing: Promise<void> | undefined;
  #refreshedMs = Number.NEGATIVE_INFINITY;

  constructor(client: ClientProcess) {
    this.#client = client;
  }

  /** Partitions whose leader is not known, or not reached, are left out: they come another time. */
  async byLeader<Asked extends { readonly ref: PartitionRef }>(
    all: readonly Asked[],
  ): Promise<readonly { readonly connection: KafkaConnection; readonly asked: Asked[] }[]> {
    if (all.some(({ ref }) => this.#addressOf(ref) === undefined)) await this.refresh();
    const found = new Map<KafkaConnection, Asked[]>();
    for (const asked of all) {
      const address = this.#addressOf(asked.ref);
      const connection = address === undefined ? undefined : this.#open(address);
      if (connection === undefined) this.lostLeader(asked.ref);
      else found.set(connection, [...(found.get(connection) ?? []), asked]);
    }
    return [...found].map(([connection, asked]) => ({ connection, asked }));
  }

  /** Whoever is asked is not it, or does not answer. */
  lostLeader(ref: PartitionRef, hint?: LeaderHint): void {
    const known = this.#leaders.get(nameOf(ref));
    if (known !== undefined) known.address = undefined;
    if (hint === undefined || hint.leaderId < 0) return;
    const endpoint = hint.endpoints.find(({ nodeId }) => nodeId === hint.leaderId);
    if (endpoint !== undefined) this.#learn(ref, hint.leaderEpoch, addressOf(endpoint));
  }

  /** A connection to the group's coordinator; asked for until it is found and reached. */
  async coordinatorOf(group: string): Promise<KafkaConnection> {
    for (;;) {
      const address = this.#coordinators.get(group) ?? (await this.#findCoordinator(group));
      const connection = address === undefined ? undefined : this.#open(address);
      if (connection !== undefined) return connection;
      this.lostCoordinator(group);
      await this.#pause();
    }
  }

  lostCoordinator(group: string): void {
    this.#coordinators.delete(group);
  }

  /** Asks any broker who leads what. Not again and again: what was asked just now will do. */
  async refresh(): Promise<void> {
    const nowMs = this.#client.clock.monotonicMs();
    if (this.#refreshing === undefined && nowMs < this.#refreshedMs + refreshPauseMs) return;
    this.#refreshing ??= this.#ask().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
  }

  async #ask(): Promise<void> {
    try {
      const connection = await this.#client.connect();
      const body = { topics: null, allowAutoTopicCreation: false };
      this.#learnAll(await connection.request(ApiKey.Metadata, 12, body));
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      // Another broker is asked next time.
      this.#client.disconnect();
    }
    this.#refreshedMs = this.#client.clock.monotonicMs();
  }

  #learnAll({ brokers, topics }: MetadataResponse): void {
    const addresses = new Map(brokers.map((one) => [one.nodeId, addressOf(one)]));
    for (const { name, partitions, topicId } of topics) {
      for (const { leaderEpoch, leaderId, partitionIndex: partition } of partitions) {
        const address = addresses.get(leaderId);
        const ref = { topic: name ?? "", topicId, partition };
        if (address !== undefined) this.#learn(ref, leaderEpoch, address);
      }
    }
  }

  #learn(ref: PartitionRef, epoch: number, address: string): void {
    const known = this.#leaders.get(nameOf(ref));
    if (known !== undefined && known.epoch > epoch) return;
    this.#leaders.set(nameOf(ref), { epoch, address });
  }

  async #findCoordinator(group: string): Promise<string | undefined> {
    try {
      const connection = await this.#client.connect();
      const body = { keyType: 0, coordinatorKeys: [group] };
      const answer = await connection.request(ApiKey.FindCoordinator, 4, body);
      const [found] = answer.coordinators;
      if (found === undefined || found.errorCode !== ErrorCode.NONE) return undefined;
      const address = addressOf(found);
      this.#coordinators.set(group, address);
      return address;
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      this.#client.disconnect();
      return undefined;
    }
  }

  #addressOf(ref: PartitionRef): string | undefined {
    return this.#leaders.get(nameOf(ref))?.address;
  }

  #open(address: string): KafkaConnection | undefined {
    const open = this.#connections.get(address);
    if (open?.isOpen === true) return open;
    const connection = KafkaConnection.open(this.#client, address);
    if (connection !== undefined) this.#connections.set(address, connection);
    return connection;
  }

  #pause(): Promise<void> {
    const { clock, scene } = this.#client;
    return new Promise((resolve) => clock.after(scene.world.between(20, 200), resolve));
  }
}

function addressOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host}:${port}`;
}

/** A partition's error after which its leader is to be asked for anew. */
export const leaderErrors: ReadonlySet<number> = new Set([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.KAFKA_STORAGE_ERROR,
]);

/** A group's error after which its coordinator is to be asked for anew. */
export const coordinatorErrors: ReadonlySet<number> = new Set([
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
]);
