import { ClusterView } from "../cluster/cluster-view.ts";
import { closedError, type MillraceError } from "../errors.ts";
import { turnBytesMax } from "../limits.ts";
import type { OutgoingMessage, TopicSchemas } from "../message.ts";
import type { Abortable } from "../timing.ts";
import { afterThisTurn, withSignal } from "../timing.ts";
import type { TopicRef } from "../topic-ref.ts";
import type { OpenTransport, Transport } from "../transport/transport.ts";
import { Lane } from "./lane.ts";
import { type ProducerOptions, type ProducerSettings, producerSettings } from "./options.ts";
import type { PlacedRecord, RecordMetadata } from "./placed-record.ts";
import { Room } from "./room.ts";
import { Sender } from "./sender.ts";

/**
 * A record that the producer holds; see `Producer.enqueue`.
 *
 * @example
 * ```ts
 * import { connect, type Delivery, string } from "@millrace/sdk";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const lines = client.topic("lines", { value: string() });
 * const delivery: Delivery = await client.producer().enqueue(lines, { value: "hello" });
 * console.log((await delivery.acknowledged).offset);
 * ```
 */
export interface Delivery {
  /** Resolves when the broker has acknowledged the record; rejects when it never will. */
  readonly acknowledged: Promise<RecordMetadata>;
}

/**
 * Sends messages. Records of one partition arrive in the order in which they were sent, in batches
 * that form while the one before has no answer yet.
 *
 * @example
 * ```ts
 * import { connect, string } from "@millrace/sdk";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const lines = client.topic("lines", { value: string() });
 * await using producer = client.producer({ lingerMs: 10, compression: "lz4" });
 * for (let line = 0; line < 100_000; line += 1) {
 *   await producer.enqueue(lines, { value: `line ${line}` });
 * }
 * await producer.flush();
 * ```
 */
export class Producer implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #room: Room;
  readonly #sender: Sender;
  readonly #view: ClusterView;
  readonly #settings: ProducerSettings;
  readonly #lanes = new Map<string, Lane>();
  #undelivered: MillraceError | undefined;
  readonly #noteFailure = (error: MillraceError): void => {
    this.#undelivered ??= error;
  };
  #closing: Promise<void> | undefined;
  /** Enqueued since the event loop had a turn for sure. */
  #turnBytes = 0;
  #turnEnds: Promise<void> | undefined;

  readonly #onClosed: () => void;

  /** Made by `MillraceClient.producer`. */
  constructor(
    openTransport: OpenTransport,
    options: ProducerOptions & { readonly autoCreateTopics?: boolean },
    onClosed: () => void,
  ) {
    this.#onClosed = onClosed;
    this.#settings = producerSettings(options);
    const { requestTimeoutMs } = this.#settings;
    this.#transport = openTransport({ requestTimeoutMs });
    this.#view = new ClusterView(this.#transport, {
      autoCreate: options.autoCreateTopics ?? false,
    });
    this.#room = new Room(this.#settings.bufferedBytes);
    this.#sender = new Sender(this.#transport, this.#view, this.#settings);
  }

  /** Bytes of records that wait for their acknowledgement. */
  get bufferedBytes(): number {
    return this.#room.usedBytes;
  }

  /**
   * Sends a message, and waits for its acknowledgement. A signal ends the wait; a record that has
   * entered a batch by then may still be delivered.
   */
  async send<S extends TopicSchemas>(
    topic: TopicRef<S>,
    message: OutgoingMessage<S>,
    { signal }: Abortable = {},
  ): Promise<RecordMetadata> {
    const entered = this.#enter(topic, message, signal);
    if (!(entered instanceof Promise)) return withSignal(entered.acknowledged, signal);
    const { acknowledged } = await entered;
    return withSignal(acknowledged, signal);
  }

  /**
   * Hands a message over, and waits only until the producer has room for it, and once a MiB for the
   * event loop's next turn. Whether it was delivered says `acknowledged`, and the next `flush`.
   */
  enqueue<S extends TopicSchemas>(
    topic: TopicRef<S>,
    message: OutgoingMessage<S>,
    { signal }: Abortable = {},
  ): Promise<Delivery> {
    const entered = this.#enter(topic, message, signal);
    if (entered instanceof Promise) return entered.then((record) => this.#noted(record));
    this.#turnBytes += entered.bytes;
    const delivery = this.#noted(entered);
    if (this.#turnBytes < turnBytesMax) return Promise.resolve(delivery);
    return this.#nextTurn().then(() => delivery);
  }

  /**
   * Sends what is held without lingering, and waits until all of it has its answer; what is sent after
   * the call is not waited for. Rejects if a message that was enqueued since the last flush could not
   * be delivered.
   */
  async flush({ signal }: Abortable = {}): Promise<void> {
    await withSignal(this.#flush(), signal);
    const undelivered = this.#undelivered;
    this.#undelivered = undefined;
    if (undelivered !== undefined) throw undelivered;
  }

  /** Takes no more messages, sends what is held, and closes the connections. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      await this.#flush();
    } finally {
      this.#sender.abandon(closedError("the producer"));
      await this.#transport.close();
      this.#onClosed();
    }
    if (this.#undelivered !== undefined) throw this.#undelivered;
  }

  #noted(record: PlacedRecord): Delivery {
    record.tellFailure(this.#noteFailure);
    return record;
  }

  /**
   * A loop that enqueues would fill all the room before the first batch goes: the broker would wait
   * for the client, and then the client for the broker.
   */
  #nextTurn(): Promise<void> {
    this.#turnEnds ??= new Promise((resolve) => {
      afterThisTurn(() => {
        this.#turnBytes = 0;
        this.#turnEnds = undefined;
        resolve();
      });
    });
    return this.#turnEnds;
  }

  #flush(): Promise<void> {
    const lanes = Array.from(this.#lanes.values(), (lane) => lane.settled());
    return this.#sender.flush(Promise.all(lanes));
  }

  #enter<S extends TopicSchemas>(
    topic: TopicRef<S>,
    message: OutgoingMessage<S>,
    signal: AbortSignal | undefined,
  ): PlacedRecord | Promise<PlacedRecord> {
    if (this.#closing !== undefined) return Promise.reject(closedError("the producer"));
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    try {
      return this.#lane(topic.name).enter(topic.format, message, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #lane(topic: string): Lane {
    let lane = this.#lanes.get(topic);
    if (lane === undefined) {
      lane = new Lane(topic, {
        ...{ view: this.#view, room: this.#room },
        ...{ sender: this.#sender, settings: this.#settings },
      });
      this.#lanes.set(topic, lane);
    }
    return lane;
  }
}
