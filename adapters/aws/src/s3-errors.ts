import { ObjectError } from "@millrace/core";

/** What is known of a failed request. */
export interface S3Failure {
  /** S3's error code, or the name of an error of the SDK or of Node. */
  readonly name: string;
  /** Absent when there was no answer. */
  readonly status: number | undefined;
}

/** Refused before any effect, and to be tried again. */
const refusedForNow = new Set([
  "SlowDown",
  "Throttling",
  "ThrottlingException",
  "TooManyRequests",
  "RequestLimitExceeded",
  "BandwidthLimitExceeded",
  // Credentials and clocks: the SDK has corrected its own by the next try.
  "ExpiredToken",
  "ExpiredTokenException",
  "TokenRefreshRequired",
  "RequestTimeTooSkewed",
  "CredentialsProviderError",
  // The bytes that came were not the bytes that were sent.
  "BadDigest",
  "XAmzContentChecksumMismatch",
  "InvalidChunkSizeError",
  // No connection was made.
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/** Whether it had an effect is not known; to be tried again. */
const unknownOutcome = new Set([
  "AbortError",
  "TimeoutError",
  "RequestTimeout",
  "RequestTimeoutException",
  "ConditionalRequestConflict",
  "OperationAborted",
  "InternalError",
  "ServiceUnavailable",
  // The upload was completed or aborted by somebody else.
  "NoSuchUpload",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
]);

/** Undefined: the error tells of no request, so it is a bug. */
export function s3Failure(error: unknown): S3Failure | undefined {
  if (!(error instanceof Error)) return undefined;
  const { $metadata, $response, code } = error as Error & {
    readonly $metadata?: { readonly httpStatusCode?: number };
    readonly $response?: { readonly statusCode?: number };
    readonly code?: unknown;
  };
  const status = $response?.statusCode ?? $metadata?.httpStatusCode;
  const name = status === undefined && typeof code === "string" ? code : error.name;
  const isKnown = status !== undefined || refusedForNow.has(name) || unknownOutcome.has(name);
  // Node's own complaints about arguments have a code too.
  const isOfSystem =
    typeof code === "string" && !(error instanceof TypeError || error instanceof RangeError);
  return isKnown || isOfSystem ? { name, status } : undefined;
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
