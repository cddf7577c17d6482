import {
  type Codec,
  type Consumer,
  type Message,
  type MillraceClient,
  MillraceError,
  string,
} from "../../sdk/src/index.ts";
import type { KillTarget } from "./kill-writer.ts";
import { sleep } from "./steps.ts";

const commitEveryMs = 50;

/**
 * The member of a group: it reads everything, commits by itself, and writes down what it was handed
 * and which commits were acknowledged.
 */
export class KillReader {
  readonly #consumer: Consumer<Message<{ readonly value: Codec<string> }>>;
  readonly #target: KillTarget;
  /** By partition: behind what was handed over. */
  readonly #read = new Map<number, number>();
  readonly #committed = new Map<number, number>();
  readonly #values = new Set<string>();
  readonly #running: Promise<unknown>;
  #round: Promise<void> = Promise.resolve();
  #mayCommit = true;
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(client: MillraceClient, target: KillTarget & { readonly group: string }) {
    const { group, topic } = target;
    this.#target = target;
    const from = client.topic(topic, { value: string() });
    this.#consumer = from.consume({ group, from: "earliest", autoCommit: false });
    const running = Promise.all([this.#readOn(), this.#commitOn()]);
    this.#running = running.catch((error: unknown) => {
      this.#failure = { error };
    });
  }

  /** Up to which offset the partition's commits were acknowledged. Throws what ended the reader. */
  committed(partition: number): number {
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#committed.get(partition) ?? 0;
  }

  /** Different ones. */
  get valuesRead(): number {
    return this.#values.size;
  }

  /** From now on none is begun: a later commit would hide that an earlier one is lost. */
  holdCommits(): void {
    this.#mayCommit = false;
  }

  /** When what was under way has its answer, or will never have one. */
  async commitsAnswered(): Promise<void> {
    await this.#round;
  }

  resumeCommits(): void {
    this.#mayCommit = true;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#consumer.stop();
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #readOn(): Promise<void> {
    for await (const { offset, partition, value } of this.#consumer) {
      this.#target.history.push(`P ${partition} ${offset} ${value}`);
      this.#values.add(value);
      // What comes a second time, after a rebalance, takes nothing back.
      this.#read.set(partition, Math.max(this.#read.get(partition) ?? 0, offset + 1));
    }
  }

  async #commitOn(): Promise<void> {
    while (!this.#isOver) {
      this.#round = this.#commitAll();
      await this.#round;
      await sleep(commitEveryMs);
    }
  }

  async #commitAll(): Promise<void> {
    for (const [partition, next] of this.#read) {
      if (this.#mayCommit && next !== this.#committed.get(partition)) {
        await this.#commit(partition, next);
      }
    }
  }

  /** What fails is tried again with what was read by then. */
  async #commit(partition: number, next: number): Promise<void> {
    try {
      await this.#consumer.commit({ topic: this.#target.topic, partition, offset: next - 1 });
      this.#committed.set(partition, next);
      this.#target.history.push(`C ${partition} ${next}`);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
    }
  }
}
