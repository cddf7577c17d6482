import type { TopicId } from "@millrace/core";
import type { BrokerHost } from "./broker-host.ts";
import { nameOf } from "./client.ts";
import type { KnownCluster } from "./client.ts";

/**
 * What must hold after every event, seen from inside the broker: the readable end of a partition
 * never falls, and lies between the log's start and end; its leader epoch never falls.
 */
export class Invariants {
  readonly #host: BrokerHost;
  readonly #cluster: KnownCluster;
  readonly #highest = new Map<string, { end: number; epoch: number }>();

  constructor(host: BrokerHost, cluster: KnownCluster) {
    this.#host = host;
    this.#cluster = cluster;
  }

  check(): void {
    const { opened } = this.#host;
    if (opened === undefined) return;
    for (const ref of this.#cluster.partitions) {
      const owner = opened.broker.partitions.find(ref.topicId as TopicId, ref.partition);
      if (owner === undefined) continue;
      const name = nameOf(ref);
      const before = this.#highest.get(name) ?? { end: 0, epoch: 0 };
      const { highWatermark, leaderEpoch, logStartOffset } = owner;
      if (highWatermark < before.end) {
        this.#host.note(`${name}: the high watermark fell from ${before.end} to ${highWatermark}`);
      }
      if (leaderEpoch < before.epoch) {
        this.#host.note(`${name}: the leader epoch fell from ${before.epoch} to ${leaderEpoch}`);
      }
      if (logStartOffset > highWatermark || owner.lastStableOffset > highWatermark) {
        this.#host.note(`${name}: start or stable offset is past ${highWatermark}`);
      }
      before.end = highWatermark;
      before.epoch = leaderEpoch;
      this.#highest.set(name, before);
    }
  }
}
