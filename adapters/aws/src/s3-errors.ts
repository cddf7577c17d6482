import { ObjectError } from "@millrace/core";
import { refusedByAny, type SdkFailure, sdkFailure, unknownOfAny } from "./sdk-failure.ts";

/** Refused before any effect, and to be tried again. */
const refusedForNow = new Set([
  ...refusedByAny,
  "SlowDown",
  "BandwidthLimitExceeded",
  // The bytes that came were not the bytes that were sent.
  "BadDigest",
  "XAmzContentChecksumMismatch",
  "InvalidChunkSizeError",
]);

/** Whether it had an effect is not known; to be tried again. */
const unknownOutcome = new Set([
  ...unknownOfAny,
  "RequestTimeout",
  "RequestTimeoutException",
  "ConditionalRequestConflict",
  "OperationAborted",
  "InternalError",
  // The upload was completed or aborted by somebody else.
  "NoSuchUpload",
]);

const known = { has: (name: string) => refusedForNow.has(name) || unknownOutcome.has(name) };

/** Undefined: the error tells of no request, so it is a bug. */
export function s3Failure(error: unknown): SdkFailure | undefined {
  return sdkFailure(error, known);
}

/**
 * The failure of a request as an ObjectError. `effect`: whether the request has one that lasts.
 * Throws the cause itself where it is a bug.
 */
export function s3Error(what: string, cause: unknown, effect: "none" | "lasting"): ObjectError {
  if (cause instanceof ObjectError) return cause;
  const failure = s3Failure(cause);
  if (failure === undefined) throw cause;
  const { name, status } = failure;
  const isUnknown = unknownOutcome.has(name) || isPassing(status) || status === undefined;
  const isRefused = refusedForNow.has(name) || status === 429;
  const applied = effect === "lasting" && isUnknown && !isRefused ? "maybe" : "no";
  const message = `${what}: ${name}${status === undefined ? "" : ` (${status})`}`;
  return new ObjectError(message, { retriable: isUnknown || isRefused, applied, cause });
}

/** S3 answers a racing conditional write with 409. */
function isPassing(status: number | undefined): boolean {
  return status !== undefined && (status >= 500 || status === 408 || status === 409);
}
