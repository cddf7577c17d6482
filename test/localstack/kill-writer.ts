import { type MillraceClient, MillraceError, type Producer, string } from "../../sdk/src/index.ts";
import { sleep } from "./steps.ts";

const sendEveryMs = 5;
/** While no broker answers it takes no more: what waits by then all goes at once. */
const unansweredMax = 500;
/** Shorter than the SDK's, so that a run which fails ends soon. */
const deliveryTimeoutMs = 60_000;

export interface KillTarget {
  readonly topic: string;
  readonly partitions: number;
  /** What clients were told, in the events of `test/durability/load.py`. */
  readonly history: string[];
}

/**
 * An idempotent producer that sends to every partition without a pause. Of each value it writes down
 * that it was acknowledged, and where; what was neither acknowledged nor refused may be there or not.
 */
export class KillWriter {
  /** Of each partition. */
  readonly acknowledged: number[];
  readonly #producer: Producer;
  readonly #sending: Promise<void>;
  readonly #refusals: string[] = [];
  #unanswered = 0;
  #isOver = false;

  constructor(client: MillraceClient, target: KillTarget) {
    this.acknowledged = Array.from({ length: target.partitions }, () => 0);
    this.#producer = client.producer({ idempotent: true, deliveryTimeoutMs });
    this.#sending = this.#send(client, target);
  }

  get unanswered(): number {
    return this.#unanswered;
  }

  /** A line each; an idempotent producer that finds its broker again in time has none. */
  get refusals(): readonly string[] {
    return this.#refusals;
  }

  /** Sends no more; resolves when everything has its answer. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#sending;
    await this.#producer.close();
  }

  async #send(client: MillraceClient, target: KillTarget): Promise<void> {
    const to = client.topic(target.topic, { value: string() });
    for (let value = 0; !this.#isOver; value += 1) {
      while (this.#unanswered >= unansweredMax && !this.#isOver) await sleep(sendEveryMs);
      const partition = value % target.partitions;
      this.#unanswered += 1;
      this.#producer.send(to, { value: String(value), partition }).then(
        ({ offset }) => {
          this.#unanswered -= 1;
          this.acknowledged[partition] = (this.acknowledged[partition] ?? 0) + 1;
          target.history.push(`A ${partition} ${offset} ${value}`);
        },
        (error: unknown) => {
          this.#unanswered -= 1;
          const why = error instanceof MillraceError ? error.code : String(error);
          this.#refusals.push(`${value}: ${why}`);
        },
      );
      await sleep(sendEveryMs);
    }
  }
}
