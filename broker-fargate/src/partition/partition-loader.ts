import { assert, DiskError } from "@millrace/core";
import type { PartitionLog, TopicSettings } from "@millrace/core";
import type { Tier } from "../tier/tier.ts";
import type { Duties } from "./duties.ts";
import type { GivenUpCold } from "./given-up-cold.ts";
import type { LoadedPartitions } from "./loaded-partitions.ts";
import { type LogOpener, partitionDirectory } from "./log-opener.ts";
import type { OwnerDeps } from "./owner-deps.ts";
import { PartitionOwner } from "./owner.ts";
import type { MarkedPartition, PartitionPlace } from "./partition-items.ts";
import {
  type PartitionCluster,
  UnknownPartitionError,
  type WarningLog,
} from "./partitions-deps.ts";

export interface PartitionLoaderDeps {
  readonly cluster: Pick<PartitionCluster, "openSlot" | "topics" | "topicSettings">;
  readonly logs: Pick<LogOpener, "open">;
  readonly loaded: LoadedPartitions;
  readonly duties: Duties;
  readonly tier: Tier<PartitionOwner> | undefined;
  readonly givenUpCold: GivenUpCold;
  /** What every owner works with. */
  readonly ofOwner: OwnerDeps;
  readonly log: WarningLog;
  /** Nothing is loaded any more. */
  readonly isClosed: () => boolean;
  readonly onSyncFailed: (cause: unknown) => void;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Loads partitions: slot opened → log opened, in the slot's epoch → an owner, who serves. A log whose
 * sync failed at its opening is not opened again in this life: another sync would succeed and mean
 * nothing.
 */
export class PartitionLoader {
  readonly #deps: PartitionLoaderDeps;
  readonly #unusable = new Map<string, Error>();

  constructor(deps: PartitionLoaderDeps) {
    this.#deps = deps;
  }

  /** Why the partition can't be loaded, until a restart. */
  faultOf(at: PartitionName): Error | undefined {
    return this.#unusable.get(nameOf(at));
  }

  /** It is offline until a restart. */
  offline(at: PartitionName, cause: Error): void {
    this.#unusable.set(nameOf(at), cause);
  }

  /** Its topic is deleted. */
  forget(at: PartitionName): void {
    this.#unusable.delete(nameOf(at));
  }

  /** Rejects as Partitions.open. */
  async load(place: PartitionPlace): Promise<PartitionOwner> {
    const { cluster, isClosed, logs, warn } = this.#deps;
    const { partition, topicId } = place;
    const openSlot = await cluster.openSlot(place.slot);
    const settings = this.settingsOf(place);
    const opened = await logs.open({ ...place, openSlot }, settings);
    const { isListed, log, startOffset, tiered } = opened;
    // A death may have come between the storing of the start and what follows from it.
    tiered?.cutStart(startOffset).catch((error: unknown) => {
      warn("objects below a partition's start could not be deleted yet", error);
    });
    this.#tellRecovered(place, log);
    log.beginEpoch(openSlot.epoch);
    // A journaled reply promises everything below it too, so what is below must be durable first. What
    // is listed stays so until an idle moment, which also writes down the leader epochs.
    if (isListed) await this.#syncOpened(place, log, () => log.syncRecords());
    else if (log.isDirty) await this.#syncOpened(place, log, () => log.sync());
    if (isClosed() || !this.isKnown(place)) {
      log.close();
      throw new UnknownPartitionError(`partition ${partition} of topic ${topicId} is gone`);
    }
    const facts = { openSlot, log, settings: this.settingsOf(place), isListed, tiered };
    return this.#own({ ...place, ...facts });
  }

  /**
   * The partition's log as it would be loaded, of a slot that is not this broker's yet: nobody
   * appends to it. Rejects as `load`.
   */
  async openCopy(at: MarkedPartition): Promise<PartitionCopy> {
    const { log, tiered } = await this.#deps.logs.open(at, this.settingsOf(at));
    assert(tiered !== undefined, "a member of a cluster has an object store");
    return { log, tiered, settings: this.settingsOf(at), isOver: false };
  }

  isKnown({ partition, topicId }: PartitionName): boolean {
    const topic = this.#deps.cluster.topics.byId(topicId);
    return topic !== undefined && partition >= 0 && partition < topic.partitionCount;
  }

  /** Throws UnknownPartitionError. */
  settingsOf(place: PartitionName): TopicSettings {
    const { cluster } = this.#deps;
    const topic = cluster.topics.byId(place.topicId);
    if (topic === undefined || !this.isKnown(place)) {
      const name = `partition ${place.partition} of topic ${place.topicId}`;
      throw new UnknownPartitionError(`${name} does not exist`);
    }
    return cluster.topicSettings(topic);
  }

  #tellRecovered(place: PartitionPlace, log: PartitionLog): void {
    const { cutBytes, lostBelow } = log.recovered;
    if (lostBelow !== undefined) {
      const { partition, topicId } = place;
      const fields = { topicId, partition, endOffset: log.endOffset, lostBelow };
      this.#deps.log.error(fields, "synced records of a partition are gone from the disk");
    }
    if (cutBytes > 0) this.#deps.warn(`${partitionDirectory(place)}: cut ${cutBytes} bytes`, "");
  }

  async #syncOpened(
    at: PartitionPlace,
    log: PartitionLog,
    sync: () => Promise<void>,
  ): Promise<void> {
    try {
      await sync();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      closeLog(log, this.#deps.warn);
      if (error.retriable) throw error;
      this.offline(at, error);
      this.#deps.onSyncFailed(error);
      throw error;
    }
  }

  #own(start: ConstructorParameters<typeof PartitionOwner>[0]): PartitionOwner {
    const { duties, givenUpCold, loaded, ofOwner, tier } = this.#deps;
    const owner = new PartitionOwner(start, ofOwner);
    loaded.add(owner);
    if (start.isListed) duties.wroteLocally(owner);
    const { log, tiered } = start;
    const isBehind = (tiered?.cold.endOffset ?? log.logStartOffset) < log.endOffset;
    if (owner.isTiering && isBehind) tier?.checkpointer.appended(owner, 0);
    givenUpCold.look(owner);
    return owner;
  }
}

export type PartitionName = Pick<PartitionPlace, "topicId" | "partition">;

/** A log that is only read, to be copied. */
export interface PartitionCopy {
  readonly log: PartitionLog;
  readonly tiered: NonNullable<PartitionOwner["tiered"]>;
  readonly settings: TopicSettings;
  readonly isOver: boolean;
}

export function nameOf({ partition, topicId }: PartitionName): string {
  return `${topicId}-${partition}`;
}

export function closeLog(log: PartitionLog, warn: PartitionLoaderDeps["warn"]): void {
  try {
    log.close();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    warn("a partition could not be closed cleanly", error);
  }
}
