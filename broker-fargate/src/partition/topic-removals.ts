import type { Clock, Disk, Timer, TopicId } from "@millrace/core";
import type { Cluster } from "../cluster/cluster.ts";
import { partitionDirectory, partitionsRoot } from "./log-opener.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import type { PartitionItems, PartitionPlace } from "./partition-items.ts";
import { NotLeaderError } from "../cluster/cluster-view.ts";
import { isStoreError } from "./store-error.ts";

export interface TopicRemovalsDeps {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly cluster: Pick<
    Cluster,
    "slotOfPartition" | "openSlot" | "pendingDeletions" | "deletionDone"
  >;
  readonly items: PartitionItems;
  /** Pause before a removal that failed is tried again. */
  readonly retryMs: number;
  /** Closes the topic's partitions; resolves when nobody works on their files or objects. */
  readonly release: (topicId: TopicId) => Promise<void>;
  /** The same of one partition that was being loaded. */
  readonly released: (topicId: TopicId, partition: number) => Promise<void>;
  /** Removes what the object store has of the partition. */
  readonly removeCold: (place: PartitionPlace) => Promise<void>;
  /** Whether this broker leads it; what others lead they remove. */
  readonly isOurs: (place: PartitionPlace) => boolean;
  /** Whether the object store has nothing of it any more, by what its slot's items say. */
  readonly isGone: (place: PartitionPlace) => Promise<boolean>;
  readonly warn: (what: string, cause: unknown) => void;
}

/**
 * Removes what is left of deleted topics, in the background: files, objects, items, and then the
 * note of the deletion, which a start finds that a death left. What fails is tried again, so that
 * an object store that is away holds up neither a start nor anything else.
 */
export class TopicRemovals {
  readonly #deps: TopicRemovalsDeps;
  readonly #running = new Set<Promise<void>>();
  readonly #retries = new Set<Timer>();
  #isClosed = false;

  constructor(deps: TopicRemovalsDeps) {
    this.#deps = deps;
  }

  /** What a death left. Rejects with MetadataError where the notes cannot be read. */
  async resume(): Promise<void> {
    for (const { partitionCount, topicId } of await this.#deps.cluster.pendingDeletions()) {
      await this.#try(topicId, partitionCount);
    }
  }

  begin(topicId: TopicId, partitionCount: number): void {
    const removal = this.#try(topicId, partitionCount);
    this.#running.add(removal);
    void removal.then(() => this.#running.delete(removal));
  }

  /** Resolves when none is under way; what is left the next start removes. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const retry of this.#retries) retry.cancel();
    await Promise.all(this.#running);
  }

  async #try(topicId: TopicId, partitionCount: number): Promise<void> {
    try {
      if ((await this.#remove(topicId, partitionCount)) === "removed") return;
    } catch (error) {
      // The note of the deletion stays in the store; the next start removes what is left.
      this.#deps.warn("a deleted topic's data could not be removed yet", error);
      if (!isStoreError(error) && !isOthersNow(error)) return;
    }
    if (!this.#isClosed) this.#retryLater(topicId, partitionCount);
  }

  #retryLater(topicId: TopicId, partitionCount: number): void {
    const { clock, retryMs } = this.#deps;
    const retry = clock.after(retryMs, () => {
      this.#retries.delete(retry);
      this.begin(topicId, partitionCount);
    });
    this.#retries.add(retry);
  }

  /** What the journal holds of them is skipped by a replay, since their topic id is unknown. */
  async #remove(topicId: TopicId, partitionCount: number): Promise<"removed" | "othersLeft"> {
    const { cluster, disk, isGone, isOurs, items, release, released, removeCold } = this.#deps;
    await release(topicId);
    const others: PartitionPlace[] = [];
    for (let partition = 0; partition < partitionCount; partition++) {
      await released(topicId, partition);
      const place = { topicId, partition, slot: cluster.slotOfPartition(topicId, partition) };
      if (!isOurs(place)) {
        others.push(place);
        continue;
      }
      await disk.removeFolder(partitionDirectory(place));
      await removeCold(place);
      await items.removeAll(place, () => cluster.openSlot(place.slot));
    }
    // Once the note is gone nobody looks for folders that a loss of power brought back.
    await disk.syncDirectory(partitionsRoot);
    // Whoever finds that nothing is left takes the note away.
    for (const place of others) if (!(await isGone(place))) return "othersLeft";
    await cluster.deletionDone(topicId);
    return "removed";
  }
}

/**
 * One of the slots is another broker's meanwhile, which removes what is left in it; this one goes on
 * with those that it has. Where all of the incarnation is over, removals are closed.
 */
function isOthersNow(error: unknown): boolean {
  return error instanceof NotLeaderError || error instanceof FencedError;
}
