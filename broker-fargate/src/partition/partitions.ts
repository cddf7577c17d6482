import { assert, Lanes } from "@millrace/core";
import type { ColdPart, Slot, TopicId } from "@millrace/core";
import { closeJournalItem } from "../journal/files/close-journal-item.ts";
import { copySlot } from "./copy-slot.ts";
import { Duties } from "./duties.ts";
import { Examinations } from "./examinations.ts";
import { JournalItems } from "../journal/files/journal-item.ts";
import type { PartitionsDeps } from "./partitions-deps.ts";
import type { AppendJournal } from "../journal/append-journal.ts";
import { Journal } from "../journal/files/journal.ts";
import { journalRoot } from "../journal/files/journal-files.ts";
import { partitionLimits } from "./limits.ts";
import type { PartitionLimits } from "./limits.ts";
import { FormerLives } from "../recovery/former-lives.ts";
import { LeftFiles, removeFiles } from "./left-files.ts";
import { GivenUpCold } from "./given-up-cold.ts";
import { HotRepairs } from "../recovery/hot-repairs.ts";
import { LoadedPartitions } from "./loaded-partitions.ts";
import { LogOpener, partitionsRoot, sizeOnDisk } from "./log-opener.ts";
import { MemberLogs } from "./member-logs.ts";
import type { PartitionOwner } from "./owner.ts";
import type { OwnerDeps } from "./owner-deps.ts";
import { PartitionItems } from "./partition-items.ts";
import type { MarkedPartition, PartitionPlace } from "./partition-items.ts";
import { closeLog, nameOf, PartitionLoader, type PartitionName } from "./partition-loader.ts";
import { observePartitions } from "./partition-metrics.ts";
import { SlotHandover } from "./slot-handover.ts";
import { SlotWrites } from "./slot-writes.ts";
import { openTier } from "../tier/open-tier.ts";
import type { Cover } from "../tier/checkpointer.ts";
import type { Tier } from "../tier/tier.ts";
import { isGivenUp, isTiering } from "../tier/tiered-partition.ts";
import { TopicRemovals } from "./topic-removals.ts";
import { wireFormat } from "./wire-format.ts";
import type { WireFormat } from "./wire-format.ts";

/**
 * All partitions of the process. One that nobody touched has no file, no item and nothing here; it
 * is loaded at its first touch, and then stays.
 *
 * `open` replays the journals of former incarnations before anybody may listen, so that every
 * partition's log, and nothing else, tells what was acknowledged.
 */
export class Partitions {
  readonly journal: AppendJournal;
  readonly handover: SlotHandover;
  readonly #deps: PartitionsDeps;
  readonly #limits: PartitionLimits;
  readonly #loader: PartitionLoader;
  readonly #journalItems: JournalItems;
  readonly #duties: Duties;
  /** Undefined in a cluster, where journals are taken over slot by slot. */
  readonly #formerLives: FormerLives | undefined;
  /** Undefined where no object store is configured. */
  readonly #tier: Tier<PartitionOwner> | undefined;
  readonly #owners = new LoadedPartitions();
  readonly #opening = new Map<string, Promise<PartitionOwner>>();
  /** So that a first touch of a thousand partitions leaves others their turns. */
  readonly #lanes: Lanes;
  readonly #removals: TopicRemovals;
  readonly #givenUpCold: GivenUpCold;
  readonly #leftFiles: LeftFiles;
  readonly #stopListening: (() => void)[] = [];
  #closed = false;

  private constructor(deps: PartitionsDeps) {
    const { clock, cluster, member } = deps;
    const limits = deps.limits ?? partitionLimits;
    this.#deps = deps;
    this.#limits = limits;
    this.#lanes = new Lanes(limits.loadsInFlightMax);
    const wire = wireFormat(deps);
    const warn = this.#warn;
    const onFailed = this.#failed;
    const writes = new SlotWrites(deps);
    const items = new PartitionItems(deps, writes);
    const journalItems = new JournalItems(deps);
    this.#journalItems = journalItems;
    const { incarnation } = cluster;
    const recordTrim = (trim: number): Promise<void> => journalItems.recordTrim(incarnation, trim);
    const journal =
      member?.journal ?? new Journal({ ...{ ...deps, incarnation, limits, onFailed }, recordTrim });
    this.journal = journal;
    const { producerIdExpirationMs = Number.MAX_SAFE_INTEGER } = deps.settings ?? {};
    this.#duties = new Duties({
      ...{ clock, limits, journal, producerIdExpirationMs, warn },
      onSyncFailed: onFailed,
    });
    this.#leftFiles = new LeftFiles({ duties: this.#duties, limits, warn });
    const tierDeps = { ...deps, writes, journalItems, wire, warn, cover: this.#cover };
    this.#tier = openTier({ ...tierDeps, ...member });
    this.#givenUpCold = new GivenUpCold({
      ...{ clock, warn, retryMs: limits.removalRetryMs },
      roundOver: async () => this.#tier?.checkpointer.idle(),
    });
    const repairs = new HotRepairs(deps);
    const logs = { ...deps, wire, items, tier: this.#tier, repairs, leftFiles: this.#leftFiles };
    const opener = member === undefined ? new LogOpener(logs) : undefined;
    const memberLogs = member === undefined ? undefined : new MemberLogs({ ...logs, ...member });
    this.#loader = this.#newLoader(opener ?? memberLogs, { items, repairs, wire });
    this.#formerLives = opener && this.#newFormerLives(opener, { journalItems, wire });
    this.handover = this.#newHandover();
    this.#removals = this.#newRemovals(items);
    const { metrics } = deps;
    if (metrics !== undefined) observePartitions(metrics, { clock, duties: this.#duties, journal });
  }

  /** Throws JournalDamagedError, DiskError, MetadataError: then nobody may serve. */
  static async open(deps: PartitionsDeps): Promise<Partitions> {
    // What a former life of a cluster's member left is not to be trusted.
    if (deps.member !== undefined) await deps.disk.removeFolder(partitionsRoot);
    deps.disk.makeDirectory(partitionsRoot);
    deps.disk.makeDirectory(journalRoot);
    await deps.disk.syncDirectory("");
    const partitions = new Partitions(deps);
    await partitions.#formerLives?.recover();
    // A member's come with its slots.
    if (deps.member === undefined) await partitions.#removals.resume();
    partitions.#listen();
    partitions.#tier?.janitor.sweepSoon();
    return partitions;
  }

  /** Slots came to this broker: of deleted topics that lie in them something may be left. */
  resumeRemovals(): Promise<void> {
    return this.#removals.resume();
  }

  /** The partition's owner if it is loaded. */
  find(topicId: TopicId, partition: number): PartitionOwner | undefined {
    return this.#owners.find(topicId, partition);
  }

  /**
   * Loads the partition if it is not. Rejects with UnknownPartitionError, DiskError, MetadataError,
   * or FencedError.
   */
  open(topicId: TopicId, partition: number): Promise<PartitionOwner> {
    const open = this.find(topicId, partition);
    if (open !== undefined) return Promise.resolve(open);
    const at = { topicId, partition };
    const key = nameOf(at);
    const fault = this.#loader.faultOf(at);
    if (fault !== undefined) return Promise.reject(fault);
    const before = this.#opening.get(key);
    if (before !== undefined) return before;
    const slot = this.#deps.cluster.slotOfPartition(topicId, partition);
    const opening = this.#lanes.run(() => this.#loader.load({ ...at, slot }));
    this.#opening.set(key, opening);
    const forget = (): boolean => this.#opening.delete(key);
    opening.then(forget, forget);
    return opening;
  }

  /** Loads it, and has the next round take it into the object store. Rejects as `open`. */
  async adopt(at: { readonly topicId: TopicId; readonly partition: number }): Promise<void> {
    const owner = await this.open(at.topicId, at.partition);
    this.#tier?.checkpointer.appended(owner, 0);
  }

  /**
   * Takes what lies elsewhere of a slot, which is not this broker's yet, into its checkpoint, at the
   * epoch that it is to be claimed at; `waiting`: partitions that former owners' journals tell of.
   * Rejects with ObjectError, MetadataError or DiskError.
   */
  async copySlot(
    at: Pick<MarkedPartition, "slot" | "openSlot">,
    waiting: readonly PartitionName[],
  ): Promise<void> {
    assert(this.#tier !== undefined, "a member of a cluster has an object store");
    await copySlot({ tier: this.#tier, loader: this.#loader, warn: this.#warn }, at, waiting);
  }

  /** The object store's side of whole slots; undefined where there is none. */
  get cold(): Pick<Tier<PartitionOwner>, "adoptSlot" | "isSlotCopied" | "readAhead"> | undefined {
    return this.#tier;
  }

  /** Whether this broker leads it. */
  isOurs(topicId: TopicId, partition: number): boolean {
    const { cluster, member } = this.#deps;
    return member === undefined || member.leads(cluster.slotOfPartition(topicId, partition));
  }

  /** Bytes of the partition's log. One that is not loaded is measured by its files. */
  sizeBytes(topicId: TopicId, partition: number): number {
    const owner = this.find(topicId, partition);
    if (owner !== undefined) return owner.sizeBytes;
    return sizeOnDisk(this.#deps.disk, topicId, partition);
  }

  /** What the object store has of a partition that is not loaded. Rejects as Tier does. */
  async coldParts(topicId: TopicId, partition: number): Promise<readonly ColdPart[]> {
    const slot = this.#deps.cluster.slotOfPartition(topicId, partition);
    return (await this.#tier?.lookAt({ topicId, partition, slot })) ?? [];
  }

  /** Takes over the topic's settings. */
  configChanged(topicId: TopicId): void {
    const topic = this.#deps.cluster.topics.byId(topicId);
    if (topic === undefined) return;
    const settings = this.#deps.cluster.topicSettings(topic);
    for (const owner of this.#owners.ofTopic(topicId)) {
      owner.settingsChanged(settings);
      this.#givenUpCold.look(owner);
    }
    if (this.#tier === undefined || !isGivenUp(settings)) return;
    for (let partition = 0; partition < topic.partitionCount; partition += 1) {
      // Loading one begins its deletion; where it fails the next touch does.
      this.open(topicId, partition).catch((error: unknown) => {
        this.#warn("a partition could not be loaded to be deleted from the object store", error);
      });
    }
  }

  /**
   * Ends in order: appends are refused, what was decided becomes durable, logs are synced with
   * their snapshots, the dirty list is cleared and the journal closed, so that the next start has
   * nothing to recover. What fails on the way is left for that start.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const stop of this.#stopListening) stop();
    await Promise.allSettled([this.#removals.close(), ...this.#opening.values()]);
    const owners = this.#owners.all();
    for (const owner of owners) owner.pause();
    await this.journal.idle();
    await this.#tier?.janitor.close();
    await this.#tier?.checkpointer.finish();
    await this.#formerLives?.idle();
    await this.#leftFiles.close();
    await this.#duties.finish();
    for (const owner of owners) {
      owner.close();
      closeLog(owner.log, this.#warn);
    }
    const isTrimmed = this.journal.trim === this.journal.nextSeq;
    const isInFiles = this.#deps.member === undefined;
    if (isInFiles && this.journal.state === "open" && isTrimmed) {
      this.journal.retireFiles();
      const items = this.#journalItems;
      await closeJournalItem({ ...this.#deps, items, warn: this.#warn });
    }
    this.journal.close();
  }

  /**
   * This incarnation is over, and what it holds is another's: nothing is written any more, and who
   * waits is sent there.
   */
  abandon(): void {
    this.#closed = true;
    for (const stop of this.#stopListening) stop();
    this.#duties.abandon();
    this.#tier?.checkpointer.abandon();
    void this.#tier?.janitor.close();
    void this.#removals.close();
    void this.#leftFiles.close();
    for (const owner of this.#owners.all()) owner.close();
    this.journal.close();
  }

  #newLoader(
    logs: Pick<LogOpener, "open"> | undefined,
    tools: {
      readonly items: PartitionItems;
      readonly repairs: HotRepairs;
      readonly wire: WireFormat;
    },
  ): PartitionLoader {
    assert(logs !== undefined, "logs are opened by a broker that is alone, or a member");
    const { items, repairs, wire } = tools;
    const [limits, warn, duties, journal] = [this.#limits, this.#warn, this.#duties, this.journal];
    const examinations = new Examinations({ ...this.#deps, limits, warn });
    const onTierable: OwnerDeps["onTierable"] = (grown, bytes) =>
      this.#tier?.checkpointer.appended(grown, bytes);
    return new PartitionLoader({
      ...{ ...this.#deps, logs, duties, warn, loaded: this.#owners, tier: this.#tier },
      givenUpCold: this.#givenUpCold,
      ofOwner: {
        ...{ ...this.#deps, limits, wire, items, journal, duties, warn },
        ...{ examinations, repairs, onTierable },
      },
      isClosed: () => this.#closed,
      onSyncFailed: this.#failed,
    });
  }

  #newFormerLives(
    logs: LogOpener,
    tools: { readonly journalItems: JournalItems; readonly wire: WireFormat },
  ): FormerLives {
    const loader = this.#loader;
    const { journalItems, wire } = tools;
    return new FormerLives({
      ...{ ...this.#deps, wire, items: journalItems, limits: this.#limits, logs },
      settingsOf: (place) => (loader.isKnown(place) ? loader.settingsOf(place) : undefined),
      isTiering: (place) => this.#isTiering(place),
      offline: (partition) => loader.offline(partition, partition.cause),
      open: ({ partition, topicId }) => this.open(topicId, partition),
      tier: (owner) => this.#tier?.checkpointer.appended(owner, 0),
      warn: this.#warn,
    });
  }

  #newHandover(): SlotHandover {
    return new SlotHandover({
      ownersOf: (slots) => this.#owners.ofSlots(slots),
      loaded: (slots) => this.#loaded(slots),
      checkpointer: () => this.#tier?.checkpointer,
      isSlotHeld: (slot) => this.#tier?.isSlotHeld(slot) ?? true,
      close: async (owners) => {
        await this.#close(owners);
        for (const owner of owners) this.#leftFiles.remove(owner);
      },
      closeCold: async (slot, how) => this.#tier?.closeSlot(slot, how),
      journal: this.journal,
    });
  }

  #newRemovals(items: PartitionItems): TopicRemovals {
    return new TopicRemovals({
      ...{ ...this.#deps, items, retryMs: this.#limits.removalRetryMs, warn: this.#warn },
      release: (topicId) => this.#closeForGood(this.#owners.ofTopic(topicId)),
      released: async (topicId, partition) => {
        await this.#opening.get(nameOf({ topicId, partition }))?.catch(() => undefined);
        assert(this.find(topicId, partition) === undefined, "a deleted topic is not loaded");
        this.#loader.forget({ topicId, partition });
      },
      removeCold: async (place) => this.#tier?.removePartition(place),
      isOurs: ({ partition, topicId }) => this.isOurs(topicId, partition),
      isGone: async (place) => (await this.#tier?.lookAt(place))?.length === 0,
    });
  }

  readonly #warn = (what: string, cause: unknown): void => {
    this.#deps.log.warn({ err: cause }, what);
  };

  readonly #failed = (cause: unknown): void => {
    const message = "a sync failed: partitions take no appends until a restart";
    this.#deps.log.error({ err: cause }, message);
    this.#deps.onFailed?.(cause);
  };

  /** A round of the checkpointer covers what logs have; the journal is kept until then. */
  readonly #cover: Cover<PartitionOwner> = {
    begin: (owner) => this.#duties.beginTiering(owner),
    end: (owner) => {
      this.#duties.tiered(owner);
      this.#formerLives?.covered(owner);
      this.#deps.member?.onCovered(owner);
    },
  };

  #listen(): void {
    const { cluster } = this.#deps;
    this.#stopListening.push(
      cluster.onTopicChange((change) => {
        if (change.kind === "changed") this.configChanged(change.topic.id);
        if (change.kind === "deleted") {
          this.#removals.begin(change.topic.id, change.topic.partitionCount);
        }
      }),
      cluster.onConfigChange(() => {
        for (const topicId of this.#owners.topics()) this.configChanged(topicId);
      }),
    );
  }

  /** What waits on them is refused. Resolves when nothing of them is under way, but of files. */
  async #close(owners: readonly PartitionOwner[]): Promise<void> {
    for (const owner of owners) this.#owners.remove(owner);
    for (const owner of owners) owner.close();
    for (const owner of owners) await this.#tier?.checkpointer.forget(owner);
  }

  async #closeForGood(owners: readonly PartitionOwner[]): Promise<void> {
    await this.#close(owners);
    await removeFiles(owners, { duties: this.#duties, limits: this.#limits });
    for (const owner of owners) this.#formerLives?.covered(owner);
  }

  async #loaded(slots: ReadonlySet<Slot>): Promise<void> {
    const { cluster } = this.#deps;
    const loading = [...this.#opening].filter(([key]) => {
      const [topicId = "", partition = ""] = key.split("-");
      return slots.has(cluster.slotOfPartition(topicId as TopicId, Number(partition)));
    });
    await Promise.allSettled(loading.map(([, opening]) => opening));
  }

  #isTiering({ partition, topicId }: Pick<PartitionPlace, "topicId" | "partition">): boolean {
    const slot = this.#deps.cluster.slotOfPartition(topicId, partition);
    const place = { topicId, partition, slot };
    const loader = this.#loader;
    return loader.isKnown(place) && isTiering(loader.settingsOf(place)) && this.#tier !== undefined;
  }
}
