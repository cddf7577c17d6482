import { types } from "node:util";
import { argumentError } from "./errors.ts";
import type { HeaderEntry } from "./transport/transport.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Headers to send: one value a name, or entries in order, where a name may come twice.
 *
 * @example
 * ```ts
 * import { connect, type HeadersInput, string } from "@millrace/sdk";
 *
 * const headers: HeadersInput = { "trace-id": "4bf92f3577b34da6" };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * await client.topic("lines", { value: string() }).send({ value: "hello", headers });
 * ```
 */
export type HeadersInput =
  | Readonly<Record<string, string | Uint8Array>>
  | Iterable<readonly [name: string, value: string | Uint8Array | null]>;

function isIterable(
  headers: HeadersInput,
): headers is Exclude<HeadersInput, Record<string, never>> {
  return Symbol.iterator in headers;
}

const none: readonly HeaderEntry[] = [];

export function encodeHeaders(headers: HeadersInput | undefined): readonly HeaderEntry[] {
  if (headers === undefined) return none;
  const entries: Iterable<readonly [string, string | Uint8Array | null]> = isIterable(headers)
    ? (headers as Iterable<readonly [string, string | Uint8Array | null]>)
    : Object.entries(headers);
  return Array.from(entries, ([name, value]) => [name, encodeHeader(name, value)]);
}

/** Checked here: later it would fail the whole request, with what others sent. */
function encodeHeader(name: unknown, value: unknown): Uint8Array | null {
  if (typeof name !== "string") throw argumentError("a header's name is text");
  if (typeof value === "string") return encoder.encode(value);
  if (value === null || types.isUint8Array(value)) return value;
  throw argumentError(`header ${name} must be text, bytes or null`);
}

/**
 * The headers of a message, in order. A name may come more than once; `get` and `bytes` give the
 * last one.
 *
 * @example
 * ```ts
 * import { connect, string } from "@millrace/sdk";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * for await (const message of client.topic("lines", { value: string() }).consume()) {
 *   console.log(message.headers.get("trace-id"));
 *   for (const [name, value] of message.headers) console.log(name, value?.length);
 * }
 * ```
 */
export class MessageHeaders implements Iterable<HeaderEntry> {
  readonly #entries: readonly HeaderEntry[];

  constructor(entries: readonly HeaderEntry[]) {
    this.#entries = entries;
  }

  /** The last value of the name as text (UTF-8); undefined where there is none, or it is null. */
  get(name: string): string | undefined {
    const value = this.bytes(name);
    return value === undefined ? undefined : decoder.decode(value);
  }

  /** The last value of the name; undefined where there is none, or it is null. */
  bytes(name: string): Uint8Array | undefined {
    return this.#entries.findLast((entry) => entry[0] === name)?.[1] ?? undefined;
  }

  get size(): number {
    return this.#entries.length;
  }

  [Symbol.iterator](): IterableIterator<HeaderEntry> {
    return this.#entries.values();
  }
}
