/**
 * What a metadata host and its clients say to each other, one message a frame.
 *
 * A connection begins with `hello` and `welcome`; then requests, whose replies come in any order.
 * `at`: see WriteOutcomes.
 */
import {
  AssertionError,
  assertKey,
  assertWrites,
  type Condition,
  itemBytesMax,
  type KeyRange,
  rangePartition,
} from "@millrace/core";
import { encodeFrame, type Frame, FrameError, ValueCutter } from "./metadata-host-frames.ts";
import type { ItemBytes, TransactBytes, WriteBytes } from "./item-bytes.ts";

/** Of the messages; both sides must speak the same one. */
export const hostProtocolVersion = 1;

/** Hexadecimal: 128 random bits. */
const idPattern = /^[0-9a-f]{32}$/;

/** `client` is the same for all connections of one client: a newer one ends the older ones. */
export interface Hello {
  readonly op: "hello";
  readonly version: number;
  readonly client: string;
}

export interface Transact {
  readonly op: "transact";
  /** Of the write, the same in every try. */
  readonly writeId: string;
  /** Whether it was sent before, on a connection that is gone. */
  readonly again: boolean;
  /** The client's newest `at` when it sent the write for the first time. */
  readonly since: number;
  readonly writes: readonly WriteBytes[];
}

export type Query =
  | { readonly op: "get"; readonly key: string }
  | ({ readonly op: "range" } & Pick<KeyRange, "from" | "to" | "limit">)
  | Transact;

export type Request = Query & { readonly id: number };

export type Welcome =
  | { readonly kind: "welcome"; readonly at: number }
  /** The versions differ: the host closes the connection. */
  | { readonly kind: "unwelcome"; readonly version: number };

export type Answer =
  | { readonly kind: "page"; readonly items: readonly ItemBytes[]; readonly next?: string }
  | { readonly kind: "done" }
  | ({ readonly kind: "refused" } & Pick<Extract<TransactBytes, { ok: false }>, "refused">)
  /** A write that was sent again; whether an earlier try was applied is not known any more. */
  | { readonly kind: "forgotten" }
  | {
      readonly kind: "failed";
      readonly message: string;
      readonly retriable: boolean;
      readonly applied: "no" | "maybe";
    }
  /** The caller's. */
  | { readonly kind: "bug"; readonly message: string };

export type Reply = Answer & { readonly id: number; readonly at: number };

export function encodeRequest(message: Request | Hello): Buffer {
  if (message.op !== "transact") return encodeFrame(message);
  const values: Uint8Array[] = [];
  const writes = message.writes.map((write) => {
    if (write.kind !== "put") return write;
    values.push(write.json);
    return { ...write, json: write.json.length };
  });
  return encodeFrame({ ...message, writes }, values);
}

export function encodeReply(reply: Reply | Welcome): Buffer {
  if (reply.kind === "page") {
    const items = reply.items.map(headOf);
    return encodeFrame(
      { ...reply, items },
      reply.items.map(({ json }) => json),
    );
  }
  if (reply.kind === "refused") {
    const refused = reply.refused.map(({ key, found }) =>
      found === undefined ? { key } : { key, found: headOf(found) },
    );
    return encodeFrame(
      { ...reply, refused },
      reply.refused.flatMap(({ found }) => (found === undefined ? [] : [found.json])),
    );
  }
  return encodeFrame(reply);
}

interface ItemHead {
  readonly key: string;
  readonly version: number;
  /** How many bytes. */
  readonly json: number;
}

function headOf({ key, version, json }: ItemBytes): ItemHead {
  return { key, version, json: json.length };
}

/** Throws FrameError. */
export function parseHello({ header }: Frame): Hello {
  const fields = objectOf(header);
  const client = fields["client"];
  if (fields["op"] !== "hello" || typeof client !== "string" || !idPattern.test(client)) {
    throw new FrameError("a connection does not begin with a hello");
  }
  return { op: "hello", version: countOf(fields["version"]), client };
}

/**
 * Holds a request to all bounds of the port. That values are JSON is taken on trust: who may open
 * the socket may spoil its own items. Throws FrameError.
 */
export function parseRequest(frame: Frame): Request {
  const fields = objectOf(frame.header);
  const id = countOf(fields["id"]);
  const values = new ValueCutter(frame.values);
  try {
    const request = { id, ...queryOf(fields, values) };
    values.end();
    return request;
  } catch (error) {
    if (error instanceof AssertionError) throw new FrameError(error.message, { cause: error });
    throw error;
  }
}

function queryOf(fields: Fields, values: ValueCutter): Query {
  switch (fields["op"]) {
    case "get": {
      const key = textOf(fields["key"]);
      assertKey(key);
      return { op: "get", key };
    }
    case "range": {
      const [from, to] = [textOf(fields["from"]), textOf(fields["to"])];
      const range = { from, to, limit: countOf(fields["limit"]) };
      rangePartition(range);
      return { op: "range", ...range };
    }
    case "transact":
      return transactOf(fields, values);
    default:
      throw new FrameError("a request of an unknown kind");
  }
}

function transactOf(fields: Fields, values: ValueCutter): Transact {
  const { writeId, again, writes: listed } = fields;
  if (typeof writeId !== "string" || !idPattern.test(writeId)) throw new FrameError("no write id");
  if (typeof again !== "boolean" || !Array.isArray(listed)) throw new FrameError("no transaction");
  const writes = listed.map((write) => writeOf(objectOf(write), values));
  assertWrites(writes);
  return { op: "transact", writeId, again, since: countOf(fields["since"]), writes };
}

function writeOf(fields: Fields, values: ValueCutter): WriteBytes {
  const key = textOf(fields["key"]);
  const condition =
    fields["condition"] === undefined ? undefined : conditionOf(fields["condition"]);
  switch (fields["kind"]) {
    case "put": {
      const bytes = countOf(fields["json"]);
      if (bytes > itemBytesMax) throw new FrameError(`the item ${key} is too large`);
      return { kind: "put", key, json: values.take(bytes), ...condition };
    }
    case "delete":
      return { kind: "delete", key, ...condition };
    case "check":
      if (condition === undefined) throw new FrameError("a check without a condition");
      return { kind: "check", key, ...condition };
    default:
      throw new FrameError("a write of an unknown kind");
  }
}

function conditionOf(value: unknown): { readonly condition: Condition } {
  const fields = objectOf(value);
  switch (fields["is"]) {
    case "absent":
      return { condition: { is: "absent" } };
    case "version":
      return { condition: { is: "version", version: countOf(fields["version"]) } };
    case "epochAtMost":
      return { condition: { is: "epochAtMost", epoch: integerOf(fields["epoch"]) } };
    default:
      throw new FrameError("a condition of an unknown kind");
  }
}

/** Throws FrameError. */
export function parseWelcome({ header }: Frame): Welcome {
  const fields = objectOf(header);
  if (fields["kind"] === "welcome") return { kind: "welcome", at: countOf(fields["at"]) };
  if (fields["kind"] !== "unwelcome") throw new FrameError("the host does not say welcome");
  return { kind: "unwelcome", version: countOf(fields["version"]) };
}

/** Throws FrameError. */
export function parseReply(frame: Frame): Reply {
  const fields = objectOf(frame.header);
  const values = new ValueCutter(frame.values);
  const answer = answerOf(fields, values);
  values.end();
  return { id: countOf(fields["id"]), at: countOf(fields["at"]), ...answer };
}

function answerOf(fields: Fields, values: ValueCutter): Answer {
  const { kind } = fields;
  switch (kind) {
    case "page": {
      const items = listOf(fields["items"]).map((item) => itemOf(item, values));
      const { next } = fields;
      return { kind, items, ...(next === undefined ? {} : { next: textOf(next) }) };
    }
    case "refused":
      return { kind, refused: listOf(fields["refused"]).map((entry) => refusalOf(entry, values)) };
    case "done":
    case "forgotten":
      return { kind };
    case "failed": {
      const applied = fields["applied"] === "no" ? "no" : "maybe";
      const retriable = fields["retriable"] === true;
      return { kind, message: textOf(fields["message"]), retriable, applied };
    }
    case "bug":
      return { kind, message: textOf(fields["message"]) };
    default:
      throw new FrameError("a reply of an unknown kind");
  }
}

function refusalOf(
  value: unknown,
  values: ValueCutter,
): { readonly key: string; readonly found: ItemBytes | undefined } {
  const { key, found } = objectOf(value);
  return { key: textOf(key), found: found === undefined ? undefined : itemOf(found, values) };
}

function itemOf(value: unknown, values: ValueCutter): ItemBytes {
  const { key, version, json } = objectOf(value);
  return { key: textOf(key), version: countOf(version), json: values.take(countOf(json)) };
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(value: unknown): Fields {
  if (typeof value !== "object" || value === null) throw new FrameError("not an object");
  return value as Fields;
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new FrameError("not a list");
  return value as readonly unknown[];
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new FrameError("not a text");
  return value;
}

function countOf(value: unknown): number {
  const count = integerOf(value);
  if (count < 0) throw new FrameError("not a count");
  return count;
}

function integerOf(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw new FrameError("not an integer");
}
