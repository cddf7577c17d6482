/** What is known of a failed request of the SDK. */
export interface SdkFailure {
  /** The service's error code, or the name of an error of the SDK or of Node. */
  readonly name: string;
  /** Absent when there was no answer. */
  readonly status: number | undefined;
}

/** Refused before any effect, by whichever service, and to be tried again. */
export const refusedByAny: readonly string[] = [
  "Throttling",
  "ThrottlingException",
  "TooManyRequests",
  "RequestLimitExceeded",
  // Credentials and clocks: the SDK has corrected its own by the next try.
  "ExpiredToken",
  "ExpiredTokenException",
  "TokenRefreshRequired",
  "RequestTimeTooSkewed",
  "CredentialsProviderError",
  // No connection was made.
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
];

/** Whether it had an effect is not known, whichever the service; to be tried again. */
export const unknownOfAny: readonly string[] = [
  "AbortError",
  "TimeoutError",
  "ServiceUnavailable",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
];

/** Undefined: the error tells of no request, so it is a bug. `names`: errors without a status. */
export function sdkFailure(
  error: unknown,
  names: { readonly has: (name: string) => boolean },
): SdkFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  const { $metadata, $response, code } = error as Error & {
    readonly $metadata?: { readonly httpStatusCode?: number };
    readonly $response?: { readonly statusCode?: number };
    readonly code?: unknown;
  };
  const status = $response?.statusCode ?? $metadata?.httpStatusCode;
  const name = status === undefined && typeof code === "string" ? code : error.name;
  const isKnown = status !== undefined || names.has(name);
  // Node's own complaints about arguments have a code too.
  const isOfSystem =
    typeof code === "string" && !(error instanceof TypeError || error instanceof RangeError);
  return isKnown || isOfSystem ? { name, status } : undefined;
}
