import { ApiKey, type CodecSet, jsCodecs, type MetadataResponse, zeroUuid } from "@millrace/wire";
import { ClientRoutes, type LeaderHint } from "./client-routes.ts";
import type { FaultTable } from "./fault-table.ts";
import type { History } from "./history.ts";
import { type Client, ConnectionLost, KafkaConnection } from "./kafka-connection.ts";
import { Life } from "./life.ts";
import type { Pipe } from "./network.ts";
import { nameOf, type PartitionRef } from "./partition-ref.ts";
import type { LinkedClient } from "./simulated-link.ts";
import type { SimulatedTopic } from "./topics.ts";
import type { World } from "./world.ts";

export { nameOf, type PartitionRef } from "./partition-ref.ts";

/** The broker, or the brokers, as clients reach them. */
export interface Brokers {
  readonly world: World;
  readonly table: FaultTable;
  /** Whether clients have to find out which broker to ask. */
  readonly are: "one" | "several";
  /** Something that must never be was seen. */
  note(what: string): void;
  /** A link to the broker at the address, or to any; nothing when nobody listens there. */
  connect(client: LinkedClient, address?: string): Pipe | undefined;
}

/** What all clients of a run share. */
export interface Scene {
  readonly world: World;
  readonly host: Brokers;
  readonly history: History;
  readonly cluster: KnownCluster;
  /** True once clients should come to their end. */
  isEnding: boolean;
  /** Clients that sleep go on at this time at the earliest. */
  restsUntilMs: number;
  /** So many times as long do clients sleep as they otherwise would; 1 if absent. */
  readonly slowness?: number;
}

interface KnownTopic {
  readonly id: string;
  readonly partitions: number;
  readonly how: SimulatedTopic;
}

/** What the admin has made, and what is promised of it. */
export class KnownCluster {
  readonly #topics = new Map<string, KnownTopic>();
  /** Of all topics; undefined after one changed. */
  #partitions: readonly PartitionRef[] | undefined;
  /** The highest offset up to which somebody asked for a deletion, by partition's name. */
  readonly #deletedBelow = new Map<string, number>();

  put(how: SimulatedTopic, id: string, partitions: number): void {
    this.#topics.set(how.name, { id, partitions, how });
    this.#partitions = undefined;
  }

  find(topic: string): SimulatedTopic | undefined {
    return this.#topics.get(topic)?.how;
  }

  /** Somebody asks for the deletion of what is below `offset`. */
  mayDeleteBelow(ref: PartitionRef, offset: number): void {
    const name = nameOf(ref);
    this.#deletedBelow.set(name, Math.max(offset, this.#deletedBelow.get(name) ?? 0));
  }

  /** The highest log start that the partition may have. */
  startMax(ref: PartitionRef): number {
    const isRetained = this.find(ref.topic)?.deletion === "retention";
    if (isRetained) return Number.POSITIVE_INFINITY;
    return this.#deletedBelow.get(nameOf(ref)) ?? 0;
  }

  keysOf({ topic }: PartitionRef): "keyed" | "none" {
    return this.find(topic)?.isCompacted === true ? "keyed" : "none";
  }

  /** Those of compacted topics. */
  get compacted(): readonly PartitionRef[] {
    return this.partitions.filter((ref) => this.keysOf(ref) === "keyed");
  }

  /** Those whose log goes into the object store. */
  get tiered(): readonly PartitionRef[] {
    return this.partitions.filter(({ topic }) => this.find(topic)?.isTiered === true);
  }

  remove(topic: string): void {
    this.#topics.delete(topic);
    this.#partitions = undefined;
  }

  get topics(): readonly string[] {
    return [...this.#topics.keys()].sort();
  }

  partitionsOf(topic: string): readonly PartitionRef[] {
    const known = this.#topics.get(topic);
    if (known === undefined) return [];
    return Array.from({ length: known.partitions }, (_, partition) => ({
      ...{ topic, topicId: known.id, partition },
    }));
  }

  get partitions(): readonly PartitionRef[] {
    this.#partitions ??= this.topics.flatMap((topic) => this.partitionsOf(topic));
    return this.#partitions;
  }
}

export const codecs: CodecSet = jsCodecs;

/** How long a client waits for a reply before it gives the connection up. */
const aloneTimeoutMs = 15_000;

/** What every simulated client can do. */
export class ClientProcess implements Client {
  readonly name: string;
  readonly scene: Scene;
  readonly host: Brokers;
  readonly life: Life;
  readonly clock: Client["clock"];
  readonly requestTimeoutMs: number;
  readonly #routes: ClientRoutes | undefined;
  #connection: KafkaConnection | undefined;

  constructor(scene: Scene, name: string) {
    this.scene = scene;
    this.name = name;
    this.host = scene.host;
    this.life = new Life(name);
    this.clock = this.life.clock(scene.world.clock);
    const isCluster = scene.host.are === "several";
    this.requestTimeoutMs = isCluster ? scene.world.between(2_500, 8_000) : aloneTimeoutMs;
    this.#routes = isCluster ? new ClientRoutes(this) : undefined;
  }

  /** The process dies: nothing of it goes on, and its connections are gone. */
  crash(): void {
    this.scene.world.trace.add(`${this.name} crashes`);
    this.life.end();
  }

  sleep(ms: number): Promise<void> {
    const restMs = this.scene.restsUntilMs - this.scene.world.nowMs;
    const sleepMs = ms * (this.scene.isEnding ? 1 : (this.scene.slowness ?? 1));
    return new Promise((resolve) => this.clock.after(sleepMs + Math.max(0, restMs), resolve));
  }

  /**
   * What to ask of which partition's leader. In a cluster those whose leader is not known, or not
   * reached, are left out for now.
   */
  async byLeader<Asked extends { readonly ref: PartitionRef }>(
    all: readonly Asked[],
  ): Promise<
    readonly { readonly connection: KafkaConnection; readonly asked: readonly Asked[] }[]
  > {
    if (this.#routes !== undefined) return this.#routes.byLeader(all);
    return [{ connection: await this.connect(), asked: all }];
  }

  /** Whoever was asked does not lead the partition; `hint`: who does, by what it knows. */
  lostLeader(ref: PartitionRef, hint?: LeaderHint): void {
    this.#routes?.lostLeader(ref, hint);
  }

  /** As `ask`; an answer that is undefined is one of somebody who does not lead the partition. */
  async askLeader<Answer>(
    ref: PartitionRef,
    question: (connection: KafkaConnection) => Promise<Answer>,
  ): Promise<Answer> {
    if (this.#routes === undefined) return this.ask(question);
    for (;;) {
      const [found] = await this.byLeader([{ ref }]);
      try {
        const answer = found && (await question(found.connection));
        if (answer !== undefined) return answer;
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
      }
      this.lostLeader(ref);
      await this.sleep(this.scene.world.between(20, 100));
    }
  }

  async coordinatorOf(group: string): Promise<KafkaConnection> {
    return this.#routes === undefined ? this.connect() : this.#routes.coordinatorOf(group);
  }

  lostCoordinator(group: string): void {
    this.#routes?.lostCoordinator(group);
  }

  /** The open connection, or a new one; tried until somebody listens. */
  async connect(): Promise<KafkaConnection> {
    for (;;) {
      if (this.#connection?.isOpen === true) return this.#connection;
      this.#connection = KafkaConnection.open(this);
      if (this.#connection !== undefined) return this.#connection;
      await this.sleep(this.scene.world.between(5, 100));
    }
  }

  disconnect(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#routes?.close();
  }

  /** Asks until an answer comes; only for requests that do no harm twice. */
  async ask<Answer>(question: (connection: KafkaConnection) => Promise<Answer>): Promise<Answer> {
    for (;;) {
      const connection = await this.connect();
      try {
        return await question(connection);
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        await this.sleep(this.scene.world.between(5, 50));
      }
    }
  }

  metadata(topics: readonly string[] | null): Promise<MetadataResponse> {
    const wanted = topics?.map((name) => ({ name, topicId: zeroUuid })) ?? null;
    return this.ask((connection) =>
      connection.request(ApiKey.Metadata, 12, { topics: wanted, allowAutoTopicCreation: false }),
    );
  }
}
