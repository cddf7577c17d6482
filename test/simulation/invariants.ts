import type { PartitionOwner } from "../../broker-fargate/src/partition/owner.ts";
import type { TopicId } from "@millrace/core";
import type { BrokerHost } from "./broker-host.ts";
import { type KnownCluster, nameOf, type PartitionRef } from "./client.ts";
import type { History } from "./history.ts";

interface Seen {
  end: number;
  epoch: number;
  start: number;
  /** What the object store has ends here; 0: nothing was seen there. */
  tieredEnd: number;
}

/**
 * What must hold after every event, seen from inside the broker, over all its lives. The readable
 * end of a partition never falls, and lies between the log's start and end; its leader epoch never
 * falls. Its start never falls, and is where somebody wanted it. What the object store has of it
 * never ends earlier than it did, nor past the readable end, and begins where the disk's part does
 * not reach back to.
 */
export class Invariants {
  readonly #host: BrokerHost;
  readonly #cluster: KnownCluster;
  readonly #history: History;
  readonly #seen = new Map<string, Seen>();
  /** How far the broker was when it was looked at. */
  #looked = "";

  constructor(
    host: BrokerHost,
    scene: { readonly cluster: KnownCluster; readonly history: History },
  ) {
    this.#host = host;
    this.#cluster = scene.cluster;
    this.#history = scene.history;
  }

  check(): void {
    const { observed, steps, turns } = this.#host;
    if (observed === undefined || turns === this.#looked) return;
    this.#looked = turns;
    const { partitions } = observed.broker;
    let isSynced = true;
    for (const ref of this.#cluster.partitions) {
      const owner = partitions.find(ref.topicId as TopicId, ref.partition);
      if (owner === undefined) continue;
      this.#checkOwner(ref, owner);
      isSynced &&= !owner.log.isDirty;
    }
    const { journal } = partitions;
    // Only what the object store has not yet still holds it.
    steps.hold("journal trim held", isSynced && journal.trim < journal.durableSeq);
  }

  /** Where what the object store has of a partition was last seen to end. */
  tieredEnd(ref: PartitionRef): number {
    return this.#seen.get(nameOf(ref))?.tieredEnd ?? 0;
  }

  /** What the partition had at or above `offset` was taken from it, and was nowhere else. */
  lost(ref: PartitionRef, offset: number): void {
    const before = this.#seen.get(nameOf(ref));
    if (before !== undefined) before.end = Math.min(before.end, offset);
  }

  #checkOwner(ref: PartitionRef, owner: PartitionOwner): void {
    const name = nameOf(ref);
    const before = this.#seen.get(name) ?? { end: 0, epoch: 0, start: 0, tieredEnd: 0 };
    this.#seen.set(name, before);
    const { highWatermark, leaderEpoch, logStartOffset } = owner;
    const note = (what: string): void => this.#host.note(`${name}: ${what}`);
    if (highWatermark < before.end) {
      note(`the high watermark fell from ${before.end} to ${highWatermark}`);
    }
    if (leaderEpoch < before.epoch) {
      note(`the leader epoch fell from ${before.epoch} to ${leaderEpoch}`);
    }
    if (logStartOffset > highWatermark || owner.lastStableOffset > highWatermark) {
      note(`start or stable offset is past ${highWatermark}`);
    }
    if (logStartOffset < before.start) {
      note(`the log start fell from ${before.start} to ${logStartOffset}`);
    }
    if (logStartOffset > this.#cluster.startMax(ref)) {
      note(`the log starts at ${logStartOffset}, and nobody wanted that`);
    }
    this.#checkTier(owner, before, note);
    before.end = highWatermark;
    before.epoch = leaderEpoch;
    before.start = logStartOffset;
    this.#history.startsAt(name, logStartOffset);
  }

  #checkTier(owner: PartitionOwner, before: Seen, note: (what: string) => void): void {
    const { highWatermark, logStartOffset, earliestLocalOffset } = owner;
    const [startsAt = Number.POSITIVE_INFINITY, endsAt = 0] = [
      owner.tiered?.cold.startOffset,
      owner.tiered?.cold.endOffset,
    ];
    if (endsAt > highWatermark) note(`the object store has up to ${endsAt} of ${highWatermark}`);
    if (endsAt < before.tieredEnd && before.tieredEnd > logStartOffset) {
      note(`the end of what the object store has fell from ${before.tieredEnd} to ${endsAt}`);
    }
    const isGap = startsAt > logStartOffset || endsAt < earliestLocalOffset;
    if (earliestLocalOffset > logStartOffset && isGap) {
      const has = `from ${startsAt} to ${endsAt}`;
      note(`between ${logStartOffset} and ${earliestLocalOffset} the object store has ${has}`);
    }
    if (endsAt > before.tieredEnd) this.#host.steps.pass("tail counted");
    before.tieredEnd = Math.max(endsAt, before.tieredEnd);
  }
}
