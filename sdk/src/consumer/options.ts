import { argumentError, type ValidationError } from "../errors.ts";
import type { MessageHeaders } from "../headers.ts";
import { handlerConcurrencyMax, timerMsMax } from "../limits.ts";
import type { TopicPartition } from "../transport/described.ts";
import type { Isolation } from "../transport/transport.ts";

/**
 * Where to read on: the first record there is, behind the last one, at an offset, or at the first
 * record of a time (in ms since 1970, or a Date) or later; behind the last one if there is none.
 *
 * @example
 * ```ts
 * import { connect, type Position, string } from "@millrace/sdk";
 *
 * const anHourAgo: Position = { timestamp: Date.now() - 3_600_000 };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * for await (const { value } of client.topic("lines", { value: string() }).consume({ from: anHourAgo })) {
 *   console.log(value);
 * }
 * ```
 */
export type Position =
  | "earliest"
  | "latest"
  | { readonly offset: number }
  | { readonly timestamp: number | Date };

/** Also: the offset there is that lies nearest to one that is gone, or not there yet. */
export type Place = Position | { readonly nearestTo: number };

/**
 * A message that its topic's schemas did not accept, as it lies in the log.
 *
 * @example
 * ```ts
 * import { bytes, connect, type InvalidMessage, json } from "@millrace/sdk";
 * import { z } from "zod";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const dead = client.topic("orders.dead", { value: bytes() });
 * const onInvalid = async ({ value, error }: InvalidMessage): Promise<void> => {
 *   await dead.send({ value: value ?? new Uint8Array(), headers: { reason: error.message } });
 * };
 * const orders = client.topic("orders", { value: json(z.object({ total: z.number() })) });
 * await orders.consume({ group: "billing", onInvalid }).run(({ value }) => console.log(value.total));
 * ```
 */
export interface InvalidMessage extends TopicPartition {
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: MessageHeaders;
  readonly error: ValidationError;
}

/**
 * What a rebalance of the group did. `assigned`: these partitions are read from now on. `revoked`:
 * their messages in hand are done, their offsets are committed next, and they go to another member.
 * `lost`: they are another member's already, and nothing can be committed for them.
 *
 * @example
 * ```ts
 * import { connect, type RebalanceEvent, string } from "@millrace/sdk";
 *
 * const onRebalance = ({ kind, partitions }: RebalanceEvent): void => {
 *   console.log(kind, partitions.length);
 * };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const lines = client.topic("lines", { value: string() });
 * await lines.consume({ group: "readers", onRebalance }).run(() => undefined);
 * ```
 */
export interface RebalanceEvent {
  readonly kind: "assigned" | "revoked" | "lost";
  readonly partitions: readonly TopicPartition[];
}

/**
 * How a consumer reads.
 *
 * @example
 * ```ts
 * import { type ConsumeOptions, connect, string } from "@millrace/sdk";
 *
 * const options: ConsumeOptions = { group: "billing", from: "earliest", onInvalid: "skip" };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * for await (const message of client.topic("lines", { value: string() }).consume(options)) {
 *   console.log(message.value);
 * }
 * ```
 */
export interface ConsumeOptions {
  /**
   * The group that shares the work and remembers how far it came. Left out: all partitions are
   * read, from `from` on, those that the topics get later from their beginning, and nothing is
   * committed.
   */
  readonly group?: string;
  /** Where to begin where the group has no offset, or the offset is gone. Default `latest`. */
  readonly from?: Position;
  /** Commit what is processed, in the background, at a rebalance and at the end. Default true. */
  readonly autoCommit?: boolean;
  /** Default 5,000. */
  readonly autoCommitIntervalMs?: number;
  /**
   * What becomes of a message that its schemas do not accept: the consumer stops with its
   * `ValidationError` (`throw`, the default), it is passed over (`skip`), or it is passed over once
   * the function, such as one that sends it to a dead-letter topic, is done with it.
   */
  readonly onInvalid?: "throw" | "skip" | ((message: InvalidMessage) => void | Promise<void>);
  /** Told of every rebalance, and waited for. */
  readonly onRebalance?: (event: RebalanceEvent) => void | Promise<void>;
  /** Default `read_committed`: records of open and aborted transactions are not handed out. */
  readonly isolation?: Isolation;
  /** A static member (KIP-345): it may restart within the session without a rebalance. */
  readonly instanceId?: string;
  /** After how long without a heartbeat a member counts as dead. Default 45,000. */
  readonly sessionTimeoutMs?: number;
  /** Default 3,000. */
  readonly heartbeatIntervalMs?: number;
  /** How long members have to finish what they have in hand at a rebalance. Default 60,000. */
  readonly rebalanceTimeoutMs?: number;
  /** Where this consumer runs (`client.rack`). */
  readonly rack?: string;
  /** Ends the consumer, as `stop` does; then the loop ends, or `run` resolves. */
  readonly signal?: AbortSignal;
}

export interface ConsumerSettings {
  readonly topics: readonly string[];
  readonly group: string | undefined;
  readonly from: Position;
  readonly autoCommit: boolean;
  readonly autoCommitIntervalMs: number;
  readonly onInvalid: NonNullable<ConsumeOptions["onInvalid"]>;
  readonly onRebalance: (event: RebalanceEvent) => void | Promise<void>;
  readonly isolation: Isolation;
  readonly instanceId: string | null;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly rack: string;
}

/** Throws INVALID_ARGUMENT for options that contradict each other. */
export function consumerSettings(
  topics: readonly string[],
  options: ConsumeOptions,
): ConsumerSettings {
  const settings: ConsumerSettings = {
    topics,
    group: options.group,
    from: checkedPosition(options.from ?? "latest"),
    autoCommit: options.autoCommit ?? true,
    autoCommitIntervalMs: options.autoCommitIntervalMs ?? 5_000,
    onInvalid: options.onInvalid ?? "throw",
    onRebalance: options.onRebalance ?? (() => undefined),
    isolation: options.isolation ?? "read_committed",
    instanceId: options.instanceId ?? null,
    sessionTimeoutMs: options.sessionTimeoutMs ?? 45_000,
    heartbeatIntervalMs: options.heartbeatIntervalMs ?? 3_000,
    rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
    rack: options.rack ?? "",
  };
  if (topics.length === 0) throw argumentError("a consumer needs a topic");
  if (settings.group === "") throw argumentError("a group needs a name");
  for (const name of intervals) {
    const ms = settings[name];
    if (!(ms >= 1 && ms <= timerMsMax))
      throw argumentError(`${name} must be from 1 to ${timerMsMax}`);
  }
  if (settings.heartbeatIntervalMs * 2 > settings.sessionTimeoutMs) {
    throw argumentError("a session must be as long as two heartbeats at least");
  }
  return settings;
}

const intervals = [
  "autoCommitIntervalMs",
  "heartbeatIntervalMs",
  "rebalanceTimeoutMs",
  "sessionTimeoutMs",
] as const;

/** The position itself. Throws INVALID_ARGUMENT for an offset or a time that is none. */
export function checkedPosition<P extends Position>(position: P): P {
  const fault = faultOf(position);
  if (fault !== undefined) throw argumentError(fault);
  return position;
}

function faultOf(position: Position): string | undefined {
  if (typeof position === "string") return undefined;
  if ("offset" in position) {
    const { offset } = position;
    return Number.isSafeInteger(offset) && offset >= 0 ? undefined : `no offset is ${offset}`;
  }
  const timeMs = Number(position.timestamp);
  const isTime = timeMs >= 0 && timeMs <= Number.MAX_SAFE_INTEGER;
  return isTime ? undefined : `no time in ms since 1970 is ${timeMs}`;
}

/**
 * How `run` calls its handler.
 *
 * @example
 * ```ts
 * import { connect, type RunOptions, string } from "@millrace/sdk";
 *
 * const options: RunOptions = { concurrency: 10 };
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const lines = client.topic("lines", { value: string() });
 * await lines.consume({ group: "readers" }).run(async ({ value }) => console.log(value), options);
 * ```
 */
export interface RunOptions {
  /**
   * How many messages of one partition are in its hands at a time. Default 1: then messages of a
   * partition are handled in order. Partitions are handled beside each other.
   */
  readonly concurrency?: number;
}

export function concurrencyOf({ concurrency = 1 }: RunOptions): number {
  if (Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= handlerConcurrencyMax) {
    return concurrency;
  }
  throw argumentError(`concurrency must be from 1 to ${handlerConcurrencyMax}`);
}
