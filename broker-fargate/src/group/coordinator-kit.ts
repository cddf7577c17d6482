import { setImmediate } from "node:timers/promises";
import {
  type Clock,
  type IncarnationId,
  keys,
  type MetadataStore,
  parseSettings,
  type Random,
  type TopicId,
  type Write,
} from "@millrace/core";
import { aloneView } from "../cluster/alone-view.ts";
import { Cluster } from "../cluster/cluster.ts";
import type { ClusterView } from "../cluster/cluster-view.ts";
import { Metrics } from "../metrics/registry.ts";
import { GroupCoordinator, type JoinGroupInput } from "./coordinator.ts";
import type { CommitRequest } from "./offset-store.ts";

/** What a test runs on: the memory adapter's, which only tests may import. */
export interface KitPorts {
  readonly clock: Clock & {
    readonly pendingTimers: number;
    advance(ms: number): void;
    fireNext(): boolean;
  };
  readonly random: Random;
  readonly store: MetadataStore & {
    rates: { readonly perThousand: Readonly<Record<string, number>>; readonly lateMsMax?: number };
    plan(...faults: readonly ("requestLost" | "replyLost" | "lateEffect" | "none")[]): void;
  };
}

/** For tests: a coordinator over a real cluster, on virtual time, that can die and come back. */
export class CoordinatorKit {
  readonly clock: KitPorts["clock"];
  readonly random: Random;
  readonly store: KitPorts["store"];
  /** What reached the store. */
  readonly transactions: (readonly Write[])[] = [];
  readonly settings: ReadonlyMap<string, string>;
  topicIds: readonly TopicId[] = [];
  /** Undefined: that of a broker that is alone. The next start takes it. */
  view: ClusterView | undefined;
  #cluster: Cluster | undefined;
  #groups: GroupCoordinator | undefined;

  private constructor(ports: KitPorts, settings: Readonly<Record<string, string>>) {
    this.clock = ports.clock;
    this.random = ports.random;
    this.store = ports.store;
    this.settings = new Map(Object.entries({ "millrace.slots": "8", ...settings }));
  }

  static async start(
    ports: KitPorts,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<CoordinatorKit> {
    const kit = new CoordinatorKit(ports, settings);
    await kit.restart();
    for (const name of ["t0", "t1", "t2"]) await kit.run(kit.#createTopic(name));
    kit.topicIds = kit.cluster.topics.list().map((topic) => topic.id);
    return kit;
  }

  get cluster(): Cluster {
    if (this.#cluster === undefined) throw new Error("not started");
    return this.#cluster;
  }

  get groups(): GroupCoordinator {
    if (this.#groups === undefined) throw new Error("not started");
    return this.#groups;
  }

  /** A new process on the same store. The old one is gone: what it had not written is lost. */
  async restart(): Promise<void> {
    const { clock, random, settings: configs } = this;
    const store = this.#counted();
    const before = this.#cluster?.incarnation;
    this.#cluster = await this.run(Cluster.open({ store, clock, random, brokerId: 1, configs }));
    // As the journals' recovery does: nothing of that life is left to copy.
    if (before !== undefined) await this.#closeIncarnation(before);
    const { settings } = parseSettings(configs);
    const { cluster } = this;
    this.#groups = new GroupCoordinator({
      clock,
      random,
      cluster,
      view: this.view ?? aloneView(cluster, () => undefined),
      settings,
      metrics: new Metrics(),
    });
    this.#groups.open();
    await this.settle();
  }

  /** Fires timers, the next one first, until the promise has settled. */
  async run<Value>(promise: Promise<Value>): Promise<Value> {
    const state = { settled: false };
    const settled = promise.finally(() => {
      state.settled = true;
    });
    settled.catch(() => undefined);
    for (let turns = 0; turns < 10_000; turns += 1) {
      await this.settle();
      if (state.settled) return settled;
      if (!this.clock.fireNext()) break;
    }
    throw new Error("it waits for nothing that will ever happen");
  }

  /** Lets everything happen that takes no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await setImmediate();
  }

  /** Lets time pass in small steps. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(Math.min(stepMs, ms - passed));
      await this.settle();
    }
  }

  /** Joins, syncs as the only member, and returns who that is. */
  async member(groupId: string, input: Partial<JoinGroupInput> = {}): Promise<Member> {
    const joined = await this.run(this.groups.join(groupId, joining(input)));
    if (joined.kind === "refused") throw new Error(joined.reason);
    const { memberId, generation } = joined;
    const synced = await this.run(
      this.groups.sync(groupId, {
        memberId,
        generation,
        instanceId: null,
        protocolType: "consumer",
        protocolName: "range",
        assignments: new Map([[memberId, new Uint8Array([7])]]),
      }),
    );
    if (synced.kind === "refused") throw new Error(synced.reason);
    return { memberId, generation, instanceId: null };
  }

  #counted(): MetadataStore {
    const { store, transactions } = this;
    return {
      get: (key) => store.get(key),
      range: (range) => store.range(range),
      close: () => store.close(),
      transact: (writes) => {
        transactions.push(writes);
        return store.transact(writes);
      },
    };
  }

  async #closeIncarnation(incarnation: IncarnationId): Promise<void> {
    const value = { state: "closed" };
    await this.store.transact([{ kind: "put", key: keys.incarnation(incarnation), value }]);
  }

  async #createTopic(name: string): Promise<void> {
    const request = { name, partitionCount: 2_000, replicationFactor: 1 };
    const outcome = await this.cluster.createTopic(
      { ...request, assignments: [], configs: [] },
      "perform",
    );
    if (outcome.kind !== "done") throw new Error(JSON.stringify(outcome));
  }
}

export interface Member {
  readonly memberId: string;
  readonly generation: number;
  readonly instanceId: string | null;
}

/** A ConsumerProtocol subscription v0 to `t0`. */
const readsFirstTopic = new Uint8Array([0, 0, 0, 0, 0, 1, 0, 2, 0x74, 0x30, 255, 255, 255, 255]);

export function joining(input: Partial<JoinGroupInput> = {}): JoinGroupInput {
  return {
    memberId: "",
    instanceId: null,
    clientId: "client",
    clientHost: "/127.0.0.1",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 20_000,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: readsFirstTopic }],
    firstJoin: "joins",
    skipAssignment: "supported",
    ...input,
  };
}

export function commitOf(
  kit: CoordinatorKit,
  input: Partial<CommitRequest> & { readonly offsets: readonly (readonly [number, number])[] },
): CommitRequest {
  const topicId = kit.topicIds[0];
  if (topicId === undefined) throw new Error("there is no topic");
  const { offsets, ...request } = input;
  return {
    groupId: "g",
    memberId: "",
    instanceId: null,
    generation: -1,
    retentionMs: null,
    commits: offsets.map(([partition, offset]) => {
      return { topicId, partition, offset, leaderEpoch: -1, metadata: "" };
    }),
    ...request,
  };
}

/** `[partition, offset]` of every topic. */
export async function offsetsOf(
  kit: CoordinatorKit,
  groupId = "g",
): Promise<readonly (readonly [number, number])[]> {
  const fetched = await kit.run(kit.groups.fetchOffsets(groupId, "all"));
  if (typeof fetched === "string") throw new Error(fetched);
  return fetched.map(({ partition, offset }) => [partition, offset]);
}
