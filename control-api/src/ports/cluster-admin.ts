/**
 * What the API asks of a cluster's brokers, in Kafka's words. One call is one or a few requests to
 * them.
 *
 * Not promised: that an answer shows what another client changed a moment ago; that a call whose
 * answer was lost had no effect (a ClusterUnavailableError says nothing about it).
 * Promised: a refusal of a broker rejects with KafkaRefusal, everything operational with
 * ClusterUnavailableError; a missing topic or group is `undefined` where one is looked for.
 */
export interface ClusterAdmin {
  /** Internal ones left out, by name. */
  topicNames(): Promise<readonly string[]>;
  /** Those of the names that are there. */
  topics(names: readonly string[]): Promise<readonly DescribedTopic[]>;
  createTopic(topic: NewTopic): Promise<void>;
  deleteTopic(name: string): Promise<void>;
  growTopic(name: string, partitions: number): Promise<void>;
  topicConfigs(name: string): Promise<readonly TopicConfig[]>;
  /** `null` takes one back to its default. */
  alterTopicConfigs(name: string, changes: ConfigChanges): Promise<void>;
  /** First and next offset of each partition. */
  offsets(topic: string): Promise<readonly PartitionEnds[]>;
  /** In each partition, of the first record of the time (ms since 1970) or later; the next one's where there is none. */
  offsetsAt(topic: string, timestampMs: number): Promise<readonly OffsetInPartition[]>;
  readonly groups: GroupAdmin;
}

/** The groups of a cluster; the same promises. */
export interface GroupAdmin {
  list(): Promise<readonly ListedGroup[]>;
  find(id: string): Promise<DescribedGroup | undefined>;
  lag(id: string): Promise<readonly PartitionLag[]>;
  delete(id: string): Promise<void>;
  /** What it has committed: nothing for a group that is not there. */
  committed(id: string): Promise<readonly CommittedOffset[]>;
  /** In its place; it comes to be where it is not there. Refused (UNKNOWN_MEMBER_ID) while it has members. */
  alterOffsets(id: string, offsets: readonly CommittedOffset[]): Promise<void>;
}

export interface OffsetInPartition {
  readonly partition: number;
  readonly offset: number;
}

export interface CommittedOffset extends OffsetInPartition {
  readonly topic: string;
}

export interface NewTopic {
  readonly name: string;
  /** Absent: the broker's default. */
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly configs: Readonly<Record<string, string>>;
}

export type ConfigChanges = Readonly<Record<string, string | null>>;

export interface DescribedTopic {
  readonly name: string;
  readonly id: string;
  readonly partitions: readonly DescribedPartition[];
}

export interface DescribedPartition {
  readonly partition: number;
  /** Node id; -1 where there is none. */
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly inSyncReplicas: readonly number[];
}

export interface TopicConfig {
  readonly name: string;
  readonly value: string | null;
  readonly isDefault: boolean;
  readonly readOnly: boolean;
  readonly sensitive: boolean;
}

export interface PartitionEnds {
  readonly partition: number;
  readonly earliestOffset: number;
  readonly latestOffset: number;
}

export interface ListedGroup {
  readonly id: string;
  readonly state: string;
  readonly protocol: string;
}

export interface DescribedGroup extends ListedGroup {
  readonly members: readonly {
    readonly memberId: string;
    readonly clientId: string;
    readonly host: string;
    readonly partitions: readonly { readonly topic: string; readonly partition: number }[];
  }[];
}

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  /** -1: nothing is committed. */
  readonly committed: number;
  readonly end: number;
  readonly lag: number;
}

/** A broker answered, and refused. */
export class KafkaRefusal extends Error {
  override readonly name = "KafkaRefusal";
  /** Kafka's name of the error. */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}

/** No broker answered as it should. */
export class ClusterUnavailableError extends Error {
  override readonly name = "ClusterUnavailableError";

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
  }
}
