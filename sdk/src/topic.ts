import type { Consumer } from "./consumer/consumer.ts";
import type { ConsumeOptions } from "./consumer/options.ts";
import { type Message, MessageFormat, type OutgoingMessage, type TopicSchemas } from "./message.ts";
import type { RecordMetadata } from "./producer/placed-record.ts";
import type { Abortable } from "./timing.ts";
import type { TopicRef } from "./topic-ref.ts";

/** What a topic does through its client. */
export interface TopicBindings {
  readonly send: <S extends TopicSchemas>(
    topic: TopicRef<S>,
    message: OutgoingMessage<S>,
    options: Abortable,
  ) => Promise<RecordMetadata>;
  readonly consume: <S extends TopicSchemas, Name extends string>(
    topic: TopicRef<S, Name>,
    options: ConsumeOptions,
  ) => Consumer<Message<S, Name>>;
}

/**
 * A topic with the types of its keys and values. Making one asks no broker.
 *
 * @example
 * ```ts
 * import { connect } from "@millrace/sdk";
 * import { z } from "zod";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const orders = client.topic("orders", {
 *   key: z.string(),
 *   value: z.object({ total: z.number(), paid: z.boolean().default(false) }),
 * });
 * const { partition, offset } = await orders.send({ key: "order-1", value: { total: 12 } });
 * console.log(partition, offset);
 * for await (const { key, value } of orders.consume({ from: "earliest" })) {
 *   console.log(key, value.total, value.paid);
 * }
 * ```
 */
export class Topic<S extends TopicSchemas, Name extends string = string>
  implements TopicRef<S, Name>
{
  readonly name: Name;
  readonly schemas: S;
  /** Of the SDK's own use: turns messages into records, and back. */
  readonly format: MessageFormat;
  readonly #bindings: TopicBindings;

  constructor(name: Name, schemas: S, bindings: TopicBindings) {
    this.name = name;
    this.schemas = schemas;
    this.format = new MessageFormat(name, schemas);
    this.#bindings = bindings;
  }

  /** Sends a message with the client's own producer; see `Producer.send`. */
  send(message: OutgoingMessage<S>, options: Abortable = {}): Promise<RecordMetadata> {
    return this.#bindings.send(this, message, options);
  }

  /** Reads the topic. It begins with the first step of the iteration, or with `run`. */
  consume(options: ConsumeOptions = {}): Consumer<Message<S, Name>> {
    return this.#bindings.consume(this, options);
  }
}
