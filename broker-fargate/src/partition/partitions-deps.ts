import type {
  Clock,
  Disk,
  MetadataStore,
  ObjectStore,
  Random,
  ReadBuffers,
  Settings,
  SideWork,
  Slot,
} from "@millrace/core";
import type { CodecSet, Crc32c } from "@millrace/wire";
import type { Cluster } from "../cluster/cluster.ts";
import type { Metrics } from "../metrics/registry.ts";
import type { JanitorOfMember } from "../tier/janitor.ts";
import type { TierLimits } from "../tier/limits.ts";
import type { AppendJournal } from "../journal/append-journal.ts";
import type { PartitionLimits } from "./limits.ts";
import type { FormerEntriesOf } from "./member-logs.ts";
import type { PartitionPlace } from "./partition-items.ts";

/** Where warnings go: a pino logger fits. */
export interface WarningLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What partitions need of the cluster. */
export type PartitionCluster = Pick<
  Cluster,
  | "incarnation"
  | "epoch"
  | "clusterId"
  | "dropSources"
  | "useCheckpoints"
  | "slots"
  | "topics"
  | "topicSettings"
  | "slotOfPartition"
  | "openSlot"
  | "onTopicChange"
  | "onConfigChange"
  | "pendingDeletions"
  | "deletionDone"
>;

/** What a broker of a cluster has in the place of a journal on its disk. */
export interface MemberParts {
  readonly journal: AppendJournal;
  readonly leads: (slot: Slot) => boolean;
  /** What former owners' journals hold of a partition whose slot is open. */
  readonly formerEntriesOf: FormerEntriesOf;
  /** The object store has all that the partition's log had when a round began. */
  readonly onCovered: (at: PartitionPlace) => void;
  readonly janitor: JanitorOfMember;
  /** A write that only an open journal's owner may make was refused: this incarnation is over. */
  readonly onOver: (cause: unknown) => void;
}

export interface PartitionsDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: MetadataStore;
  readonly cluster: PartitionCluster;
  readonly codecs: CodecSet;
  readonly crc32c: Crc32c;
  readonly sideWork: SideWork;
  readonly log: WarningLog;
  readonly settings?: Pick<Settings, "producerIdExpirationMs">;
  readonly metrics?: Metrics;
  readonly limits?: PartitionLimits;
  /** Absent: the broker is alone, and what it promises lies on its disk. */
  readonly member?: MemberParts;
  /** Where tiered topics' logs go; none by default. */
  readonly objects?: ObjectStore;
  readonly tierLimits?: TierLimits;
  /** For records that are read; fresh memory by default. */
  readonly buffers?: ReadBuffers;
  /**
   * The journal failed, or the sync of a log: what was acknowledged is safe, and only a restart,
   * which replays, makes the partitions writable again. Called once or more.
   */
  readonly onFailed?: (cause: unknown) => void;
}

/** The topic was deleted, or never had this partition. */
export class UnknownPartitionError extends Error {
  override readonly name = "UnknownPartitionError";
}
