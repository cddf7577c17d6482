import type { Clock, Hashing, Random, Settings } from "@millrace/core";
import type { CodecSet, Crc32c } from "@millrace/wire";
import type { BufferPool } from "./buffer-pool.ts";
import type { TopicMisses } from "./cluster/alone-view.ts";
import type { Cluster } from "./cluster/cluster.ts";
import type { ClusterView } from "./cluster/cluster-view.ts";
import type { SlotTraffic } from "./cluster/slot-traffic.ts";
import type { GroupCoordinator } from "./group/coordinator.ts";
import type { Metrics } from "./metrics/registry.ts";
import type { Partitions } from "./partition/partitions.ts";
import type { ServerLog } from "./server/log.ts";

/** Everything that handlers work with: built once by the composition root, real or simulated. */
export interface Broker {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly hashing: Hashing;
  readonly cluster: Cluster;
  /** The brokers of the cluster, and which slots each leads. */
  readonly view: ClusterView;
  /** Asked for topics that `cluster` does not know. */
  readonly misses: TopicMisses;
  readonly partitions: Partitions;
  /** What clients write and read, for spreading slots by load. */
  readonly traffic: SlotTraffic;
  readonly groups: GroupCoordinator;
  readonly codecs: CodecSet;
  /** Of frames and of records that are read. */
  readonly buffers: BufferPool;
  readonly crc32c: Crc32c;
  readonly metrics: Metrics;
  /** Limited: what requests make it say can't flood it. */
  readonly log: ServerLog;
}
