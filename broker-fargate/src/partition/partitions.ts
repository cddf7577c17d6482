import { DiskError, MetadataError, assert, inLanes, Lanes } from "@millrace/core";
import type {
  Clock,
  Disk,
  MetadataStore,
  PartitionLog,
  Random,
  ReadBuffers,
  Settings,
  TopicId,
  TopicSettings,
} from "@millrace/core";
import type { CodecSet, Crc32c } from "@millrace/wire";
import type { Cluster, Topic } from "../cluster/cluster.ts";
import type { Metrics } from "../metrics/registry.ts";
import { Duties } from "./duties.ts";
import { JournalItems } from "./journal-item.ts";
import { recoverJournals } from "./recover-journals.ts";
import { Journal } from "./journal.ts";
import { journalDirectory, journalRoot } from "./journal-files.ts";
import { partitionLimits } from "./limits.ts";
import type { PartitionLimits } from "./limits.ts";
import { LogOpener, partitionDirectory, partitionsRoot, sizeOnDisk } from "./log-opener.ts";
import { PartitionOwner } from "./owner.ts";
import { PartitionItems } from "./partition-items.ts";
import type { PartitionPlace } from "./partition-items.ts";
import { observePartitions } from "./partition-metrics.ts";
import { UnplacedRecords } from "./unplaced-records.ts";
import { wireFormat } from "./wire-format.ts";
import type { WireFormat } from "./wire-format.ts";

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

export interface PartitionsDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: MetadataStore;
  readonly cluster: PartitionCluster;
  readonly codecs: CodecSet;
  readonly crc32c: Crc32c;
  readonly log: WarningLog;
  readonly settings?: Pick<Settings, "producerIdExpirationMs">;
  readonly metrics?: Metrics;
  readonly limits?: PartitionLimits;
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

/**
 * All partitions of the process. One that nobody touched has no file, no item and nothing here; it
 * is loaded at its first touch, and then stays.
 *
 * `open` replays the journals of former incarnations before anybody may listen, so that every
 * partition's log, and nothing else, tells what was acknowledged.
 */
export class Partitions {
  readonly journal: Journal;
  readonly #deps: PartitionsDeps;
  readonly #limits: PartitionLimits;
  readonly #wire: WireFormat;
  readonly #items: PartitionItems;
  readonly #logs: LogOpener;
  readonly #journalItems: JournalItems;
  readonly #duties: Duties;
  readonly #owners = new Map<TopicId, Map<number, PartitionOwner>>();
  readonly #opening = new Map<string, Promise<PartitionOwner>>();
  /** So that a first touch of a thousand partitions leaves others their turns. */
  readonly #lanes: Lanes;
  /** Partitions whose log could not be synced when it was opened, until a restart. */
  readonly #unusable = new Map<string, DiskError>();
  readonly #removals = new Set<Promise<void>>();
  readonly #stopListening: (() => void)[] = [];
  #closed = false;

  private constructor(deps: PartitionsDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? partitionLimits;
    this.#lanes = new Lanes(this.#limits.loadsInFlightMax);
    this.#wire = wireFormat(deps);
    this.#items = new PartitionItems(deps);
    this.#logs = new LogOpener({ ...deps, wire: this.#wire, items: this.#items });
    this.#journalItems = new JournalItems(deps);
    const { cluster, clock } = deps;
    const warn = this.#warn;
    const onFailed = this.#failed;
    const { incarnation } = cluster;
    const limits = this.#limits;
    this.journal = new Journal({
      ...{ ...deps, incarnation, limits, onFailed },
      recordTrim: (trim) => this.#journalItems.recordTrim(incarnation, trim),
    });
    const { journal } = this;
    const { producerIdExpirationMs = Number.MAX_SAFE_INTEGER } = deps.settings ?? {};
    this.#duties = new Duties({
      ...{ clock, limits, journal, producerIdExpirationMs, warn },
      onSyncFailed: onFailed,
    });
    const { metrics } = deps;
    if (metrics !== undefined) observePartitions(metrics, { duties: this.#duties, journal });
  }

  /** Throws JournalDamagedError, DiskError, MetadataError: then nobody may serve. */
  static async open(deps: PartitionsDeps): Promise<Partitions> {
    deps.disk.makeDirectory(partitionsRoot);
    deps.disk.makeDirectory(journalRoot);
    await deps.disk.syncDirectory("");
    const partitions = new Partitions(deps);
    await partitions.#recover();
    const { cluster } = deps;
    for (const deletion of await cluster.pendingDeletions()) {
      await partitions.removeTopic(deletion.topicId, deletion.partitionCount);
    }
    partitions.#listen();
    return partitions;
  }

  /** The partition's owner if it is loaded. */
  find(topicId: TopicId, partition: number): PartitionOwner | undefined {
    return this.#owners.get(topicId)?.get(partition);
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

  /** Bytes of the partition's log. One that is not loaded is measured by its files. */
  sizeBytes(topicId: TopicId, partition: number): number {
    const owner = this.find(topicId, partition);
    if (owner !== undefined) return owner.sizeBytes;
    return sizeOnDisk(this.#deps.disk, topicId, partition);
  }

  /** Takes over the topic's settings. */
  configChanged(topicId: TopicId): void {
    const topic = this.#deps.cluster.topics.byId(topicId);
    if (topic === undefined) return;
    const settings = this.#deps.cluster.topicSettings(topic);
    for (const owner of this.#owners.get(topicId)?.values() ?? []) owner.settingsChanged(settings);
  }

  /**
   * Refuses what waits on the deleted topic's partitions, and removes their files and items. What
   * the journal holds of them is skipped by a replay, since their topic id is unknown.
   */
  async removeTopic(topicId: TopicId, partitionCount: number): Promise<void> {
    const { cluster, disk } = this.#deps;
    const owners = [...(this.#owners.get(topicId)?.values() ?? [])];
    this.#owners.delete(topicId);
    for (const owner of owners) owner.close();
    await inLanes(owners, this.#limits.syncsInFlightMax, (owner) => this.#quiesce(owner));
    for (let partition = 0; partition < partitionCount; partition++) {
      await this.#opening.get(`${topicId}-${partition}`)?.catch(() => undefined);
      const late = this.find(topicId, partition);
      assert(late === undefined, "a deleted topic's partition is not loaded");
      const slot = cluster.slotOfPartition(topicId, partition);
      await disk.removeFolder(partitionDirectory({ topicId, partition }));
      await this.#items.removeAll({ topicId, partition, slot }, () => cluster.openSlot(slot));
      this.#unusable.delete(`${topicId}-${partition}`);
    }
    // Once the note is gone nobody looks for folders that a loss of power brought back.
    await disk.syncDirectory(partitionsRoot);
    await cluster.deletionDone(topicId);
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
    await Promise.allSettled([...this.#removals, ...this.#opening.values()]);
    const owners = [...this.#owners.values()].flatMap((byIndex) => [...byIndex.values()]);
    for (const owner of owners) owner.beginClose();
    await this.journal.idle();
    await this.#duties.finish();
    for (const owner of owners) {
      owner.close();
      this.#closeLog(owner.log);
    }
    const isTrimmed = this.journal.trim === this.journal.nextSeq;
    if (this.journal.state === "open" && isTrimmed) {
      this.journal.retireFiles();
      await this.#closeJournalItem();
    }
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

  #listen(): void {
    const { cluster } = this.#deps;
    this.#stopListening.push(
      cluster.onTopicChange((change) => {
        if (change.kind === "changed") this.configChanged(change.topic.id);
        if (change.kind === "deleted") this.#removeLater(change.topic);
      }),
      cluster.onConfigChange(() => {
        for (const topicId of this.#owners.keys()) this.configChanged(topicId);
      }),
    );
  }

  #removeLater({ id, partitionCount }: Topic): void {
    const removal = this.removeTopic(id, partitionCount).catch((error: unknown) => {
      // The note of the deletion stays in the store; the next start removes what is left.
      this.#warn("a deleted topic's data could not be removed", error);
    });
    this.#removals.add(removal);
    void removal.then(() => this.#removals.delete(removal));
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
    const { isListed, log } = await this.#logs.open(place, settings, openSlot.epoch);
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
    return this.#own({ ...place, openSlot, log, settings: this.#settingsOf(place), isListed });
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
    });
    const byIndex = this.#owners.get(start.topicId) ?? new Map<number, PartitionOwner>();
    this.#owners.set(start.topicId, byIndex.set(start.partition, owner));
    if (start.isListed) this.#duties.wroteLocally(owner);
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

  async #recover(): Promise<void> {
    const { cluster, clock, disk, log } = this.#deps;
    const reports = await recoverJournals({
      ...{ disk, wire: this.#wire, items: this.#journalItems, limits: this.#limits },
      incarnation: cluster.incarnation,
      slots: cluster.slots,
      wallMs: () => clock.wallMs(),
      openLog: async ({ topicId, partition, baseOffset: next }, cutAt) => {
        const place = { topicId, partition, slot: cluster.slotOfPartition(topicId, partition) };
        if (!this.#isKnown(place)) return undefined;
        const { epoch } = cluster;
        return this.#logs.openForReplay(place, this.#settingsOf(place), { cutAt, next, epoch });
      },
      setAside: ({ baseOffset, partition, topicId }, endOffset) => {
        const fields = { topicId, partition, endOffset, lostBelow: baseOffset };
        log.error(fields, "synced records of a partition are gone from the disk: it is offline");
        return new UnplacedRecords(disk, partitionDirectory({ topicId, partition }), baseOffset);
      },
    });
    for (const report of reports) log.warn({ ...report }, "replayed a former journal");
  }
}
