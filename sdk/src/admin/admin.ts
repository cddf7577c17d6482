import { BrokerError, closedError, type MillraceError } from "../errors.ts";
import { requestTimeoutMsDefault, topicWaitMsMax } from "../limits.ts";
import { type Abortable, retrying, withSignal } from "../timing.ts";
import type {
  ClusterMetadata,
  ConfigEntry,
  ConfigResource,
  DescribedGroup,
  ListedGroup,
  PartitionOffset,
  TopicMetadata,
  TopicPartition,
} from "../transport/described.ts";
import type { ListedOffset, OffsetSpec, OpenTransport, Transport } from "../transport/transport.ts";
import { checkedPosition, type Position } from "../consumer/options.ts";

/**
 * What a topic is created with.
 *
 * @example
 * ```ts
 * import { connect, type CreateTopicOptions } from "@millrace/sdk";
 *
 * const compacted: CreateTopicOptions = { partitions: 6, configs: { "cleanup.policy": "compact" } };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * await client.admin.createTopic("customers", compacted);
 * ```
 */
export interface CreateTopicOptions extends Abortable {
  /** Left out: the broker's `num.partitions`. */
  readonly partitions?: number;
  /** Left out: the broker's `default.replication.factor`. */
  readonly replicationFactor?: number;
  /** Kafka's topic configs, such as `{ "cleanup.policy": "compact" }`. */
  readonly configs?: Readonly<Record<string, string>>;
}

/**
 * How far a group is behind in one partition.
 *
 * @example
 * ```ts
 * import { connect, type PartitionLag } from "@millrace/sdk";
 *
 * const behind = ({ lag }: PartitionLag): boolean => lag > 1_000;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log((await client.admin.lag("billing")).filter(behind));
 * ```
 */
export interface PartitionLag extends TopicPartition {
  /** -1 where the group has committed nothing. */
  readonly committed: number;
  readonly end: number;
  /** Messages between them; from the first one that there is, where nothing is committed. */
  readonly lag: number;
}

/**
 * Looks after topics, their configs, and groups. Every call is one question; those that a broker
 * asks to repeat are repeated for a few seconds.
 *
 * @example
 * ```ts
 * import { connect } from "@millrace/sdk";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const { admin } = client;
 * await admin.createTopic("orders", { partitions: 6, configs: { "retention.ms": "86400000" } });
 * console.log(await admin.describeTopic("orders"));
 * console.log(await admin.lag("billing"));
 * ```
 */
export class Admin implements AsyncDisposable {
  readonly #openTransport: OpenTransport;
  #transport: Transport | undefined;
  #closed = false;

  constructor(openTransport: OpenTransport) {
    this.#openTransport = openTransport;
  }

  /** Brokers, and who is the controller. */
  async describeCluster(options: Abortable = {}): Promise<Omit<ClusterMetadata, "topics">> {
    const { topics: _, ...cluster } = await this.#metadata([], options);
    return cluster;
  }

  /** Names of topics, internal ones left out. */
  async listTopics(options: Abortable = {}): Promise<readonly string[]> {
    const { topics } = await this.#metadata("all", options);
    return topics.flatMap(({ name, internal }) => (internal ? [] : [name])).sort();
  }

  /** Rejects with `UNKNOWN_TOPIC_OR_PARTITION` where there is none of this name. */
  async describeTopic(name: string, options: Abortable = {}): Promise<TopicMetadata> {
    const { topics } = await this.#metadata([name], options);
    const topic = topics.find((candidate) => candidate.name === name);
    if (topic?.error !== undefined) throw topic.error;
    if (topic !== undefined) return topic;
    const message = `no broker knows topic ${name}`;
    throw new BrokerError({ code: "UNKNOWN_TOPIC_OR_PARTITION", message, retriable: true });
  }

  /** Those of the names that are topics, in one question. */
  async describeTopics(
    names: readonly string[],
    options: Abortable = {},
  ): Promise<readonly TopicMetadata[]> {
    if (names.length === 0) return [];
    const { topics } = await this.#metadata(names, options);
    for (const { error } of topics) {
      if (error !== undefined && error.code !== "UNKNOWN_TOPIC_OR_PARTITION") throw error;
    }
    return topics.filter(({ error }) => error === undefined);
  }

  /** Rejects with `TOPIC_ALREADY_EXISTS`, `INVALID_CONFIG` and so on. */
  createTopic(name: string, options: CreateTopicOptions = {}): Promise<void> {
    const { partitions = -1, replicationFactor = -1, configs = {} } = options;
    const topic = { name, partitions, replicationFactor, configs };
    return this.#ask(({ admin }) => admin.createTopic(topic, requestTimeoutMsDefault), options);
  }

  deleteTopic(name: string, options: Abortable = {}): Promise<void> {
    return this.#ask(({ admin }) => admin.deleteTopic(name, requestTimeoutMsDefault), options);
  }

  /** Grows a topic to `count` partitions. Keys may come to lie in other partitions than before. */
  createPartitions(name: string, count: number, options: Abortable = {}): Promise<void> {
    const call = ({ admin }: Transport): Promise<void> =>
      admin.createPartitions(name, count, requestTimeoutMsDefault);
    return this.#ask(call, options);
  }

  describeConfigs(
    resource: ConfigResource,
    options: Abortable = {},
  ): Promise<readonly ConfigEntry[]> {
    return this.#ask(({ admin }) => admin.describeConfigs(resource), options);
  }

  /** Sets configs; `null` takes one back to its default. What is not named stays. */
  alterConfigs(
    resource: ConfigResource,
    changes: Readonly<Record<string, string | null>>,
    options: Abortable = {},
  ): Promise<void> {
    return this.#ask(({ admin }) => admin.alterConfigs(resource, changes), options);
  }

  /** The offset of a position in every partition of a topic. */
  async offsets(
    topic: string,
    position: Exclude<Position, { readonly offset: number }>,
    options: Abortable = {},
  ): Promise<readonly PartitionOffset[]> {
    const at: OffsetSpec =
      typeof position === "string"
        ? position
        : { timestampMs: Number(checkedPosition(position).timestamp) };
    const { partitions } = await this.describeTopic(topic, options);
    const all = partitions.map(({ partition }) => ({ topic, partition }));
    const found = await this.#listOffsets(all, at, options);
    const ends = found.some(({ offset }) => offset < 0)
      ? await this.#listOffsets(all, "latest", options)
      : [];
    return found.map((one) => ({
      ...{ topic, partition: one.partition },
      offset: one.offset < 0 ? offsetIn(ends, one) : one.offset,
    }));
  }

  async listGroups(options: Abortable = {}): Promise<readonly ListedGroup[]> {
    const { brokers } = await this.#metadata([], options);
    const ask = (nodeId: number): Promise<readonly ListedGroup[]> =>
      this.#ask(({ admin }) => admin.listGroups(nodeId), options);
    const lists = await Promise.all(brokers.map(({ nodeId }) => ask(nodeId)));
    return lists.flat().sort((a, b) => (a.group < b.group ? -1 : 1));
  }

  /** Members and what they read. Rejects with `GROUP_ID_NOT_FOUND` where there is no such group. */
  describeGroup(group: string, options: Abortable = {}): Promise<DescribedGroup> {
    return this.#ask(({ admin }) => admin.describeGroup(group), options);
  }

  /** Rejects with `NON_EMPTY_GROUP` while it has members. */
  deleteGroup(group: string, options: Abortable = {}): Promise<void> {
    return this.#ask(({ admin }) => admin.deleteGroup(group), options);
  }

  /** What a group has committed. */
  async committedOffsets(
    group: string,
    options: Abortable = {},
  ): Promise<readonly PartitionOffset[]> {
    return this.#ask(({ groups }) => groups.committed(group), options);
  }

  /**
   * Commits offsets in a group's place, for partitions of any topics; a group that is not there
   * comes to be. Rejects with `UNKNOWN_MEMBER_ID` while the group has members: what they committed
   * next would undo it.
   */
  alterOffsets(
    group: string,
    offsets: readonly PartitionOffset[],
    options: Abortable = {},
  ): Promise<void> {
    if (offsets.length === 0) return Promise.resolve();
    return this.#ask(async ({ groups }) => {
      const results = await groups.commit({ ...nobody, group }, offsets);
      for (const { error } of results) if (error !== undefined) throw error;
    }, options);
  }

  /** How far a group is behind, in every partition for which it has committed an offset. */
  async lag(group: string, options: Abortable = {}): Promise<readonly PartitionLag[]> {
    const committed = await this.committedOffsets(group, options);
    const [starts, ends] = await Promise.all([
      this.#listOffsets(committed, "earliest", options),
      this.#listOffsets(committed, "latest", options),
    ]);
    return committed.map((at) => {
      const end = offsetIn(ends, at);
      const from = Math.max(at.offset, offsetIn(starts, at));
      return {
        ...{ topic: at.topic, partition: at.partition, committed: at.offset, end },
        lag: Math.max(0, end - from),
      };
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#transport?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #metadata(topics: readonly string[] | "all", options: Abortable): Promise<ClusterMetadata> {
    return this.#ask((transport) => transport.metadata(topics, { autoCreate: false }), options);
  }

  async #listOffsets(
    partitions: readonly TopicPartition[],
    at: OffsetSpec,
    options: Abortable,
  ): Promise<readonly ListedOffset[]> {
    if (partitions.length === 0) return [];
    return this.#ask((transport) => listByLeader(transport, partitions, at), options);
  }

  #ask<T>(call: (transport: Transport) => Promise<T>, { signal }: Abortable): Promise<T> {
    if (this.#closed) return Promise.reject(closedError("the client"));
    this.#transport ??= this.#openTransport();
    const transport = this.#transport;
    return retrying(() => withSignal(call(transport), signal), {
      forMs: topicWaitMsMax,
      retriable: isWorthAnother,
      signal,
    });
  }
}

/** Who commits for a group from outside (OffsetCommit without a member). */
const nobody = { memberId: "", generation: -1, instanceId: null } as const;

/**
 * A topic that is not there is an answer here. So is no connection, and no answer in time: whether it
 * took effect is open, and a repeat could be told that it is done already.
 */
function isWorthAnother(error: unknown): boolean {
  return error instanceof BrokerError && error.retriable && !answers.has(error.code);
}

const answers: ReadonlySet<string> = new Set(["UNKNOWN_TOPIC_OR_PARTITION", "REQUEST_TIMED_OUT"]);

async function listByLeader(
  transport: Transport,
  partitions: readonly TopicPartition[],
  at: OffsetSpec,
): Promise<readonly ListedOffset[]> {
  const names = [...new Set(partitions.map(({ topic }) => topic))];
  const { topics } = await transport.metadata(names, { autoCreate: false });
  const byLeader = new Map<number, (TopicPartition & { readonly leaderEpoch: number })[]>();
  for (const { topic, partition } of partitions) {
    const known = topics
      .find(({ name }) => name === topic)
      ?.partitions.find((candidate) => candidate.partition === partition);
    if (known === undefined || known.leader < 0) throw noLeader(topic, partition);
    const asked = byLeader.get(known.leader) ?? [];
    asked.push({ topic, partition, leaderEpoch: known.leaderEpoch });
    byLeader.set(known.leader, asked);
  }
  const answers = await Promise.all(
    Array.from(byLeader, ([leader, asked]) =>
      transport.listOffsets(leader, { partitions: asked, at, isolation: "read_uncommitted" }),
    ),
  );
  const offsets = answers.flat();
  for (const { error } of offsets) if (error !== undefined) throw error;
  return offsets;
}

function noLeader(topic: string, partition: number): MillraceError {
  const message = `partition ${partition} of ${topic} has no leader`;
  return new BrokerError({ code: "LEADER_NOT_AVAILABLE", message, retriable: true });
}

function offsetIn(offsets: readonly ListedOffset[], { topic, partition }: TopicPartition): number {
  return offsets.find((one) => one.topic === topic && one.partition === partition)?.offset ?? -1;
}
