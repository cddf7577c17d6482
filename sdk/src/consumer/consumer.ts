import { argumentError, ValidationError } from "../errors.ts";
import { MessageHeaders } from "../headers.ts";
import type { Message, MessageFormat } from "../message.ts";
import type { Abortable } from "../timing.ts";
import { withSignal } from "../timing.ts";
import type { TopicPartition } from "../transport/described.ts";
import type { OpenTransport } from "../transport/transport.ts";
import type { InHand } from "./assigned-partition.ts";
import { ConsumerCore } from "./consumer-core.ts";
import {
  checkedPosition,
  concurrencyOf,
  type ConsumeOptions,
  consumerSettings,
  type InvalidMessage,
  type Position,
  type RunOptions,
} from "./options.ts";
import { callFor, isCalledFor } from "./on-behalf.ts";
import { runHandlers } from "./runner.ts";

type Awaitable<T> = T | Promise<T>;

interface Handed<M> {
  readonly inHand: InHand;
  readonly message: M;
}

/**
 * A partition of one of a consumer's topics, and where its consumer is.
 *
 * @example
 * ```ts
 * import { type AssignedPosition, connect, string } from "@millrace/sdk";
 *
 * const show = ({ partition, offset }: AssignedPosition): string => `${partition}: ${offset ?? "?"}`;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const consumer = client.topic("lines", { value: string() }).consume({ group: "readers" });
 * console.log(consumer.assignment.map(show));
 * ```
 */
export interface AssignedPosition extends TopicPartition {
  /** Of the next message; undefined while that is being found out. */
  readonly offset: number | undefined;
  /** The first offset that a consumer can't read yet; undefined before the first fetch. */
  readonly highWatermark: number | undefined;
  readonly paused: boolean;
}

/**
 * Which partitions a call is about: all, those of a topic, or one.
 *
 * @example
 * ```ts
 * import { connect, type PartitionFilter, string } from "@millrace/sdk";
 *
 * const first: PartitionFilter = { topic: "lines", partition: 0 };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const consumer = client.topic("lines", { value: string() }).consume({ group: "readers" });
 * consumer.pause(first);
 * ```
 */
export type PartitionFilter = Partial<TopicPartition>;

/**
 * Reads messages, in order within each partition. Either by iteration, where a message counts as
 * processed when the next one is asked for, or with `run`, where it does when its handler is done.
 * The one in hand when a loop is left early is not counted: `commit` it if it is done.
 *
 * @example
 * ```ts
 * import { connect } from "@millrace/sdk";
 * import { z } from "zod";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const orders = client.topic("orders", { value: z.object({ total: z.number() }) });
 * await using consumer = orders.consume({ group: "billing", from: "earliest" });
 * await consumer.run(async ({ value, partition }) => {
 *   console.log(partition, value.total);
 * });
 * ```
 */
export class Consumer<M extends Message = Message> implements AsyncIterable<M>, AsyncDisposable {
  readonly #core: ConsumerCore;
  readonly #formats: ReadonlyMap<string, MessageFormat>;
  #use: "iteration" | "handler" | undefined;

  /** Made by `MillraceClient.consumer` and `Topic.consume`. */
  constructor(
    openTransport: OpenTransport,
    formats: readonly MessageFormat[],
    options: ConsumeOptions,
    onStopped: () => void,
  ) {
    this.#formats = new Map(formats.map((format) => [format.topic, format]));
    const settings = consumerSettings([...this.#formats.keys()], options);
    const { signal } = options;
    const abort = (): void => this.#stopQuietly();
    const stopped = (): void => {
      signal?.removeEventListener("abort", abort);
      onStopped();
    };
    this.#core = new ConsumerCore(openTransport, settings, { consumer: this, onStopped: stopped });
    if (signal?.aborted === true) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  }

  /** The partitions that this consumer has now. */
  get assignment(): readonly AssignedPosition[] {
    return this.#core.assigned.map(({ topic, partition, position, highWatermark, paused }) => ({
      ...{ topic, partition, offset: position, highWatermark, paused },
    }));
  }

  /** The messages, until `stop`. Leaving the loop stops the consumer. */
  [Symbol.asyncIterator](): AsyncIterator<M, undefined> {
    this.#begin("iteration");
    let inHand: InHand | undefined;
    const giveUp = (): void => {
      inHand?.from.giveUp();
      inHand = undefined;
    };
    return {
      next: () => {
        if (inHand !== undefined) this.#core.processed(inHand);
        inHand = undefined;
        // Most messages are there and decoded at once: one promise each, not one for each step.
        const taken = this.#core.take();
        const decoding = taken === undefined ? undefined : this.#decode(taken);
        if (decoding !== undefined && !(decoding instanceof Promise)) {
          inHand = taken;
          return Promise.resolve({ done: false, value: decoding });
        }
        return this.#next(taken, decoding).then((handed) => {
          inHand = handed?.inHand;
          return handed === undefined
            ? { done: true, value: undefined }
            : { done: false, value: handed.message };
        });
      },
      return: async () => {
        giveUp();
        await this.stop();
        return { done: true, value: undefined };
      },
    };
  }

  /**
   * Calls the handler for every message: in order within a partition, partitions beside each other.
   * Resolves after `stop`. Rejects with what a handler threw, after the other handlers are done;
   * then its message, and what came behind it in its partition, is not committed.
   */
  async run(
    handler: (message: M) => void | Promise<void>,
    options: RunOptions = {},
  ): Promise<void> {
    const concurrency = concurrencyOf(options);
    this.#begin("handler");
    const decode = (inHand: InHand): Awaitable<M | undefined> => this.#decode(inHand);
    await runHandlers(this.#core, { decode, handler, concurrency });
  }

  /**
   * Commits up to and including a message, or, without one, everything that is processed. Rejects
   * with `REBALANCE_IN_PROGRESS`, `ILLEGAL_GENERATION` or `UNKNOWN_MEMBER_ID` where the partition is
   * not this consumer's, or not any more.
   */
  commit(
    message?: TopicPartition & { readonly offset: number },
    options: Abortable = {},
  ): Promise<void> {
    if (message === undefined) return this.#core.commit(undefined, options);
    const { topic, partition, offset } = message;
    return this.#core.commit([{ topic, partition, offset: offset + 1 }], options);
  }

  /**
   * Reads on from somewhere else, with what is fetched already forgotten. Before the first
   * assignment, and within a rebalance, it counts for what will be assigned next. Throws
   * `INVALID_ARGUMENT` for an offset or a time that is none.
   */
  seek(position: Position, partitions?: PartitionFilter): void {
    this.#core.seek(checkedPosition(position), partitions);
  }

  /**
   * Hands out nothing of these partitions until `resume`, also of those that are assigned later; the
   * group keeps its members.
   */
  pause(partitions?: PartitionFilter): void {
    this.#core.setPaused("paused", partitions);
  }

  resume(partitions?: PartitionFilter): void {
    this.#core.setPaused("resumed", partitions);
  }

  /**
   * Fetches no more, waits for the handlers, commits and leaves the group. A signal ends the wait,
   * not the stopping. Called by a handler, `onRebalance` or `onInvalid` it does not wait, as that would
   * be for itself.
   */
  stop({ signal }: Abortable = {}): Promise<void> {
    const stopping = this.#core.stop();
    if (!isCalledFor(this)) return withSignal(stopping, signal);
    // Its outcome is that of `run`.
    stopping.catch(() => undefined);
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #begin(use: "iteration" | "handler"): void {
    if (this.#use !== undefined) throw argumentError("a consumer is iterated, or run, once");
    this.#use = use;
    this.#core.start(use);
  }

  /** The message in hand, if it is not passed over, or the next one that is not. */
  async #next(
    taken: InHand | undefined,
    decoding: Awaitable<M | undefined>,
  ): Promise<Handed<M> | undefined> {
    try {
      let inHand = taken ?? (await this.#core.taken());
      let decoded = inHand === taken ? decoding : undefined;
      while (inHand !== undefined) {
        const message = await this.#decodedOrPutDown(inHand, decoded ?? this.#decode(inHand));
        if (message !== undefined) return { inHand, message };
        this.#core.processed(inHand);
        inHand = await this.#core.taken();
        decoded = undefined;
      }
      return undefined;
    } catch (error) {
      await this.stop().catch(() => undefined);
      throw error;
    }
  }

  async #decodedOrPutDown(
    inHand: InHand,
    decoded: Awaitable<M | undefined>,
  ): Promise<M | undefined> {
    try {
      return await decoded;
    } catch (error) {
      inHand.from.giveUp();
      throw error;
    }
  }

  /** Undefined for a message that is passed over. At once where its schemas answer at once. */
  #decode(inHand: InHand): Awaitable<M | undefined> {
    const { from, record } = inHand;
    const refused = (error: unknown): Promise<undefined> => this.#refused(inHand, error);
    try {
      const decoded = this.#formats.get(from.topic)?.decode(record, from.partition);
      return (decoded instanceof Promise ? decoded.catch(refused) : decoded) as Awaitable<
        M | undefined
      >;
    } catch (error) {
      return refused(error);
    }
  }

  async #refused({ from, record }: InHand, error: unknown): Promise<undefined> {
    const { onInvalid } = this.#core.settings;
    if (onInvalid === "throw" || !(error instanceof ValidationError)) throw error;
    if (onInvalid === "skip") return undefined;
    const invalid: InvalidMessage = {
      ...{ topic: from.topic, partition: from.partition, offset: record.offset },
      ...{ timestamp: record.timestampMs, key: record.key, value: record.value },
      ...{ headers: new MessageHeaders(record.headers), error },
    };
    await callFor(this, onInvalid, invalid);
    return undefined;
  }

  /** By a signal: nobody waits for it, and a failed last commit shows as a repeated message. */
  #stopQuietly(): void {
    this.#core.stop().catch(() => undefined);
  }
}
