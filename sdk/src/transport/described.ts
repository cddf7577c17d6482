/** What brokers say of themselves, their topics and groups: what the admin client hands on. */
import type { BrokerError } from "../errors.ts";

/**
 * Where a broker listens.
 *
 * @example
 * ```ts
 * import { type BrokerAddress, connect } from "@millrace/sdk";
 *
 * const show = ({ nodeId, host, port }: BrokerAddress): string => `${nodeId}: ${host}:${port}`;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log((await client.admin.describeCluster()).brokers.map(show));
 * ```
 */
export interface BrokerAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

/**
 * Who leads a partition.
 *
 * @example
 * ```ts
 * import { connect, type PartitionMetadata } from "@millrace/sdk";
 *
 * const isLed = ({ leader }: PartitionMetadata): boolean => leader >= 0;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log((await client.admin.describeTopic("orders")).partitions.every(isLed));
 * ```
 */
export interface PartitionMetadata {
  readonly partition: number;
  /** Node id; -1 where there is none. */
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly inSyncReplicas: readonly number[];
}

/**
 * A topic and its partitions.
 *
 * @example
 * ```ts
 * import { connect, type TopicMetadata } from "@millrace/sdk";
 *
 * const size = ({ partitions }: TopicMetadata): number => partitions.length;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log(size(await client.admin.describeTopic("orders")));
 * ```
 */
export interface TopicMetadata {
  readonly name: string;
  readonly topicId: string;
  readonly internal: boolean;
  /** By their number. */
  readonly partitions: readonly PartitionMetadata[];
  readonly error?: BrokerError;
}

/**
 * A cluster and its brokers.
 *
 * @example
 * ```ts
 * import { type ClusterMetadata, connect } from "@millrace/sdk";
 *
 * const size = ({ brokers }: Pick<ClusterMetadata, "brokers">): number => brokers.length;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log(size(await client.admin.describeCluster()));
 * ```
 */
export interface ClusterMetadata {
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly brokers: readonly BrokerAddress[];
  readonly topics: readonly TopicMetadata[];
}

/**
 * A partition of a topic.
 *
 * @example
 * ```ts
 * import { connect, string, type TopicPartition } from "@millrace/sdk";
 *
 * const first: TopicPartition = { topic: "lines", partition: 0 };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * client.topic("lines", { value: string() }).consume().seek("earliest", first);
 * ```
 */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * An offset in a partition.
 *
 * @example
 * ```ts
 * import { connect, type PartitionOffset } from "@millrace/sdk";
 *
 * const show = ({ partition, offset }: PartitionOffset): string => `${partition}: ${offset}`;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log((await client.admin.offsets("orders", "latest")).map(show));
 * ```
 */
export interface PartitionOffset extends TopicPartition {
  readonly offset: number;
}

/**
 * A config and where its value comes from.
 *
 * @example
 * ```ts
 * import { type ConfigEntry, connect } from "@millrace/sdk";
 *
 * const isOwn = ({ isDefault }: ConfigEntry): boolean => !isDefault;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log((await client.admin.describeConfigs({ kind: "topic", name: "orders" })).filter(isOwn));
 * ```
 */
export interface ConfigEntry {
  readonly name: string;
  readonly value: string | null;
  /** True where it was not set for this topic. */
  readonly isDefault: boolean;
  readonly readOnly: boolean;
  readonly sensitive: boolean;
}

/**
 * What has configs: a topic by its name, a broker by its node id.
 *
 * @example
 * ```ts
 * import { type ConfigResource, connect } from "@millrace/sdk";
 *
 * const orders: ConfigResource = { kind: "topic", name: "orders" };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * await client.admin.alterConfigs(orders, { "retention.ms": "86400000" });
 * ```
 */
export interface ConfigResource {
  readonly kind: "topic" | "broker";
  readonly name: string;
}

/**
 * A group, its state and its type, in Kafka's words.
 *
 * @example
 * ```ts
 * import { connect, type ListedGroup } from "@millrace/sdk";
 *
 * const isEmpty = ({ state }: ListedGroup): boolean => state === "Empty";
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log((await client.admin.listGroups()).filter(isEmpty));
 * ```
 */
export interface ListedGroup {
  readonly group: string;
  readonly state: string;
  readonly type: string;
}

/**
 * A member of a group, and what it reads.
 *
 * @example
 * ```ts
 * import { connect, type DescribedMember } from "@millrace/sdk";
 *
 * const show = ({ clientId, partitions }: DescribedMember): string =>
 *   `${clientId}: ${partitions.length}`;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log((await client.admin.describeGroup("billing")).members.map(show));
 * ```
 */
export interface DescribedMember {
  readonly memberId: string;
  readonly clientId: string;
  readonly host: string;
  readonly partitions: readonly TopicPartition[];
}

/**
 * A group and its members.
 *
 * @example
 * ```ts
 * import { connect, type DescribedGroup } from "@millrace/sdk";
 *
 * const isIdle = ({ members }: DescribedGroup): boolean => members.length === 0;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log(isIdle(await client.admin.describeGroup("billing")));
 * ```
 */
export interface DescribedGroup {
  readonly group: string;
  readonly state: string;
  readonly assignor: string;
  readonly members: readonly DescribedMember[];
}
