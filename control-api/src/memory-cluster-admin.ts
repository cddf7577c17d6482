/** A cluster's brokers as a table, for tests. */
import {
  type ClusterAdmin,
  type DescribedTopic,
  type GroupAdmin,
  KafkaRefusal,
  type NewTopic,
  type PartitionLag,
} from "./ports/cluster-admin.ts";

export class MemoryClusterAdmin implements ClusterAdmin {
  readonly table: Map<string, NewTopic & { partitions: number }> = new Map();
  readonly groupTable: Map<string, { state: string; lag: readonly PartitionLag[] }> = new Map();
  /** What every call fails with, while there is one. */
  failure: Error | undefined;
  /** Every creation waits for it. */
  gate: Promise<void> = Promise.resolve();

  async topicNames(): Promise<readonly string[]> {
    this.#refuse();
    return [...this.table.keys()].sort();
  }

  async topics(names: readonly string[]): Promise<readonly DescribedTopic[]> {
    this.#refuse();
    return names.flatMap((name) => {
      const topic = this.table.get(name);
      return topic === undefined ? [] : [described(topic)];
    });
  }

  async createTopic(topic: NewTopic): Promise<void> {
    await this.gate;
    this.#refuse();
    if (this.table.has(topic.name)) throw new KafkaRefusal("TOPIC_ALREADY_EXISTS", "it exists");
    if ("no.such.config" in topic.configs) throw new KafkaRefusal("INVALID_CONFIG", "unknown");
    this.table.set(topic.name, { ...topic, partitions: topic.partitions ?? 1 });
  }

  async deleteTopic(name: string): Promise<void> {
    this.#refuse();
    if (!this.table.delete(name)) throw missing(name);
  }

  async growTopic(name: string, partitions: number): Promise<void> {
    const topic = this.#find(name);
    if (partitions < topic.partitions) throw new KafkaRefusal("INVALID_PARTITIONS", "fewer");
    this.table.set(name, { ...topic, partitions });
  }

  async topicConfigs(name: string): ReturnType<ClusterAdmin["topicConfigs"]> {
    const { configs } = this.#find(name);
    const common = { readOnly: false, sensitive: false };
    const own = Object.entries(configs).map(([key, value]) => {
      return { name: key, value, isDefault: false, ...common };
    });
    return [...own, { name: "retention.bytes", value: "-1", isDefault: true, ...common }];
  }

  async alterTopicConfigs(
    name: string,
    changes: Readonly<Record<string, string | null>>,
  ): Promise<void> {
    const topic = this.#find(name);
    const configs = { ...topic.configs };
    for (const [key, value] of Object.entries(changes)) {
      if (value === null) delete configs[key];
      else configs[key] = value;
    }
    this.table.set(name, { ...topic, configs });
  }

  async offsets(topic: string): ReturnType<ClusterAdmin["offsets"]> {
    const { partitions } = this.#find(topic);
    return Array.from({ length: partitions }, (_, partition) => {
      return { partition, earliestOffset: 0, latestOffset: 5 };
    });
  }

  /** Records lie a second apart, from 1970 on. */
  async offsetsAt(topic: string, timestampMs: number): ReturnType<ClusterAdmin["offsetsAt"]> {
    const ends = await this.offsets(topic);
    return ends.map(({ latestOffset, partition }) => {
      return { partition, offset: Math.min(Math.ceil(timestampMs / 1_000), latestOffset) };
    });
  }

  readonly groups: { -readonly [Call in keyof GroupAdmin]: GroupAdmin[Call] } = {
    list: async () => {
      this.#refuse();
      return Array.from(this.groupTable, ([id, { state }]) => ({ id, state, protocol: "classic" }));
    },
    find: async (id) => {
      const group = this.groupTable.get(id);
      return group === undefined
        ? undefined
        : { id, state: group.state, protocol: "classic", members: [] };
    },
    lag: async (id) => this.groupTable.get(id)?.lag ?? [],
    delete: async (id) => {
      const group = this.groupTable.get(id);
      if (group === undefined) throw new KafkaRefusal("GROUP_ID_NOT_FOUND", "no such group");
      if (group.state !== "Empty") throw new KafkaRefusal("NON_EMPTY_GROUP", "it has members");
      this.groupTable.delete(id);
    },
    committed: async (id) => {
      const lag = this.groupTable.get(id)?.lag ?? [];
      return lag.map(({ committed, partition, topic }) => ({
        topic,
        partition,
        offset: committed,
      }));
    },
    alterOffsets: async (id, offsets) => {
      await this.gate;
      const group = this.groupTable.get(id);
      if (group !== undefined && group.state !== "Empty") {
        throw new KafkaRefusal("UNKNOWN_MEMBER_ID", "it has members");
      }
      const isAltered = (at: PartitionLag): boolean =>
        offsets.some(({ partition, topic }) => topic === at.topic && partition === at.partition);
      const kept = (group?.lag ?? []).filter((at) => !isAltered(at));
      const altered = offsets.map(({ offset, partition, topic }) => {
        return { topic, partition, committed: offset, end: 5, lag: 5 - offset };
      });
      this.groupTable.set(id, { state: "Empty", lag: [...kept, ...altered] });
    },
  };

  #find(name: string): NewTopic & { partitions: number } {
    this.#refuse();
    const topic = this.table.get(name);
    if (topic === undefined) throw missing(name);
    return topic;
  }

  #refuse(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}

function described({ name, partitions }: NewTopic & { partitions: number }): DescribedTopic {
  return {
    ...{ name, id: `id of ${name}` },
    partitions: Array.from({ length: partitions }, (_, partition) => {
      const placed = { leader: 1, leaderEpoch: 0, replicas: [1], inSyncReplicas: [1] };
      return { partition, ...placed };
    }),
  };
}

function missing(name: string): KafkaRefusal {
  return new KafkaRefusal("UNKNOWN_TOPIC_OR_PARTITION", `no topic ${name}`);
}
