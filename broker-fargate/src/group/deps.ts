import type {
  Clock,
  Epoch,
  KeySeeker,
  MetadataStore,
  Random,
  Settings,
  Slot,
  TopicCatalog,
  TopicId,
} from "@millrace/core";
import type { ClusterView } from "../cluster/cluster-view.ts";
import type { Metrics } from "../metrics/registry.ts";

/** What the coordinator needs of the cluster. */
export interface CoordinatorCluster {
  readonly slots: number;
  readonly store: MetadataStore;
  readonly topics: Pick<TopicCatalog, "byName" | "byId">;
  slotOfGroup(groupId: string): Slot;
  openSlot(slot: Slot): Promise<{ readonly epoch: Epoch }>;
  onTopicChange(
    listener: (change: { readonly kind: string; readonly topic: { readonly id: TopicId } }) => void,
  ): () => void;
}

export type GroupSettings = Pick<
  Settings,
  | "groupInitialRebalanceDelayMs"
  | "groupMaxSessionTimeoutMs"
  | "groupMaxSize"
  | "groupMinSessionTimeoutMs"
  | "offsetMetadataMaxBytes"
  | "offsetsRetentionCheckIntervalMs"
  | "offsetsRetentionMinutes"
>;

export interface CoordinatorDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly cluster: CoordinatorCluster;
  /** Of the cluster's store. Absent: to find the slots with groups, each is read. */
  readonly seeker?: KeySeeker;
  /** Only groups of slots that this broker leads are its own. */
  readonly view: Pick<ClusterView, "leads" | "viewVersion">;
  readonly settings: GroupSettings;
  readonly metrics: Metrics;
}

/** Why the coordinator can't say: a client finds the coordinator again and retries. */
export type Unavailable = "coordinatorNotAvailable" | "notCoordinator";
