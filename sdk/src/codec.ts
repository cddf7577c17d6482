/**
 * How keys and values become bytes. A codec may carry a schema: then what is sent is checked before
 * it is encoded, and what is read is checked, and turned into the schema's output, after it is
 * decoded. So the bytes hold what the schema takes, never what it gives.
 */
import { types } from "node:util";
import type { SchemaInput, SchemaOutput, StandardSchema } from "./schema.ts";

/**
 * Turns values into bytes and back. `decode` throws where the bytes are not of its kind.
 *
 * @example
 * ```ts
 * import { type Codec, connect } from "@millrace/sdk";
 *
 * const int32: Codec<number> = {
 *   encode: (value) => {
 *     const bytes = new Uint8Array(4);
 *     new DataView(bytes.buffer).setInt32(0, value);
 *     return bytes;
 *   },
 *   decode: (bytes) => new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0),
 * };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * await client.topic("counts", { key: int32, value: int32 }).send({ key: 1, value: 2 });
 * ```
 */
export interface Codec<Input, Output = Input> {
  encode(value: Input): Uint8Array;
  decode(bytes: Uint8Array): Output;
  /** Checked around the codec, if there is one. */
  readonly schema?: StandardSchema | undefined;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** From Node's pool: TextEncoder gives each text memory of its own, which costs more than to fill it. */
function toUtf8(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

function encodeJson(value: unknown): Uint8Array {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw new TypeError("JSON has no form for it");
  return toUtf8(text);
}

function codecOf<Input, Output>(
  encode: (value: Input) => Uint8Array,
  decode: (bytes: Uint8Array) => Output,
  schema: StandardSchema | undefined,
): Codec<Input, Output> {
  return schema === undefined ? { encode, decode } : { encode, decode, schema };
}

/**
 * JSON in UTF-8. It is what a schema alone, given as a topic's value, stands for.
 *
 * @example
 * ```ts
 * import { connect, json } from "@millrace/sdk";
 * import { z } from "zod";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const key = json(z.object({ shop: z.string(), order: z.number() }));
 * const orders = client.topic("orders", { key, value: json<{ total: number }>() });
 * await orders.send({ key: { shop: "rome", order: 7 }, value: { total: 12 } });
 * ```
 */
export function json<T>(): Codec<T>;
export function json<S extends StandardSchema>(schema: S): Codec<SchemaInput<S>, SchemaOutput<S>>;
export function json(schema?: StandardSchema): Codec<unknown> {
  return codecOf(encodeJson, (bytes) => JSON.parse(decoder.decode(bytes)) as unknown, schema);
}

/**
 * Text in UTF-8, without quotes: what Kafka's StringSerializer writes. It is what a schema alone,
 * given as a topic's key, stands for.
 *
 * @example
 * ```ts
 * import { connect, string } from "@millrace/sdk";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const lines = client.topic("lines", { key: string(), value: string() });
 * await lines.send({ key: "host-1", value: "started" });
 * ```
 */
export function string(): Codec<string>;
export function string<S extends StandardSchema<string, unknown>>(
  schema: S,
): Codec<SchemaInput<S>, SchemaOutput<S>>;
export function string(schema?: StandardSchema): Codec<string, unknown> {
  const encode = (value: string): Uint8Array => {
    if (typeof value !== "string") throw new TypeError("it is not a string");
    return toUtf8(value);
  };
  return codecOf(encode, (bytes) => decoder.decode(bytes), schema);
}

/**
 * The bytes as they are. What is sent is not copied: it must not change before its acknowledgement.
 *
 * @example
 * ```ts
 * import { bytes, connect } from "@millrace/sdk";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * await client.topic("frames", { value: bytes() }).send({ value: new Uint8Array([1, 2, 3]) });
 * ```
 */
export function bytes(): Codec<Uint8Array> {
  const encode = (value: Uint8Array): Uint8Array => {
    if (!types.isUint8Array(value)) throw new TypeError("it is not a Uint8Array");
    return value;
  };
  return codecOf(encode, (value: Uint8Array) => value, undefined);
}
