/**
 * Who reads without a group has all partitions of its topics, also those that a topic gets later: it
 * looks for them now and then.
 */
import type { ClusterView } from "../cluster/cluster-view.ts";
import { metadataAgeMsMax } from "../limits.ts";
import { sleep, withSignal } from "../timing.ts";
import type { TopicMetadata, TopicPartition } from "../transport/described.ts";

export interface AllPartitionsDeps {
  readonly view: ClusterView;
  readonly topics: readonly string[];
  /** Those that are there at the start. */
  readonly assigned: (partitions: readonly TopicPartition[]) => Promise<void>;
  /** Those that have come since. */
  readonly added: (partitions: readonly TopicPartition[]) => void;
}

export class AllPartitions {
  readonly #deps: AllPartitionsDeps;
  readonly #stop = new AbortController();
  readonly #counts = new Map<string, number>();

  constructor(deps: AllPartitionsDeps) {
    this.#deps = deps;
  }

  /** Resolves after `stop`. Rejects where a topic is not there at the start. */
  async run(): Promise<void> {
    const { assigned, topics, view } = this.#deps;
    const { signal } = this.#stop;
    try {
      const first = Promise.all(topics.map((topic) => view.topic(topic, { signal })));
      await assigned((await first).flatMap((topic) => this.#newOf(topic)));
      while (!signal.aborted) await this.#lookAgain(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  async #lookAgain(signal: AbortSignal): Promise<void> {
    await sleep(metadataAgeMsMax, signal);
    for (const name of this.#deps.topics) {
      // That it is not there, or that no broker answers, is said by its fetches.
      const looked = this.#deps.view.topic(name, { signal }).catch(() => undefined);
      const topic = await withSignal(looked, signal);
      const added = topic === undefined ? [] : this.#newOf(topic);
      if (added.length > 0) this.#deps.added(added);
    }
  }

  #newOf({ name, partitions }: TopicMetadata): readonly TopicPartition[] {
    const known = this.#counts.get(name) ?? 0;
    this.#counts.set(name, Math.max(known, partitions.length));
    return partitions.slice(known).map(({ partition }) => ({ topic: name, partition }));
  }
}
