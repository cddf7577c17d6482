/**
 * The port behind which the Kafka protocol lies. One `Transport` has connections of its own; a
 * producer, an admin and both halves of a consumer open one each, so that a long poll holds nobody
 * up.
 *
 * Every call rejects with a `MillraceError`: `BrokerError` where the answer as a whole is an error,
 * `ConnectionError` where there was none, and then it is unknown whether the request took effect.
 * Errors of single topics and partitions stand in the results. A call is one request: nothing is
 * tried again in here, and nothing is cached but where brokers and coordinators are.
 */
import type { BrokerError } from "../errors.ts";
import type {
  ClusterMetadata,
  ConfigEntry,
  ConfigResource,
  DescribedGroup,
  ListedGroup,
  PartitionOffset,
  TopicPartition,
} from "./described.ts";

export type HeaderEntry = readonly [name: string, value: Uint8Array | null];

export interface WireRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly HeaderEntry[];
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
}

export interface FetchedRecord extends WireRecord {
  readonly offset: number;
}

export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/**
 * How batches are compressed. `zstd` needs a Node that has it.
 *
 * @example
 * ```ts
 * import { type Compression, connect } from "@millrace/sdk";
 *
 * const compression: Compression = "zstd";
 * await using client = connect({ brokers: ["localhost:9092"], producer: { compression } });
 * ```
 */
export type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

export interface WireBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly WireRecord[];
  /** Absent where the producer is not idempotent. */
  readonly sequence?: { readonly identity: ProducerIdentity; readonly first: number };
}

export interface ProduceRequest {
  readonly acks: "all" | "leader";
  readonly timeoutMs: number;
  readonly compression: Compression;
  /** At most one of each partition. */
  readonly batches: readonly WireBatch[];
}

export interface ProduceResult extends TopicPartition {
  /** Of the first record; -1 where the broker does not say (a duplicate of long ago). */
  readonly baseOffset: number;
  /** Set where the topic stamps records itself. */
  readonly logAppendTimeMs?: number;
  readonly error?: BrokerError;
}

export interface FetchPartition extends TopicPartition {
  readonly topicId: string;
  readonly offset: number;
  readonly leaderEpoch: number;
}

export interface FetchRequest {
  readonly partitions: readonly FetchPartition[];
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
  readonly isolation: Isolation;
  readonly rack: string;
}

/**
 * Whether records of open and aborted transactions are handed out (KIP-98).
 *
 * @example
 * ```ts
 * import { connect, type Isolation, string } from "@millrace/sdk";
 *
 * const isolation: Isolation = "read_uncommitted";
 * await using client = connect({ brokers: ["localhost:9092"] });
 * await client.topic("lines", { value: string() }).consume({ isolation }).run(() => undefined);
 * ```
 */
export type Isolation = "read_committed" | "read_uncommitted";

export interface FetchResult extends TopicPartition {
  readonly records: readonly FetchedRecord[];
  /** Where to read on; past what holds no record to hand out (control and aborted batches). */
  readonly nextOffset: number;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  /** The broker to ask instead, which is nearer (KIP-392); then there are no records. */
  readonly nearerNode?: number;
  readonly error?: BrokerError;
}

/** Kafka's ListOffsets: a place, or the first record at or after a time in ms since 1970. */
export type OffsetSpec = "earliest" | "latest" | { readonly timestampMs: number };

export interface ListedOffset extends TopicPartition {
  /** -1 where there is no record at or after the time. */
  readonly offset: number;
  readonly error?: BrokerError;
}

export interface CommitResult extends TopicPartition {
  readonly error?: BrokerError;
}

export interface GroupIdentity {
  readonly group: string;
  readonly memberId: string;
  readonly generation: number;
  readonly instanceId: string | null;
}

export interface JoinRequest {
  readonly group: string;
  /** Empty at first: the broker answers MEMBER_ID_REQUIRED, with one in `memberId`. */
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly topics: readonly string[];
  readonly assignor: string;
}

export interface GroupMemberTopics {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly topics: readonly string[];
}

export type JoinResult =
  | { readonly kind: "member id"; readonly memberId: string }
  | {
      readonly kind: "joined";
      readonly memberId: string;
      readonly generation: number;
      /** Of all members where this one leads, and must assign; otherwise empty. */
      readonly members: readonly GroupMemberTopics[];
      readonly leads: boolean;
    };

export interface MemberAssignment {
  readonly memberId: string;
  readonly partitions: readonly TopicPartition[];
}

/** The classic group protocol, and committed offsets. Finds the coordinator, and forgets it. */
export interface GroupTransport {
  join(request: JoinRequest): Promise<JoinResult>;
  sync(
    member: GroupIdentity,
    assignor: string,
    assignments: readonly MemberAssignment[],
  ): Promise<readonly TopicPartition[]>;
  heartbeat(member: GroupIdentity): Promise<void>;
  leave(member: GroupIdentity): Promise<void>;
  commit(
    member: GroupIdentity,
    offsets: readonly PartitionOffset[],
  ): Promise<readonly CommitResult[]>;
  /** Offset -1 where none is committed. All that the group has where no topics are named. */
  committed(
    group: string,
    partitions?: readonly TopicPartition[],
  ): Promise<readonly PartitionOffset[]>;
}

export interface NewTopic {
  readonly name: string;
  /** -1: the broker's default. */
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** What the admin client asks for. A refusal of any part rejects. */
export interface AdminTransport {
  createTopic(topic: NewTopic, timeoutMs: number): Promise<void>;
  deleteTopic(name: string, timeoutMs: number): Promise<void>;
  createPartitions(name: string, count: number, timeoutMs: number): Promise<void>;
  describeConfigs(resource: ConfigResource): Promise<readonly ConfigEntry[]>;
  /** `null` takes a config back to its default. */
  alterConfigs(
    resource: ConfigResource,
    changes: Readonly<Record<string, string | null>>,
  ): Promise<void>;
  listGroups(node: number): Promise<readonly ListedGroup[]>;
  describeGroup(group: string): Promise<DescribedGroup>;
  deleteGroup(group: string): Promise<void>;
}

export interface Transport {
  /** Of the named topics, or of all. `autoCreate` asks the broker to create what is missing. */
  metadata(
    topics: readonly string[] | "all",
    options: { readonly autoCreate: boolean },
  ): Promise<ClusterMetadata>;
  initProducerId(): Promise<ProducerIdentity>;
  produce(node: number, request: ProduceRequest): Promise<readonly ProduceResult[]>;
  fetch(node: number, request: FetchRequest): Promise<readonly FetchResult[]>;
  listOffsets(
    node: number,
    request: {
      readonly partitions: readonly (TopicPartition & { readonly leaderEpoch: number })[];
      readonly at: OffsetSpec;
      readonly isolation: Isolation;
    },
  ): Promise<readonly ListedOffset[]>;
  readonly groups: GroupTransport;
  readonly admin: AdminTransport;
  /** Calls that are under way reject. */
  close(): Promise<void>;
}

/** Opens a transport; it connects with the first call. */
export type OpenTransport = (options?: TransportOptions) => Transport;

export interface TransportOptions {
  /** How long one request may take, before its connection is given up. */
  readonly requestTimeoutMs?: number;
}
