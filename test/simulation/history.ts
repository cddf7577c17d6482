/**
 * What clients did and saw, in the order in which it was recorded. `at` is a place in that order,
 * not a time: one operation was over before another began exactly if its end's place is lower.
 */
export type Operation = Send | Poll | FullRead | Commit | CommittedRead | EndOffset | Assignment;

/** `{topic id}/{partition}`. */
export type PartitionName = string;

/**
 * `ok`: it was applied and answered; `fail`: certainly not applied; `info`: nobody can know.
 * An operation whose end never came is `info`.
 */
export type Completion = "ok" | "fail" | "info";

interface Interval {
  readonly invokedAt: number;
  completion: Completion;
  /** Infinity as long as the outcome is unknown: its effect may come at any time. */
  completedAt: number;
}

export interface Send extends Interval {
  readonly kind: "send";
  /** One life of one producer: its sends to a partition are in order. */
  readonly producer: string;
  readonly partition: PartitionName;
  readonly value: number;
  /** Of a record that has one: those of compacted topics. */
  readonly key?: number;
  /** The record says that its key is deleted. */
  readonly isTombstone?: true;
  readonly acks: -1 | 0 | 1;
  readonly idempotent: boolean;
  /** Where an acknowledgement says that it is; absent without one, or when it does not say. */
  offset?: number;
}

/** One partition's part of one fetch, as a consumer took it. */
export interface Poll extends Interval {
  readonly kind: "poll";
  readonly consumer: string;
  /** Polls of one consumer in one stretch go on where the one before ended; a seek begins a new one. */
  readonly stretch: number;
  readonly partition: PartitionName;
  readonly from: number;
  /** Of several brokers, the one that answered. */
  readonly answeredBy?: string;
  highWatermark: number;
  records: readonly PolledRecord[];
}

export interface PolledRecord {
  readonly offset: number;
  readonly value: number;
  readonly key?: number;
  readonly isTombstone?: true;
  readonly leaderEpoch: number;
}

/** One reading of a compacted partition from its start to what was its end when it began. */
export interface FullRead extends Interval {
  readonly kind: "fullRead";
  readonly consumer: string;
  readonly partition: PartitionName;
  /** Exclusive. */
  to: number;
  /**
   * It took so much less than `delete.retention.ms` that whoever saw what a tombstone deletes saw the
   * tombstone as well.
   */
  isTimely: boolean;
  /** Nobody wrote meanwhile, so that `to` still was the end. */
  readonly isQuiet: boolean;
  records: readonly PolledRecord[];
}

export interface Commit extends Interval {
  readonly kind: "commit";
  readonly group: string;
  readonly partition: PartitionName;
  readonly offset: number;
}

/** An answer of OffsetFetch; -1: nothing is committed. */
export interface CommittedRead extends Interval {
  readonly kind: "committedRead";
  readonly group: string;
  readonly partition: PartitionName;
  offset: number;
}

/** An answer of ListOffsets for the latest offset. */
export interface EndOffset extends Interval {
  readonly kind: "endOffset";
  readonly partition: PartitionName;
  /** Of several brokers, the one that answered. */
  readonly answeredBy?: string;
  offset: number;
}

/** What a member was told that it owns. */
export interface Assignment extends Interval {
  readonly kind: "assignment";
  readonly group: string;
  readonly generation: number;
  readonly member: string;
  readonly partitions: readonly PartitionName[];
}

/**
 * What a partition had at or above `from` was taken from its disk, where nothing promised to keep it
 * elsewhere: what was acknowledged or seen of it before proves nothing any more.
 */
export interface Loss {
  readonly partition: PartitionName;
  readonly from: number;
  readonly at: number;
}

/** `hot`: the log is on the disk alone. `both`: the object store may hold it as it was before. */
export type Tiers = "hot" | "both";

export type AnomalyKind =
  | "inconsistentOffsets"
  | "duplicate"
  | "lostWrite"
  | "unseen"
  | "failedRead"
  | "phantom"
  | "nonMonotonicPoll"
  | "pollSkip"
  | "nonMonotonicSend"
  | "commitWentBack"
  | "commitPastHighWatermark"
  | "readPastHighWatermark"
  | "highWatermarkWentBack"
  | "epochWentBack"
  | "partitionOwnedTwice"
  | "generationWentBack"
  /** Of compacted topics: the last that is known of a key is not there. */
  | "keyLost"
  /** A deleted key's older record is there, and nothing says that it was deleted. */
  | "keyCameBack"
  /** A record that had been compacted away is there again. */
  | "recordCameBack"
  /** Not from the history: what the simulation itself saw. */
  | "internal"
  | "stuck";

export interface Anomaly {
  readonly kind: AnomalyKind;
  readonly what: string;
}

/** Collects operations, and gives them their places in the order. */
export class History {
  readonly operations: Operation[] = [];
  /** Partitions of topics that were deleted, or may have been: their records need not be there. */
  readonly deletedTopics: Set<string> = new Set();
  /** Topics that are, or at times were, compacted. */
  readonly compactedTopics: Map<string, Tiers> = new Map();
  readonly losses: Loss[] = [];
  /** Partitions whose folder was lost, whatever else had their records. */
  readonly lostFolders: Set<PartitionName> = new Set();
  /** The highest log start that was seen of a partition: what is below it was deleted. */
  readonly #starts = new Map<PartitionName, number>();
  #place = 0;

  begin<Kind extends Operation>(
    operation: Omit<Kind, "invokedAt" | "completion" | "completedAt">,
  ): Kind {
    const begun = {
      ...operation,
      invokedAt: this.#next(),
      completion: "info",
      completedAt: Number.POSITIVE_INFINITY,
    } as unknown as Kind;
    this.operations.push(begun);
    return begun;
  }

  end(operation: Operation, completion: Completion): void {
    operation.completion = completion;
    if (completion !== "info") operation.completedAt = this.#next();
  }

  lose(partition: PartitionName, from: number): void {
    this.losses.push({ partition, from, at: this.#next() });
  }

  startsAt(partition: PartitionName, offset: number): void {
    if (offset > this.startOf(partition)) this.#starts.set(partition, offset);
  }

  startOf(partition: PartitionName): number {
    return this.#starts.get(partition) ?? 0;
  }

  #next(): number {
    this.#place += 1;
    return this.#place;
  }
}

/** The topic id of a partition's name. */
export function topicOf(partition: PartitionName): string {
  return partition.slice(0, partition.indexOf("/"));
}
