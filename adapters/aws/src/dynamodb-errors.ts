import { MetadataError } from "@millrace/core";
import { refusedByAny, sdkFailure, unknownOfAny } from "./sdk-failure.ts";

/** Refused before any effect, and to be tried again. */
const refusedForNow = new Set([
  ...refusedByAny,
  "ProvisionedThroughputExceededException",
  // Another transaction has the item.
  "TransactionConflictException",
  "ReplicatedWriteConflictException",
  // Also what DynamoDB says of a signature that is too old.
  "InvalidSignatureException",
]);

/** Whether it had an effect is not known; to be tried again. */
const unknownOutcome = new Set([
  ...unknownOfAny,
  "InternalServerError",
  // The same transaction, of an earlier try, is under way.
  "TransactionInProgressException",
]);

const known = { has: (name: string) => refusedForNow.has(name) || unknownOutcome.has(name) };

/** Why one write of a transaction was in its way; `None`: it was not. */
export interface CancellationReason {
  readonly Code?: string | undefined;
  readonly Item?: Record<string, unknown> | undefined;
}

export const conditionFailed = "ConditionalCheckFailed";

/** Reasons that may be gone at the next try. */
const passingReasons = new Set([
  "None",
  "TransactionConflict",
  "ProvisionedThroughputExceeded",
  "ThrottlingError",
  "RequestLimitExceeded",
]);

/** Of a transaction that was cancelled, one for each write; of other errors undefined. */
export function cancellationReasons(error: unknown): readonly CancellationReason[] | undefined {
  if (!(error instanceof Error) || error.name !== "TransactionCanceledException") return undefined;
  const { CancellationReasons } = error as Error & {
    readonly CancellationReasons?: readonly CancellationReason[];
  };
  return CancellationReasons ?? [];
}

/**
 * The failure of a request as a MetadataError. `effect`: whether the request has one that lasts.
 * Throws the cause itself where it is a bug.
 */
export function dynamoDbError(
  what: string,
  cause: unknown,
  effect: "none" | "lasting",
): MetadataError {
  if (cause instanceof MetadataError) return cause;
  const failure = sdkFailure(cause, known);
  if (failure === undefined) throw cause;
  const reasons = cancellationReasons(cause);
  if (reasons !== undefined) return cancelled(what, cause, reasons);
  const { name, status } = failure;
  const isRefused = refusedForNow.has(name) || status === 429;
  const isUnknown = unknownOutcome.has(name) || status === undefined || status >= 500;
  const applied = effect === "lasting" && isUnknown && !isRefused ? "maybe" : "no";
  const message = `${what}: ${name}${status === undefined ? "" : ` (${status})`}`;
  return new MetadataError(message, { retriable: isUnknown || isRefused, applied, cause });
}

function cancelled(
  what: string,
  cause: unknown,
  reasons: readonly CancellationReason[],
): MetadataError {
  const codes = reasons.map(({ Code = "None" }) => Code);
  const named = [...new Set(codes.filter((code) => code !== "None"))].join(", ");
  const retriable = codes.every((code) => passingReasons.has(code));
  return new MetadataError(`${what}: ${named}`, { retriable, applied: "no", cause });
}
