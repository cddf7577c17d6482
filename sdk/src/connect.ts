import type { SASLOptions } from "@platformatic/kafka";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { Admin } from "./admin/admin.ts";
import { Consumer } from "./consumer/consumer.ts";
import { callForNobody, isCalledFor } from "./consumer/on-behalf.ts";
import type { ConsumeOptions } from "./consumer/options.ts";
import { argumentError, closedError } from "./errors.ts";
import { connectTimeoutMsDefault, requestTimeoutMsDefault } from "./limits.ts";
import type { Message, TopicSchemas } from "./message.ts";
import type { ProducerOptions } from "./producer/options.ts";
import { Producer } from "./producer/producer.ts";
import { Topic } from "./topic.ts";
import type { TopicRef } from "./topic-ref.ts";
import { platformaticTransport } from "./transport/platformatic/open-transport.ts";
import type { OpenTransport } from "./transport/transport.ts";

/**
 * A credential, or what gives one whenever a connection is made.
 *
 * @example
 * ```ts
 * import { connect, type Credential } from "@millrace/sdk";
 * import { readFile } from "node:fs/promises";
 *
 * const password: Credential = () => readFile("/run/secrets/kafka", "utf8");
 * const sasl = { mechanism: "PLAIN", username: "billing", password } as const;
 * await using client = connect({ brokers: ["broker.example.com:9092"], tls: true, sasl });
 * ```
 */
export type Credential = string | (() => string | Promise<string>);

/**
 * How a client logs in. SCRAM never sends the password.
 *
 * @example
 * ```ts
 * import { connect, type SaslOptions } from "@millrace/sdk";
 *
 * const sasl: SaslOptions = { mechanism: "SCRAM-SHA-512", username: "billing", password: "secret" };
 * await using client = connect({ brokers: ["broker.example.com:9092"], tls: true, sasl });
 * ```
 */
export type SaslOptions =
  | {
      readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
      readonly username: Credential;
      readonly password: Credential;
    }
  | { readonly mechanism: "OAUTHBEARER"; readonly token: Credential };

/**
 * Where the brokers are, and how to reach them.
 *
 * @example
 * ```ts
 * import { connect, type ConnectOptions } from "@millrace/sdk";
 *
 * const options: ConnectOptions = { brokers: ["localhost:9092"], clientId: "billing" };
 * await using client = connect(options);
 * ```
 */
export interface ConnectOptions {
  /** Some brokers as `host:port`, from which the others are learned. The port is 9092 if left out. */
  readonly brokers: readonly string[];
  /** How brokers name this client in their metrics. Default `millrace-sdk`. */
  readonly clientId?: string;
  /** True, or Node's TLS options (`ca`, `cert`, `key` …). */
  readonly tls?: boolean | TlsOptions;
  readonly sasl?: SaslOptions;
  /** For the client's own producer, and what `producer()` does not say otherwise. */
  readonly producer?: ProducerOptions;
  /** Whether sending to a topic that is not there asks the broker to create it. Default false. */
  readonly autoCreateTopics?: boolean;
}

type MessageOf<T> = T extends TopicRef<infer S, infer Name> ? Message<S, Name> : never;

/**
 * A client of one cluster. It holds no connection of its own: its producers, consumers and its admin
 * do. Closing it closes them all.
 *
 * @example
 * ```ts
 * import { connect, type MillraceClient, string } from "@millrace/sdk";
 *
 * async function greet(client: MillraceClient): Promise<void> {
 *   await client.topic("greetings", { value: string() }).send({ value: "hello" });
 * }
 * await using client = connect({ brokers: ["localhost:9092"] });
 * await greet(client);
 * ```
 */
export class MillraceClient implements AsyncDisposable {
  /** As they were given to `connect`. */
  readonly brokers: readonly string[];
  readonly admin: Admin;
  readonly #openTransport: OpenTransport;
  readonly #options: ConnectOptions;
  readonly #consumers = new Set<Consumer>();
  readonly #producers = new Set<AsyncDisposable>();
  #producer: Producer | undefined;
  #closing: Promise<void> | undefined;
  /** Whether handlers that finish may still send. */
  #sends = true;

  constructor(openTransport: OpenTransport, options: ConnectOptions) {
    this.#openTransport = openTransport;
    this.#options = options;
    this.brokers = options.brokers;
    this.admin = new Admin(openTransport);
  }

  /** How many of its producers and consumers are not closed yet. */
  get openCount(): number {
    return this.#consumers.size + this.#producers.size;
  }

  /** A topic with the types of its keys and values; see `Topic`. */
  topic<const Name extends string, const S extends TopicSchemas>(
    name: Name,
    schemas: S,
  ): Topic<S, Name> {
    return new Topic(name, schemas, {
      // What can't be done is a rejection, never thrown at once.
      send: async (topic, message, options) => this.#ownProducer().send(topic, message, options),
      consume: (topic, options) => this.consumer([topic], options),
    });
  }

  /** A producer of its own, with its own connections and options; see `Producer`. */
  producer(options: ProducerOptions = {}): Producer {
    if (!this.#sends) throw closedError("the client");
    const { producer: defaults, autoCreateTopics = false } = this.#options;
    const producer: Producer = new Producer(
      this.#openTransport,
      { ...defaults, ...options, autoCreateTopics },
      () => this.#producers.delete(producer),
    );
    this.#producers.add(producer);
    return producer;
  }

  /** A consumer of several topics; a message's `topic` says which type it has. See `Consumer`. */
  consumer<const T extends readonly TopicRef[]>(
    topics: T,
    options: ConsumeOptions = {},
  ): Consumer<MessageOf<T[number]>> {
    if (this.#closing !== undefined) throw closedError("the client");
    const formats = topics.map((topic) => topic.format);
    const consumer: Consumer<MessageOf<T[number]>> = new Consumer(
      this.#openTransport,
      formats,
      options,
      () => this.#consumers.delete(consumer),
    );
    this.#consumers.add(consumer);
    return consumer;
  }

  /**
   * Stops the consumers, whose handlers may send until they are done, then sends what the producers
   * hold, and closes all connections. Called by a handler of one of its consumers it does not wait, as
   * that would be for itself.
   */
  close(): Promise<void> {
    const isHandlers = [...this.#consumers].some((consumer) => isCalledFor(consumer));
    this.#closing ??= callForNobody(() => this.#close());
    if (!isHandlers) return this.#closing;
    // Its outcome is told to whoever closes it from outside.
    this.#closing.catch(() => undefined);
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const stopped = await Promise.allSettled(disposals(this.#consumers));
    this.#sends = false;
    const sent = await Promise.allSettled([...disposals(this.#producers), this.admin.close()]);
    for (const outcome of [...stopped, ...sent]) {
      if (outcome.status === "rejected") throw outcome.reason;
    }
  }

  #ownProducer(): Producer {
    this.#producer ??= this.producer();
    return this.#producer;
  }
}

function disposals(open: ReadonlySet<AsyncDisposable>): readonly PromiseLike<void>[] {
  return Array.from(open, (one) => one[Symbol.asyncDispose]());
}

/**
 * Makes a client. It connects when something is first asked of it.
 *
 * @throws MillraceError with `INVALID_ARGUMENT` for an address that is none.
 * @example
 * ```ts
 * import { connect } from "@millrace/sdk";
 *
 * await using client = connect({
 *   brokers: ["b1.example.com:9092", "b2.example.com:9092"],
 *   clientId: "billing",
 *   tls: true,
 *   sasl: { mechanism: "SCRAM-SHA-512", username: "billing", password: "secret" },
 * });
 * console.log(await client.admin.listTopics());
 * ```
 */
export function connect(options: ConnectOptions): MillraceClient {
  const { tls = false, sasl, clientId = "millrace-sdk" } = options;
  const tlsOptions = tls === true ? {} : tls;
  const openTransport = platformaticTransport({
    clientId,
    bootstrap: options.brokers.map(parseAddress),
    tls: tlsOptions === false ? undefined : tlsOptions,
    sasl: sasl === undefined ? undefined : ({ ...sasl } satisfies SASLOptions),
    requestTimeoutMs: requestTimeoutMsDefault,
    connectTimeoutMs: connectTimeoutMsDefault,
  });
  if (options.brokers.length === 0) throw argumentError("a client needs a broker's address");
  return new MillraceClient(openTransport, options);
}

const defaultPort = 9092;

/** `host`, `host:port` or `[IPv6]:port`. */
function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const parts = /^(?:\[([^\]]+)\]|([^:\s]+))(?::(\d{1,5}))?$/.exec(address);
  const host = parts?.[1] ?? parts?.[2];
  const port = parts?.[3] === undefined ? defaultPort : Number(parts[3]);
  if (host === undefined || port > 65_535) throw argumentError(`${address} is no host:port`);
  return { host, port };
}
