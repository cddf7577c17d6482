import type { MessageFormat, TopicSchemas } from "./message.ts";

/**
 * A topic by its name and its types: what producers and consumers take.
 *
 * @example
 * ```ts
 * import { connect, type TopicRef, string } from "@millrace/sdk";
 *
 * const nameOf = (topic: TopicRef): string => topic.name;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * console.log(nameOf(client.topic("lines", { value: string() })));
 * ```
 */
export interface TopicRef<S extends TopicSchemas = TopicSchemas, Name extends string = string> {
  readonly name: Name;
  readonly schemas: S;
  /** Of the SDK's own use: turns messages into records, and back. */
  readonly format: MessageFormat;
}
