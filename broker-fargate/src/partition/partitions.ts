import { DiskError, MetadataError, assert, inLanes, Lanes } from "@millrace/core";
import type { ColdPart, PartitionLog, Slot, TopicId, TopicSettings } from "@millrace/core";
import { Duties } from "./duties.ts";
import { Examinations } from "./examinations.ts";
import { JournalItems } from "./journal-item.ts";
import { type PartitionsDeps, UnknownPartitionError } from "./partitions-deps.ts";
import type { AppendJournal } from "./append-journal.ts";
import { Journal } from "./journal.ts";
import { journalDirectory, journalRoot } from "./journal-files.ts";
import { partitionLimits } from "./limits.ts";
import type { PartitionLimits } from "./limits.ts";
import { FormerLives } from "./former-lives.ts";
import { GivenUpCold } from "./given-up-cold.ts";
import { HotRepairs } from "./hot-repairs.ts";
import { LoadedPartitions } from "./loaded-partitions.ts";
import { LogOpener, partitionDirectory, partitionsRoot, sizeOnDisk } from "./log-opener.ts";
import { MemberLogs } from "./member-logs.ts";
import { PartitionOwner } from "./owner.ts";
import { PartitionItems } from "./partition-items.ts";
import type { PartitionPlace } from "./partition-items.ts";
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
  readonly #wire: WireFormat;
  readonly #examinations: Examinations;
  readonly #repairs: HotRepairs;
  readonly #items: PartitionItems;
  readonly #logs: Pick<LogOpener, "open">;
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
  /** Partitions whose log could not be synced at its opening, or not replayed, until a restart. */
  readonly #unusable = new Map<string, Error>();
  readonly #removals: TopicRemovals;
  readonly #givenUpCold: GivenUpCold;
  readonly #stopListening: (() => void)[] = [];
  #closed = false;

  private constructor(deps: PartitionsDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? partitionLimits;
    this.#lanes = new Lanes(this.#limits.loadsInFlightMax);
    this.#wire = wireFormat(deps);
    this.#examinations = new Examinations({ ...deps, limits: this.#limits, warn: this.#warn });
    this.#repairs = new HotRepairs(deps);
    const writes = new SlotWrites(deps);
    this.#items = new PartitionItems(deps, writes);
    const journalItems = new JournalItems(deps);
    this.#journalItems = journalItems;
    const { cluster, clock } = deps;
    const warn = this.#warn;
    const onFailed = this.#failed;
    const { incarnation } = cluster;
    const limits = this.#limits;
    const recordTrim = (trim: number): Promise<void> => {
      return this.#journalItems.recordTrim(incarnation, trim);
    };
    const { member } = deps;
    this.journal =
      member?.journal ?? new Journal({ ...{ ...deps, incarnation, limits, onFailed }, recordTrim });
    const { journal } = this;
    const { producerIdExpirationMs = Number.MAX_SAFE_INTEGER } = deps.settings ?? {};
    this.#duties = new Duties({
      ...{ clock, limits, journal, producerIdExpirationMs, warn },
      onSyncFailed: onFailed,
    });
    const wire = this.#wire;
    this.#tier = openTier({ ...deps, writes, journalItems, wire, warn, cover: this.#cover });
    const { repairs, items, tier } = {
      repairs: this.#repairs,
      items: this.#items,
      tier: this.#tier,
    };
    const logs = { ...deps, wire, items, tier, repairs };
    if (member === undefined) {
      const opener = new LogOpener(logs);
      this.#logs = opener;
      this.#formerLives = new FormerLives({
        ...{ ...deps, wire, items: journalItems, limits, logs: opener, warn },
        settingsOf: (place) => (this.#isKnown(place) ? this.#settingsOf(place) : undefined),
        isTiering: (place) => this.#isTiering(place),
        offline: ({ cause, partition, topicId }) => {
          this.#unusable.set(`${topicId}-${partition}`, cause);
        },
        open: ({ partition, topicId }) => this.open(topicId, partition),
        tier: (owner) => tier?.checkpointer.appended(owner, 0),
      });
    } else {
      this.#logs = new MemberLogs({ ...logs, ...member });
    }
    this.handover = new SlotHandover({
      ownersOf: (slots) => this.#owners.ofSlots(slots),
      loaded: (slots) => this.#loaded(slots),
      checkpoint: async () => (await this.#tier?.checkpointer.takeAll()) ?? "done",
      close: (owners) => this.#close(owners),
      closeCold: (slot, how) => this.#tier?.closeSlot(slot, how),
    });
    this.#removals = new TopicRemovals({
      ...{ ...deps, items: this.#items, retryMs: limits.removalRetryMs, warn },
      release: (topicId) => this.#release(topicId),
      released: async (topicId, partition) => {
        await this.#opening.get(`${topicId}-${partition}`)?.catch(() => undefined);
        assert(this.find(topicId, partition) === undefined, "a deleted topic is not loaded");
        this.#unusable.delete(`${topicId}-${partition}`);
      },
      removeCold: async (place) => this.#tier?.removePartition(place),
      isOurs: ({ partition, topicId }) => this.isOurs(topicId, partition),
      isGone: async (place) => (await this.#tier?.lookAt(place))?.length === 0,
    });
    this.#givenUpCold = new GivenUpCold({
      ...{ clock, warn, retryMs: limits.removalRetryMs },
      roundOver: async () => this.#tier?.checkpointer.idle(),
    });
    const { metrics } = deps;
    if (metrics !== undefined) observePartitions(metrics, { duties: this.#duties, journal });
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
    await partitions.#removals.resume();
    partitions.#listen();
    partitions.#tier?.janitor.sweepSoon();
    return partitions;
  }

  /** Slots came to this broker: of deleted topics that lie in them something may be left. */
  async resumeRemovals(): Promise<void> {
    await this.#removals.resume();
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
    const key = `${topicId}-${partition}`;
    const unusable = this.#unusable.get(key);
    if (unusable !== undefined) return Promise.reject(unusable);
    const before = this.#opening.get(key);
    if (before !== undefined) return before;
    const opening = this.#lanes.run(() => this.#load(topicId, partition));
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

  /** The object store's side of whole slots; undefined where there is none. */
  get cold(): Pick<Tier<PartitionOwner>, "adoptSlot" | "isSlotCopied"> | undefined {
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
    await this.#duties.finish();
    for (const owner of owners) {
      owner.close();
      this.#closeLog(owner.log);
    }
    const isTrimmed = this.journal.trim === this.journal.nextSeq;
    const isInFiles = this.#deps.member === undefined;
    if (isInFiles && this.journal.state === "open" && isTrimmed) {
      this.journal.retireFiles();
      await this.#closeJournalItem();
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
    for (const owner of this.#owners.all()) owner.close();
    this.journal.close();
  }

  async #closeJournalItem(): Promise<void> {
    const { cluster, disk } = this.#deps;
    try {
      await this.#journalItems.close(cluster.incarnation);
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
      // The next start finds an open journal without files, replays nothing, and closes it.
      this.#warn("the journal's item could not be closed", error);
      return;
    }
    disk.remove(journalDirectory(cluster.incarnation));
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

  /** Closes a deleted topic's partitions: what waits on them is refused. */
  #release(topicId: TopicId): Promise<void> {
    return this.#close(this.#owners.ofTopic(topicId));
  }

  async #close(owners: readonly PartitionOwner[]): Promise<void> {
    for (const owner of owners) this.#owners.remove(owner);
    for (const owner of owners) owner.close();
    for (const owner of owners) await this.#tier?.checkpointer.forget(owner);
    await inLanes(owners, this.#limits.syncsInFlightMax, (owner) => this.#quiesce(owner));
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

  /** Nobody syncs or writes the closed owner's files any more. */
  async #quiesce(owner: PartitionOwner): Promise<void> {
    this.#duties.forget(owner);
    try {
      await owner.log.sync();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
    this.#duties.forget(owner);
    await owner.log.remove();
  }

  #closeLog(log: PartitionLog): void {
    try {
      log.close();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#warn("a partition could not be closed cleanly", error);
    }
  }

  async #load(topicId: TopicId, partition: number): Promise<PartitionOwner> {
    const { cluster } = this.#deps;
    const slot = cluster.slotOfPartition(topicId, partition);
    const place = { topicId, partition, slot };
    const openSlot = await cluster.openSlot(slot);
    const settings = this.#settingsOf(place);
    const opened = await this.#logs.open({ ...place, openSlot }, settings);
    const { isListed, log, startOffset, tiered } = opened;
    // A death may have come between the storing of the start and what follows from it.
    tiered?.cutStart(startOffset).catch((error: unknown) => {
      this.#warn("objects below a partition's start could not be deleted yet", error);
    });
    const { cutBytes, lostBelow } = log.recovered;
    if (lostBelow !== undefined) {
      const fields = { topicId, partition, endOffset: log.endOffset, lostBelow };
      this.#deps.log.error(fields, "synced records of a partition are gone from the disk");
    }
    if (cutBytes > 0) this.#warn(`${partitionDirectory(place)}: cut ${cutBytes} bytes`, "");
    log.beginEpoch(openSlot.epoch);
    // A journaled reply promises everything below it too, so what is below must be durable first.
    if (isListed || log.isDirty) await this.#syncOpened(place, log);
    if (this.#closed || !this.#isKnown(place)) {
      log.close();
      throw new UnknownPartitionError(`partition ${partition} of topic ${topicId} is gone`);
    }
    const facts = { openSlot, log, settings: this.#settingsOf(place), isListed, tiered };
    return this.#own({ ...place, ...facts });
  }

  /** A log whose sync failed is not opened again: another sync would succeed and mean nothing. */
  async #syncOpened({ partition, topicId }: PartitionPlace, log: PartitionLog): Promise<void> {
    try {
      await log.sync();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#closeLog(log);
      if (error.retriable) throw error;
      this.#unusable.set(`${topicId}-${partition}`, error);
      this.#failed(error);
      throw error;
    }
  }

  #own(start: ConstructorParameters<typeof PartitionOwner>[0]): PartitionOwner {
    const deps = { ...this.#deps, limits: this.#limits, wire: this.#wire, items: this.#items };
    const { journal } = this;
    const owner = new PartitionOwner(start, {
      ...{ ...deps, journal, duties: this.#duties, warn: this.#warn },
      ...{ examinations: this.#examinations, repairs: this.#repairs },
      onTierable: (grown, bytes) => this.#tier?.checkpointer.appended(grown, bytes),
    });
    this.#owners.add(owner);
    if (start.isListed) this.#duties.wroteLocally(owner);
    const { log, tiered } = start;
    const isBehind = (tiered?.cold.endOffset ?? log.logStartOffset) < log.endOffset;
    if (owner.isTiering && isBehind) this.#tier?.checkpointer.appended(owner, 0);
    this.#givenUpCold.look(owner);
    return owner;
  }

  #isKnown({ topicId, partition }: PartitionPlace): boolean {
    const topic = this.#deps.cluster.topics.byId(topicId);
    return topic !== undefined && partition >= 0 && partition < topic.partitionCount;
  }

  #settingsOf(place: PartitionPlace): TopicSettings {
    const topic = this.#deps.cluster.topics.byId(place.topicId);
    if (topic === undefined || !this.#isKnown(place)) {
      const name = `partition ${place.partition} of topic ${place.topicId}`;
      throw new UnknownPartitionError(`${name} does not exist`);
    }
    return this.#deps.cluster.topicSettings(topic);
  }

  #isTiering({ partition, topicId }: Pick<PartitionPlace, "topicId" | "partition">): boolean {
    const slot = this.#deps.cluster.slotOfPartition(topicId, partition);
    const place = { topicId, partition, slot };
    return this.#isKnown(place) && isTiering(this.#settingsOf(place)) && this.#tier !== undefined;
  }
}
