/** What a topic's keys and values are: in types, and on their way into bytes and out of them. */
import { types } from "node:util";
import type { Codec } from "./codec.ts";
import { json, string } from "./codec.ts";
import { argumentError, ValidationError, type ValidationTarget } from "./errors.ts";
import { encodeHeaders, type HeadersInput, MessageHeaders } from "./headers.ts";
import type {
  SchemaInput,
  SchemaOutput,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "./schema.ts";
import { wallClockMs } from "./timing.ts";
import type { FetchedRecord, WireRecord } from "./transport/transport.ts";

/**
 * A key: a schema of text (the key is written as plain text), or a codec.
 *
 * @example
 * ```ts
 * import { connect, type KeySide, string } from "@millrace/sdk";
 *
 * const key: KeySide = string();
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const lines = client.topic("lines", { key, value: string() });
 * console.log(lines.name);
 * ```
 */
export type KeySide = StandardSchema<string, unknown> | Codec<never, unknown>;
/**
 * A value: a schema (the value is written as JSON), or a codec.
 *
 * @example
 * ```ts
 * import { json, type TopicSchemas, type ValueSide } from "@millrace/sdk";
 *
 * const value: ValueSide = json<{ total: number }>();
 * const schemas: TopicSchemas = { value };
 * console.log(schemas);
 * ```
 */
export type ValueSide = StandardSchema | Codec<never, unknown>;

/**
 * What a topic holds.
 *
 * @example
 * ```ts
 * import { connect, type TopicSchemas } from "@millrace/sdk";
 * import { z } from "zod";
 *
 * const customers = { key: z.string(), value: z.object({ name: z.string() }), tombstones: true } as const;
 * const schemas: TopicSchemas = customers;
 * await using client = connect({ brokers: ["localhost:9092"] });
 * await client.topic("customers", customers).send({ key: "c-1", value: null });
 * ```
 */
export interface TopicSchemas {
  /** Left out: messages are sent without a key, and a key that is read is given as bytes. */
  readonly key?: KeySide;
  readonly value: ValueSide;
  /** True for a compacted topic: then `value` may be `null`, which deletes the key. */
  readonly tombstones?: boolean;
}

type InputOf<Side> = Side extends StandardSchema
  ? SchemaInput<Side>
  : Side extends { encode(value: infer Input): Uint8Array }
    ? Input
    : never;

type OutputOf<Side> = Side extends StandardSchema
  ? SchemaOutput<Side>
  : Side extends { decode(bytes: Uint8Array): infer Output }
    ? Output
    : never;

type Tombstone<S extends TopicSchemas> = S["tombstones"] extends true ? null : never;

/**
 * The type of a topic's key as it is sent; undefined where it has none.
 *
 * @example
 * ```ts
 * import { type KeyInput, string } from "@millrace/sdk";
 *
 * const schemas = { key: string(), value: string() };
 * const key: KeyInput<typeof schemas> = "host-1";
 * console.log(key);
 * ```
 */
export type KeyInput<S extends TopicSchemas> = S["key"] extends KeySide
  ? InputOf<S["key"]>
  : undefined;

/**
 * The type of a topic's value as it is sent.
 *
 * @example
 * ```ts
 * import { type ValueInput } from "@millrace/sdk";
 * import { z } from "zod";
 *
 * const schemas = { value: z.object({ total: z.number(), paid: z.boolean().default(false) }) };
 * const unpaid: ValueInput<typeof schemas> = { total: 12 };
 * console.log(unpaid);
 * ```
 */
export type ValueInput<S extends TopicSchemas> = InputOf<S["value"]> | Tombstone<S>;

/**
 * The type of a topic's key as it is read.
 *
 * @example
 * ```ts
 * import { json, type KeyOutput } from "@millrace/sdk";
 *
 * const schemas = { key: json<{ shop: string }>(), value: json<number>() };
 * const shopOf = (key: KeyOutput<typeof schemas>): string => key.shop;
 * console.log(shopOf({ shop: "rome" }));
 * ```
 */
export type KeyOutput<S extends TopicSchemas> = S["key"] extends KeySide
  ? OutputOf<S["key"]>
  : Uint8Array | null;

/**
 * The type of a topic's value as it is read.
 *
 * @example
 * ```ts
 * import { type ValueOutput } from "@millrace/sdk";
 * import { z } from "zod";
 *
 * const schemas = { value: z.object({ total: z.number(), paid: z.boolean().default(false) }) };
 * const isPaid = (value: ValueOutput<typeof schemas>): boolean => value.paid;
 * console.log(isPaid({ total: 12, paid: true }));
 * ```
 */
export type ValueOutput<S extends TopicSchemas> = OutputOf<S["value"]> | Tombstone<S>;

interface Placement {
  readonly headers?: HeadersInput;
  /** Left out: by the key, as Java's client does it, or anywhere where there is no key. */
  readonly partition?: number;
  /** Milliseconds since 1970. Left out: now. */
  readonly timestamp?: number;
}

/**
 * A message to send. Its key is required where the topic has keys, and refused where not.
 *
 * @example
 * ```ts
 * import { connect, type OutgoingMessage, string } from "@millrace/sdk";
 *
 * const schemas = { key: string(), value: string() };
 * const hello: OutgoingMessage<typeof schemas> = { key: "host-1", value: "hello" };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * await client.topic("lines", schemas).send(hello);
 * ```
 */
export type OutgoingMessage<S extends TopicSchemas> = Placement & {
  readonly value: ValueInput<S>;
} & (S["key"] extends KeySide ? { readonly key: KeyInput<S> } : { readonly key?: undefined });

/**
 * A message as it was read.
 *
 * @example
 * ```ts
 * import { connect, type Message, string } from "@millrace/sdk";
 *
 * const schemas = { value: string() };
 * const show = ({ offset, value }: Message<typeof schemas>): void => console.log(offset, value);
 * await using client = connect({ brokers: ["localhost:9092"] });
 * await client.topic("lines", schemas).consume({ group: "readers" }).run(show);
 * ```
 */
export interface Message<S extends TopicSchemas = TopicSchemas, Name extends string = string> {
  readonly topic: Name;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: KeyOutput<S>;
  readonly value: ValueOutput<S>;
  readonly headers: MessageHeaders;
}

type Awaitable<T> = T | Promise<T>;

const noHeaders: MessageHeaders = new MessageHeaders([]);

/** One side of a topic at work. Throws, or rejects with, a `ValidationError`. */
interface Side {
  encode(value: unknown, target: ValidationTarget): Awaitable<Uint8Array>;
  decode(bytes: Uint8Array, target: ValidationTarget): Awaitable<unknown>;
}

function isSchema(side: KeySide | ValueSide): side is StandardSchema {
  return "~standard" in side;
}

function refuseWith(target: ValidationTarget, cause: unknown): never {
  const message = cause instanceof Error ? cause.message : String(cause);
  throw new ValidationError(target, [{ message }], cause);
}

function outputOf(result: StandardResult<unknown>, target: ValidationTarget): unknown {
  const { issues }: { readonly issues?: readonly StandardIssue[] | undefined } = result;
  if (issues !== undefined) throw new ValidationError(target, issues);
  return (result as { readonly value: unknown }).value;
}

function validate(
  schema: StandardSchema,
  value: unknown,
  target: ValidationTarget,
): Awaitable<unknown> {
  let result: Awaitable<StandardResult<unknown>>;
  try {
    result = schema["~standard"].validate(value);
  } catch (error) {
    return refuseWith(target, error);
  }
  if (!(result instanceof Promise)) return outputOf(result, target);
  return result.then(
    (settled) => outputOf(settled, target),
    (error: unknown) => refuseWith(target, error),
  );
}

function sideOf(side: KeySide | ValueSide, alone: (schema: never) => Codec<never, unknown>): Side {
  const codec = (isSchema(side) ? alone(side as never) : side) as Codec<unknown>;
  const { schema } = codec;
  const encodeOnly: Side["encode"] = (value, target) => {
    try {
      const bytes: unknown = codec.encode(value);
      // Later it would fail the whole request, with what others sent.
      if (!types.isUint8Array(bytes)) throw new TypeError("its codec did not give a Uint8Array");
      return bytes;
    } catch (error) {
      return refuseWith(target, error);
    }
  };
  const decodeOnly: Side["decode"] = (bytes, target) => {
    try {
      return codec.decode(bytes);
    } catch (error) {
      return refuseWith(target, error);
    }
  };
  if (schema === undefined) return { encode: encodeOnly, decode: decodeOnly };
  return {
    // What is written is what the schema took, so that the reader's schema takes it as well.
    encode: (value, target) => {
      const valid = validate(schema, value, target);
      return valid instanceof Promise
        ? valid.then(() => encodeOnly(value, target))
        : encodeOnly(value, target);
    },
    decode: (bytes, target) => {
      const decoded = decodeOnly(bytes, target);
      return decoded instanceof Promise
        ? decoded.then((value) => validate(schema, value, target))
        : validate(schema, decoded, target);
    },
  };
}

/** A message to send, of a type that was checked where it was made. */
export interface UntypedMessage extends Placement {
  readonly key?: unknown;
  readonly value: unknown;
}

function recordOf(
  { headers, timestamp }: UntypedMessage,
  key: Uint8Array | null,
  value: Uint8Array | null,
): WireRecord {
  const timestampMs = timestamp ?? wallClockMs();
  if (!Number.isSafeInteger(timestampMs) || timestampMs < 0) {
    throw argumentError(`a timestamp is in whole milliseconds since 1970, and not ${timestampMs}`);
  }
  return { key, value, headers: encodeHeaders(headers), timestampMs };
}

/** Where the value is refused at once, what the key rejects with is nobody's: it would end the process. */
function markHandled(key: unknown): void {
  if (key instanceof Promise) key.catch(() => undefined);
}

interface Decoded {
  readonly record: FetchedRecord;
  readonly key: unknown;
  readonly value: unknown;
}

function messageOf(topic: string, partition: number, { record, key, value }: Decoded): Message {
  return {
    topic,
    partition,
    offset: record.offset,
    timestamp: record.timestampMs,
    key: key as Message["key"],
    value,
    headers: record.headers.length === 0 ? noHeaders : new MessageHeaders(record.headers),
  };
}

/** Encodes and decodes the messages of one topic. */
export class MessageFormat {
  readonly topic: string;
  readonly #key: Side | undefined;
  readonly #value: Side;
  readonly #tombstones: boolean;
  readonly #keyTarget: ValidationTarget;
  readonly #valueTarget: ValidationTarget;

  constructor(topic: string, schemas: TopicSchemas) {
    this.topic = topic;
    this.#keyTarget = { topic, side: "key" };
    this.#valueTarget = { topic, side: "value" };
    this.#key = schemas.key === undefined ? undefined : sideOf(schemas.key, string);
    this.#value = sideOf(schemas.value, json);
    this.#tombstones = schemas.tombstones === true;
  }

  /** At once where the schemas answer at once. */
  encode(message: UntypedMessage): Awaitable<WireRecord> {
    const key = this.#encodeKey(message.key);
    markHandled(key);
    const value = this.#encodeValue(message.value);
    if (!(key instanceof Promise) && !(value instanceof Promise)) {
      return recordOf(message, key, value);
    }
    return Promise.all([key, value]).then(([one, other]) => recordOf(message, one, other));
  }

  decode(record: FetchedRecord, partition: number): Awaitable<Message> {
    const { topic } = this;
    const { offset } = record;
    const key =
      this.#key === undefined
        ? record.key
        : this.#decodeKey(record.key, this.#key, { topic, side: "key", partition, offset });
    markHandled(key);
    const value = this.#decodeValue(record.value, { topic, side: "value", partition, offset });
    if (!(key instanceof Promise) && !(value instanceof Promise)) {
      return messageOf(topic, partition, { record, key, value });
    }
    return Promise.all([key, value]).then(([one, other]) =>
      messageOf(topic, partition, { record, key: one, value: other }),
    );
  }

  #encodeKey(key: unknown): Awaitable<Uint8Array | null> {
    if (this.#key !== undefined) return this.#key.encode(key, this.#keyTarget);
    if (key === undefined || key === null) return null;
    return refuseWith(this.#keyTarget, "the topic was opened without a key");
  }

  #encodeValue(value: unknown): Awaitable<Uint8Array | null> {
    if (value === null && this.#tombstones) return null;
    return this.#value.encode(value, this.#valueTarget);
  }

  #decodeKey(key: Uint8Array | null, side: Side, target: ValidationTarget): Awaitable<unknown> {
    return key === null ? refuseWith(target, "there is no key") : side.decode(key, target);
  }

  #decodeValue(value: Uint8Array | null, target: ValidationTarget): Awaitable<unknown> {
    if (value !== null) return this.#value.decode(value, target);
    return this.#tombstones ? null : refuseWith(target, "it is null, a tombstone");
  }
}
