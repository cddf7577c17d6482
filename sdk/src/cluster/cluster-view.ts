/**
 * What is known of topics: their partitions and leaders. Asks a broker for what is not known or has
 * grown old, once for everyone who waits for it.
 */
import { BrokerError, ConnectionError } from "../errors.ts";
import { metadataAgeMsMax, topicWaitMsMax } from "../limits.ts";
import { type Abortable, nowMs, retrying, withSignal } from "../timing.ts";
import type { PartitionMetadata, TopicMetadata } from "../transport/described.ts";
import type { Transport } from "../transport/transport.ts";

interface Known {
  readonly topic: TopicMetadata;
  readonly atMs: number;
  /** A broker has said that it is not so any more. */
  isWrong: boolean;
}

/** Codes after which metadata is asked for again. */
const staleCodes: ReadonlySet<string> = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "UNKNOWN_TOPIC_ID",
  "INCONSISTENT_TOPIC_ID",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_OR_FOLLOWER",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "REPLICA_NOT_AVAILABLE",
  "OFFSET_NOT_AVAILABLE",
]);

/** True where another broker may lead by now, or the topic may be there by now. */
export function saysStale(error: unknown): boolean {
  if (error instanceof ConnectionError) return true;
  return error instanceof BrokerError && staleCodes.has(error.code);
}

export class ClusterView {
  readonly #transport: Transport;
  readonly #autoCreate: boolean;
  readonly #known = new Map<string, Known>();
  readonly #asked = new Map<string, Promise<TopicMetadata>>();

  constructor(transport: Transport, options: { readonly autoCreate: boolean }) {
    this.#transport = transport;
    this.#autoCreate = options.autoCreate;
  }

  /** What is known, if it is neither old nor wrong. */
  peek(name: string, now: number = nowMs()): TopicMetadata | undefined {
    const known = this.#known.get(name);
    const isOld = known === undefined || known.isWrong || now - known.atMs > metadataAgeMsMax;
    return isOld ? undefined : known.topic;
  }

  /** What was known last, however old: who leads may be wrong, how many partitions there are is not. */
  latest(name: string): TopicMetadata | undefined {
    return this.#known.get(name)?.topic;
  }

  /**
   * The topic, from a broker if need be. A topic that no broker knows is asked for during
   * `topicWaitMsMax`, because it may have been created a moment ago.
   */
  topic(name: string, { signal }: Abortable = {}): Promise<TopicMetadata> {
    const known = this.peek(name);
    if (known !== undefined) return Promise.resolve(known);
    return retrying(() => withSignal(this.#ask(name), signal), {
      forMs: topicWaitMsMax,
      retriable: (error) => saysStale(error),
      signal,
    });
  }

  partition(name: string, partition: number): PartitionMetadata | undefined {
    return this.peek(name)?.partitions.find((candidate) => candidate.partition === partition);
  }

  /** What is known of the topic is wrong. */
  forget(name: string): void {
    const known = this.#known.get(name);
    if (known !== undefined) known.isWrong = true;
  }

  async #ask(name: string): Promise<TopicMetadata> {
    const asked = this.#asked.get(name) ?? this.#read(name);
    this.#asked.set(name, asked);
    try {
      return await asked;
    } finally {
      this.#asked.delete(name);
    }
  }

  async #read(name: string): Promise<TopicMetadata> {
    const { topics } = await this.#transport.metadata([name], { autoCreate: this.#autoCreate });
    const topic = topics.find((candidate) => candidate.name === name);
    if (topic?.error !== undefined) {
      if (topic.error.code === "UNKNOWN_TOPIC_OR_PARTITION") this.#known.delete(name);
      throw topic.error;
    }
    if (topic === undefined || topic.partitions.length === 0) {
      const message = `no broker knows topic ${name}`;
      throw new BrokerError({ code: "UNKNOWN_TOPIC_OR_PARTITION", message, retriable: true });
    }
    this.#known.set(name, { topic, atMs: nowMs(), isWrong: false });
    return topic;
  }
}
