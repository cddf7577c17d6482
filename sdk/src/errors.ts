/**
 * The one error model of the SDK. Every failure is a `MillraceError` with Kafka's name of the error
 * (or one of `SdkErrorCode`), whether trying again can help, and its cause. What the transport
 * throws is never handed on as it is. A wait that an `AbortSignal` ended rejects with the signal's
 * reason, as everywhere on the platform.
 */
import type { StandardIssue } from "./schema.ts";

/**
 * Codes of failures that no broker named. Kafka's own names stand beside them in `code`.
 *
 * @example
 * ```ts
 * import { MillraceError, type SdkErrorCode } from "@millrace/sdk";
 *
 * const passing: readonly SdkErrorCode[] = ["CONNECTION_FAILED", "REQUEST_TIMED_OUT"];
 * export const isOutage = (error: unknown): boolean =>
 *   error instanceof MillraceError && passing.some((code) => code === error.code);
 * ```
 */
export type SdkErrorCode =
  | "CONNECTION_FAILED"
  | "REQUEST_TIMED_OUT"
  | "INVALID_RESPONSE"
  | "INVALID_MESSAGE"
  | "INVALID_ARGUMENT"
  | "DELIVERY_TIMED_OUT"
  | "BUFFER_EXHAUSTED"
  | "OPERATION_FAILED"
  | "CLOSED";

interface Failure {
  /** Kafka's name of the error, such as `UNKNOWN_TOPIC_OR_PARTITION`, or an `SdkErrorCode`. */
  readonly code: string;
  readonly message: string;
  readonly retriable: boolean;
  readonly cause?: unknown;
}

/**
 * What everything that the SDK throws has in common.
 *
 * @example
 * ```ts
 * import { connect, MillraceError } from "@millrace/sdk";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * try {
 *   await client.admin.deleteTopic("orders");
 * } catch (error) {
 *   if (!(error instanceof MillraceError)) throw error;
 *   console.error(error.code, error.retriable);
 * }
 * ```
 */
export class MillraceError extends Error {
  override readonly name: string = "MillraceError";
  /** Kafka's name of the error, such as `UNKNOWN_TOPIC_OR_PARTITION`, or an `SdkErrorCode`. */
  readonly code: string;
  /** True where the same call may succeed later, without a change to it. */
  readonly retriable: boolean;

  constructor(failure: Failure) {
    super(failure.message, failure.cause === undefined ? {} : { cause: failure.cause });
    this.code = failure.code;
    this.retriable = failure.retriable;
  }
}

/**
 * A broker answered, and refused. `code` is Kafka's name of the error
 * (https://kafka.apache.org/protocol#protocol_error_codes).
 *
 * @example
 * ```ts
 * import { BrokerError, connect } from "@millrace/sdk";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * try {
 *   await client.admin.createTopic("orders", { partitions: 3 });
 * } catch (error) {
 *   if (!(error instanceof BrokerError && error.code === "TOPIC_ALREADY_EXISTS")) throw error;
 * }
 * ```
 */
export class BrokerError extends MillraceError {
  override readonly name: string = "BrokerError";
}

/**
 * No broker answered: it could not be reached, or the connection ended, or the answer took too
 * long. Whether the request took effect is unknown.
 *
 * @example
 * ```ts
 * import { connect, ConnectionError } from "@millrace/sdk";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const topics = await client.admin.listTopics().catch((error: unknown) => {
 *   if (error instanceof ConnectionError) return [];
 *   throw error;
 * });
 * console.log(topics);
 * ```
 */
export class ConnectionError extends MillraceError {
  override readonly name: string = "ConnectionError";

  constructor(message: string, cause?: unknown, code: SdkErrorCode = "CONNECTION_FAILED") {
    super({ code, message, retriable: true, cause });
  }
}

/**
 * The broker did not accept the credentials (`SASL_AUTHENTICATION_FAILED`), or they do not fit its
 * listener. Trying again with the same ones does not help.
 *
 * @example
 * ```ts
 * import { AuthenticationError, connect } from "@millrace/sdk";
 *
 * await using client = connect({
 *   brokers: ["broker.example.com:9092"],
 *   tls: true,
 *   sasl: { mechanism: "SCRAM-SHA-512", username: "app", password: "secret" },
 * });
 * await client.admin.listTopics().catch((error: unknown) => {
 *   if (error instanceof AuthenticationError) console.error("wrong key");
 *   throw error;
 * });
 * ```
 */
export class AuthenticationError extends MillraceError {
  override readonly name: string = "AuthenticationError";

  constructor(message: string, cause?: unknown) {
    super({ code: "SASL_AUTHENTICATION_FAILED", message, retriable: false, cause });
  }
}

/**
 * Where a message that did not fit its topic was met.
 *
 * @example
 * ```ts
 * import { ValidationError, type ValidationTarget } from "@millrace/sdk";
 *
 * const where: ValidationTarget = { topic: "orders", side: "value" };
 * console.log(new ValidationError(where, [{ message: "no total" }]).message);
 * ```
 */
export interface ValidationTarget {
  readonly topic: string;
  readonly side: "key" | "value";
  /** Absent where the message was about to be sent. */
  readonly partition?: number;
  readonly offset?: number;
}

/**
 * A key or a value that its schema or its codec does not accept (`INVALID_MESSAGE`). Nothing was
 * sent; or, on the reading side, the message was not handed out.
 *
 * @example
 * ```ts
 * import { connect, ValidationError } from "@millrace/sdk";
 * import { z } from "zod";
 *
 * await using client = connect({ brokers: ["localhost:9092"] });
 * const orders = client.topic("orders", { value: z.object({ total: z.number().positive() }) });
 * await orders.send({ value: { total: -1 } }).catch((error: unknown) => {
 *   if (error instanceof ValidationError) console.error(error.side, error.issues);
 * });
 * ```
 */
export class ValidationError extends MillraceError {
  override readonly name: string = "ValidationError";
  readonly topic: string;
  readonly side: "key" | "value";
  readonly partition: number | undefined;
  readonly offset: number | undefined;
  /** What the schema said; one issue, without a path, where the codec failed. */
  readonly issues: readonly StandardIssue[];

  constructor(target: ValidationTarget, issues: readonly StandardIssue[], cause?: unknown) {
    const where =
      target.offset === undefined ? "" : ` at offset ${target.offset} of ${target.partition ?? 0}`;
    const what = issues.map(({ message }) => message).join("; ");
    const message = `the ${target.side} does not fit topic ${target.topic}${where}: ${what}`;
    super({ code: "INVALID_MESSAGE", message, retriable: false, cause });
    this.topic = target.topic;
    this.side = target.side;
    this.partition = target.partition;
    this.offset = target.offset;
    this.issues = issues;
  }
}

export function closedError(what: string): MillraceError {
  return new MillraceError({ code: "CLOSED", message: `${what} is closed`, retriable: false });
}

export function argumentError(message: string, cause?: unknown): MillraceError {
  return new MillraceError({ code: "INVALID_ARGUMENT", message, retriable: false, cause });
}
