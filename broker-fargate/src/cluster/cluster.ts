import {
  type BrokerId,
  type BrokerLayers,
  type ClusterFormat,
  type ConfigChange,
  type CreatePartitionsRequest,
  type CreateTopicRequest,
  type Epoch,
  type FeatureUpdate,
  type Features,
  type IncarnationId,
  internalTopicNames,
  type MetadataStore,
  type Settings,
  type Slot,
  slotOfGroup,
  slotOfPartition,
  type Source,
  type Topic,
  type TopicCatalog,
  type TopicId,
  type TopicSettings,
  topicNameFault,
} from "@millrace/core";
import { aloneView } from "./alone-view.ts";
import {
  brokerOf,
  type ClusterOptions,
  type JoinOptions,
  newClusterOf,
  noOpener,
  type OwnBroker,
  type SlotOpening,
} from "./cluster-options.ts";
import type { ClusterView } from "./cluster-view.ts";
import { type ConfigOutcome, DynamicConfigs } from "./dynamic-configs.ts";
import { type FeaturesOutcome, updateFeatures } from "./feature-updates.ts";
import type { FinalisedFeatures } from "./finalised-features.ts";
import { followCluster } from "./follow-cluster.ts";
import type { Follower } from "./follower.ts";
import { asDefault, internalTopic } from "./internal-topics.ts";
import { type JoinedCluster, joinCluster } from "./join-cluster.ts";
import { MemberView } from "./member-view.ts";
import type { Membership } from "./membership.ts";
import { type OpenedCluster, openCluster } from "./open-cluster.ts";
import { OwnWrites } from "./own-writes.ts";
import type { StoreAccess } from "./persist.ts";
import { ProducerIdBlocks } from "./producer-ids.ts";
import { type OpenSlot, SlotClaims } from "./slot-claims.ts";
import { TopicSettingsCache } from "./topic-settings-cache.ts";
import {
  type Deletion,
  type Intent,
  type TopicChange,
  type TopicOutcome,
  Topics,
} from "./topics.ts";
import { Users } from "./users.ts";

export type { ClusterOptions, JoinOptions, SlotOpening } from "./cluster-options.ts";
export type { Topic, TopicCatalog, TopicSettings } from "@millrace/core";
export type { ConfigOutcome } from "./dynamic-configs.ts";
export type { FeaturesOutcome } from "./feature-updates.ts";
export type { OpenSlot } from "./slot-claims.ts";
export type { Deletion, Intent, TopicChange, TopicOutcome } from "./topics.ts";

export type AutoCreateOutcome =
  | { readonly kind: "created"; readonly topic: Topic }
  | { readonly kind: "exists"; readonly topic: Topic }
  | { readonly kind: "absent" }
  | { readonly kind: "invalidName" };

/**
 * The cluster as one broker knows it: its identity, its topics and configs, and the slots that this
 * incarnation owns. Reads are answered from memory at once; changes are decided by conditional
 * writes to the store and are durable, and visible here, when their promise resolves.
 *
 * A broker that is alone in its cluster (`open`) sees every change because it makes every change. A
 * member (`join`) follows what the others change, and knows who leads what: `view`, `membership`.
 */
export class Cluster {
  readonly store: MetadataStore;
  readonly brokerId: BrokerId;
  readonly incarnation: IncarnationId;
  /** This life's leader epoch of every partition, and coordinator epoch of every group. */
  readonly epoch: Epoch;
  readonly format: ClusterFormat;
  readonly #access: StoreAccess;
  readonly #features: FinalisedFeatures;
  /** Who leads what, by what this broker knows. */
  readonly view: ClusterView;
  /** Absent: it is alone. */
  readonly membership: Membership | undefined;
  readonly topics: TopicCatalog;
  readonly #topics: Topics;
  readonly users: Users;
  readonly #claims: SlotClaims;
  readonly #follower: Follower | undefined;
  readonly #producerIds: ProducerIdBlocks;
  readonly #configs: DynamicConfigs;
  readonly #topicSettings: TopicSettingsCache;
  readonly #topicListeners = new Set<(change: TopicChange) => void>();
  readonly #configListeners = new Set<() => void>();
  #liveBrokers: () => readonly BrokerId[] = () => [this.brokerId];
  #opener: SlotOpening;

  static async open(options: ClusterOptions): Promise<Cluster> {
    const { store, clock, random } = options;
    const broker = brokerOf(options);
    const start = { brokerId: broker.id, ...newClusterOf(options, broker) };
    const opened = await openCluster({ store, clock, random }, start);
    return new Cluster({ store, clock, random }, opened, broker);
  }

  /**
   * Joins a cluster as one of several brokers, by a new incarnation: from now on it heartbeats, and
   * follows what the others do. Slots are opened by whom `useOpener` names. Waits for a store that
   * does not answer. Throws FormatError.
   */
  static async join(options: JoinOptions): Promise<Cluster> {
    const { store, clock, random, member } = options;
    const broker = brokerOf(options);
    const start = { brokerId: broker.id, ...newClusterOf(options, broker), member };
    const joined = await joinCluster({ store, clock, random }, start);
    const { incarnation } = joined.membership;
    return new Cluster({ store, clock, random }, { ...joined, incarnation }, { ...broker, joined });
  }

  private constructor(
    access: StoreAccess,
    opened: OpenedCluster,
    broker: OwnBroker & { readonly joined?: JoinedCluster },
  ) {
    const { catalog, incarnation, epoch } = opened;
    this.store = access.store;
    this.#access = access;
    this.brokerId = broker.id;
    this.incarnation = incarnation;
    this.epoch = epoch;
    this.format = opened.format;
    this.#features = opened.features;
    this.topics = catalog;
    this.#configs = new DynamicConfigs(access, {
      brokerId: broker.id,
      fixed: broker.fixed,
      opened,
      onChange: () => this.#configsChanged(),
    });
    this.#topicSettings = new TopicSettingsCache({
      layers: () => this.#configs.layers,
      is: broker.joined === undefined ? "alone" : "member",
    });
    this.#claims = new SlotClaims(access, { incarnation, epoch });
    const { joined } = broker;
    this.membership = joined?.membership;
    this.#opener = joined === undefined ? this.#claims : noOpener;
    this.view =
      joined === undefined
        ? aloneView(this, () => this.settings.brokerRack)
        : new MemberView(broker.id, joined.membership, access);
    this.#producerIds = new ProducerIdBlocks(access);
    const others =
      joined === undefined
        ? {}
        : { others: { haveSeen: () => joined.membership.othersHaveSeen() } };
    const own = new OwnWrites(access, incarnation, () => this.#follower?.version ?? 0);
    this.#topics = new Topics({
      ...access,
      ...{ catalog, incarnation, own },
      rules: () => ({
        layers: this.#configs.layers,
        numPartitions: this.settings.numPartitions,
        defaultReplicationFactor: this.settings.defaultReplicationFactor,
        brokers: this.#liveBrokers(),
        ...(joined === undefined ? {} : { localDurability: "refused" as const }),
      }),
      onChange: (change) => this.#topicChanged(change),
      ...others,
    });
    const lookNow = (): Promise<void> => this.#follower?.lookNow() ?? Promise.resolve();
    this.users = new Users({ ...access, ...others, lookNow, own }, opened.users);
    this.#follower =
      joined === undefined
        ? undefined
        : followCluster({
            ...{ access, joined, own, users: this.users },
            ...{ topics: this.#topics, configs: this.#configs },
          });
  }

  /** 22 characters of base64url, the same for the cluster's whole life. */
  get clusterId(): string {
    return this.format.clusterId;
  }

  get slots(): number {
    return this.format.slots;
  }

  /** Finalised features, `millrace.version` among them. */
  get features(): Features {
    return this.#features.now;
  }

  /** Raises or lowers finalised levels (KIP-584): all that is asked, or nothing. */
  updateFeatures(updates: readonly FeatureUpdate[], intent: Intent): Promise<FeaturesOutcome> {
    const is = this.membership === undefined ? "alone" : "member";
    const access = { ...this.#access, features: this.#features };
    return updateFeatures(access, { updates, intent, slots: this.slots, is });
  }

  /** The effective settings: what was set at the start, and what was changed since. */
  get settings(): Settings {
    return this.#configs.settings;
  }

  get layers(): BrokerLayers {
    return this.#configs.layers;
  }

  /** The topic's effective configuration: one object until something of it changes. */
  topicSettings(topic: Topic): TopicSettings {
    return this.#topicSettings.of(topic);
  }

  slotOfPartition(topic: TopicId, partition: number): Slot {
    return slotOfPartition(topic, partition, this.slots);
  }

  slotOfGroup(group: string): Slot {
    return slotOfGroup(group, this.slots);
  }

  /** The slot if `openSlot` has opened it already. */
  findOpenSlot(slot: Slot): OpenSlot | undefined {
    return this.#opener.find(slot);
  }

  /**
   * Drops an open slot's sources that its own checkpoint has copied; false: there are none. Throws
   * MetadataError.
   */
  dropSources(slot: Slot): Promise<boolean> {
    return this.#opener.dropSources(slot);
  }

  /** Who reads checkpoints says which of a head's sources hold something of its slot. */
  useCheckpoints(holdsSlot: (source: Source, slot: Slot) => Promise<boolean>): void {
    this.#claims.useCheckpoints(holdsSlot);
  }

  /** Who knows the others says which brokers a manual assignment of replicas may name. */
  useLiveBrokers(live: () => readonly BrokerId[]): void {
    this.#liveBrokers = live;
  }

  /**
   * Makes this incarnation the slot's owner, at its first use. Throws FencedError when a newer
   * incarnation owns it, and MetadataError when the store does not answer.
   */
  openSlot(slot: Slot): Promise<OpenSlot> {
    return this.#opener.open(slot);
  }

  /** Who opens a member's slots. */
  useOpener(opener: SlotOpening): void {
    this.#opener = opener;
  }

  /**
   * The topic that is not in `topics`, as a strong read that begins after the call finds it; undefined:
   * there is none (ownership rule 17). Throws MetadataError.
   */
  confirmMissing(
    asked: { readonly name: string } | { readonly id: TopicId },
  ): Promise<Topic | undefined> {
    return this.#follower?.confirmMissing(asked) ?? Promise.resolve(undefined);
  }

  /** Resolves when every topic is known that was made before the call. Throws MetadataError. */
  async caughtUp(): Promise<void> {
    await this.#follower?.lookNow();
  }

  createTopic(request: CreateTopicRequest, intent: Intent): Promise<TopicOutcome> {
    return this.#topics.create(request, intent);
  }

  /** A topic that a client named and that is not there, with the defaults of `num.partitions` …. */
  async autoCreateTopic(
    name: string,
    options: { readonly create: boolean },
  ): Promise<AutoCreateOutcome> {
    const existing = this.topics.byName(name);
    if (existing !== undefined) return { kind: "exists", topic: existing };
    if (topicNameFault(name) !== undefined) return { kind: "invalidName" };
    if (!options.create) return { kind: "absent" };
    if (internalTopicNames.includes(name)) {
      const topic = await this.ensureInternalTopic(name);
      return topic === undefined ? { kind: "absent" } : { kind: "created", topic };
    }
    return this.#createdOr(name, { ...asDefault, name });
  }

  /**
   * `__consumer_offsets` or `__transaction_state`, made at its first use as Kafka does. `undefined`
   * when the store did not answer.
   */
  async ensureInternalTopic(name: string): Promise<Topic | undefined> {
    const existing = this.topics.byName(name);
    if (existing !== undefined) return existing;
    const outcome = await this.#createdOr(name, internalTopic(name, this.settings));
    return "topic" in outcome ? outcome.topic : undefined;
  }

  createPartitions(
    name: string,
    request: CreatePartitionsRequest,
    intent: Intent,
  ): Promise<TopicOutcome> {
    return this.#topics.createPartitions(name, request, intent);
  }

  /**
   * With an `id`, only that topic, and not another that got its name since. The topic's data is
   * removed by whoever handles its `Deletion` and then calls `deletionDone`.
   */
  deleteTopic(name: string, id?: TopicId): Promise<TopicOutcome> {
    return this.#topics.remove(name, id);
  }

  /** Topics that were deleted and whose data may still be there, also from former lives. */
  pendingDeletions(): Promise<readonly Deletion[]> {
    return this.#topics.deletions();
  }

  deletionDone(topic: TopicId): Promise<void> {
    return this.#topics.forget(topic);
  }

  /** `change` makes the new configs from the present ones: nobody else's change is lost. */
  setTopicConfigs(
    name: string,
    change: (before: ReadonlyMap<string, string>) => ConfigChange,
    intent: Intent,
  ): Promise<TopicOutcome> {
    return this.#topics.setConfigs(name, change, intent);
  }

  /** Changes what is set for this broker, or for all brokers of the cluster. */
  setBrokerConfigs(
    scope: "broker" | "cluster",
    change: (before: ReadonlyMap<string, string>) => ConfigChange,
    intent: Intent,
  ): Promise<ConfigOutcome> {
    return this.#configs.set(scope, change, intent);
  }

  /** Throws MetadataError when no block of ids can be reserved. */
  allocateProducerId(): Promise<number> {
    return this.#producerIds.allocate();
  }

  /** Called after each change of a topic, in order; returns how to stop that. */
  onTopicChange(listener: (change: TopicChange) => void): () => void {
    this.#topicListeners.add(listener);
    return () => this.#topicListeners.delete(listener);
  }

  /** Called after each change of the broker's configs: every topic's settings may have changed. */
  onConfigChange(listener: () => void): () => void {
    this.#configListeners.add(listener);
    return () => this.#configListeners.delete(listener);
  }

  async #createdOr(name: string, request: CreateTopicRequest): Promise<AutoCreateOutcome> {
    const outcome = await this.#topics.create(request, "perform");
    if (outcome.kind === "done") return { kind: "created", topic: outcome.topic };
    const existing = this.topics.byName(name);
    if (existing !== undefined) return { kind: "exists", topic: existing };
    const invalid = outcome.kind === "refused" && outcome.reason === "invalidName";
    return { kind: invalid ? "invalidName" : "absent" };
  }

  #topicChanged(change: TopicChange): void {
    for (const listener of this.#topicListeners) listener(change);
  }

  #configsChanged(): void {
    this.#topicSettings.clear();
    for (const listener of this.#configListeners) listener();
  }
}
