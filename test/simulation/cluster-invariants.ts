import type { TopicId } from "@millrace/core";
import type { PartitionOwner } from "../../broker-fargate/src/partition/owner.ts";
import type { BrokerHost } from "./broker-host.ts";
import { type KnownCluster, nameOf, type PartitionRef } from "./client.ts";
import type { History } from "./history.ts";

/** What one broker showed of a partition at one epoch. */
interface Seen {
  end: number;
  start: number;
}

/**
 * What must hold of partitions after every event, seen from inside of every broker, the paused and
 * the fenced among them: the readable end never falls, neither at one epoch nor along the epochs; it
 * lies between the log's start and what journals have; the start only rises, to where somebody
 * wanted it.
 */
export class ClusterInvariants {
  readonly #hosts: readonly BrokerHost[];
  readonly #cluster: KnownCluster;
  readonly #history: History;
  readonly #durableEnd: (ref: PartitionRef) => number;
  /** By the partition's name, by epoch. */
  readonly #seen = new Map<string, Map<number, Seen>>();
  /** How far each broker was when it was looked at. */
  readonly #looked = new Map<BrokerHost, string>();

  constructor(of: {
    readonly hosts: readonly BrokerHost[];
    readonly cluster: KnownCluster;
    readonly history: History;
    readonly durableEnd: (ref: PartitionRef) => number;
  }) {
    this.#hosts = of.hosts;
    this.#cluster = of.cluster;
    this.#history = of.history;
    this.#durableEnd = of.durableEnd;
  }

  /** The highest start and end that any broker has shown. */
  shown(ref: PartitionRef): { readonly start: number; readonly end: number } {
    const seen = [...(this.#seen.get(nameOf(ref))?.values() ?? [])];
    const end = Math.max(0, ...seen.map((one) => one.end));
    return { start: this.#history.startOf(nameOf(ref)), end };
  }

  check(): void {
    const refs = this.#cluster.partitions;
    for (const host of this.#hosts) {
      const { observed } = host;
      if (observed === undefined || this.#looked.get(host) === host.turns) continue;
      this.#looked.set(host, host.turns);
      for (const ref of refs) {
        const owner = observed.broker.partitions.find(ref.topicId as TopicId, ref.partition);
        if (owner !== undefined) this.#checkOwner(host, ref, owner);
      }
    }
  }

  #checkOwner(host: BrokerHost, ref: PartitionRef, owner: PartitionOwner): void {
    const name = nameOf(ref);
    const { highWatermark: end, lastStableOffset, leaderEpoch, logStartOffset: start } = owner;
    const epochs = this.#seen.get(name) ?? new Map<number, Seen>();
    this.#seen.set(name, epochs);
    const before = epochs.get(leaderEpoch);
    if (before?.end === end && before.start === start) return;
    const note = (what: string): void =>
      host.note(`${host.name}: ${name} at ${leaderEpoch}: ${what}`);
    for (const [epoch, seen] of epochs) {
      if (epoch <= leaderEpoch && end < seen.end) {
        note(`the high watermark is ${end}, and was ${seen.end} at epoch ${epoch}`);
      }
      if (epoch > leaderEpoch && end > seen.end) {
        note(`the high watermark is ${end}, and is ${seen.end} at epoch ${epoch}`);
      }
    }
    if (before !== undefined && start < before.start) note(`the log start fell to ${start}`);
    if (start > end || lastStableOffset > end) note(`start or stable offset is past ${end}`);
    if (start > this.#cluster.startMax(ref)) note(`starts at ${start}, and nobody wanted that`);
    const durableEnd = this.#durableEnd(ref);
    if (end > durableEnd) note(`shows up to ${end}, journals have up to ${durableEnd}`);
    const coldEnd = owner.tiered?.cold.endOffset ?? 0;
    if (coldEnd > end) note(`the object store has up to ${coldEnd} of ${end}`);
    epochs.set(leaderEpoch, { end, start });
    this.#history.startsAt(name, start);
  }
}
