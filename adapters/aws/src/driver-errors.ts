import { DriverError } from "@millrace/core";
import { refusedByAny, sdkFailure, unknownOfAny } from "./sdk-failure.ts";

/** Refused before any effect, and to be tried again. */
const refusedForNow = new Set([
  ...refusedByAny,
  "ThrottledException",
  "RequestLimitExceeded",
  "LimitExceededException",
  "TooManyUpdates",
  "ResourceInUse",
  "ResourceInUseException",
  "UpdateInProgressException",
  "ServiceNotActiveException",
]);

/** Whether it had an effect is not known; to be tried again. */
const unknownOutcome = new Set([...unknownOfAny, "ServerException", "InternalServerError"]);

const known = { has: (name: string) => refusedForNow.has(name) || unknownOutcome.has(name) };

/** The failure of a request as a DriverError. Throws the cause itself where it is a bug. */
export function driverError(what: string, cause: unknown): DriverError {
  if (cause instanceof DriverError) return cause;
  const failure = sdkFailure(cause, known);
  if (failure === undefined) throw cause;
  const { name, status } = failure;
  const isRefused = refusedForNow.has(name) || status === 429;
  const isUnknown = unknownOutcome.has(name) || status === undefined || status >= 500;
  const said = cause instanceof Error && cause.message !== name ? `: ${cause.message}` : "";
  return new DriverError(`${what}: ${name}${said}`, {
    retriable: isRefused || isUnknown,
    applied: isUnknown && !isRefused ? "maybe" : "no",
    cause,
  });
}

/** The error's name as the service calls it. */
export function isNamed(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

/** What the call gives, or `otherwise` where it fails with one of these. Throws DriverError. */
export async function asked<Output, Otherwise>(
  what: string,
  call: () => Promise<Output>,
  expected: { readonly names: readonly string[]; readonly otherwise: Otherwise },
): Promise<Output | Otherwise> {
  try {
    return await call();
  } catch (error) {
    if (isNamed(error, ...expected.names)) return expected.otherwise;
    throw driverError(what, error);
  }
}

/** The same for a call that has no expected failure. */
export function askedPlainly<Output>(what: string, call: () => Promise<Output>): Promise<Output> {
  return asked(what, call, { names: [], otherwise: undefined }) as Promise<Output>;
}
