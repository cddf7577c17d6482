/** What @platformatic/kafka throws, and what brokers answer, as the errors of the SDK. */
import {
  AuthenticationError as TransportAuthenticationError,
  GenericError,
  MultipleErrors,
  protocolErrors,
  protocolErrorsCodesById,
  TimeoutError,
  UserError,
} from "@platformatic/kafka";
import {
  argumentError,
  AuthenticationError,
  BrokerError,
  ConnectionError,
  MillraceError,
} from "../../errors.ts";

const authenticationCodes: ReadonlySet<string> = new Set([
  "SASL_AUTHENTICATION_FAILED",
  "UNSUPPORTED_SASL_MECHANISM",
  "ILLEGAL_SASL_STATE",
]);

/** The error that a broker named by its number; undefined for 0. */
export function brokerError(errorCode: number, detail?: string | null): BrokerError | undefined {
  if (errorCode === 0) return undefined;
  const code = protocolErrorsCodesById[errorCode] ?? "UNKNOWN_SERVER_ERROR";
  const known = protocolErrors[code];
  const message = detail ?? known?.message ?? `a broker answered with the error ${errorCode}`;
  return new BrokerError({ code, message, retriable: known?.canRetry ?? false });
}

/** Throws the error that a broker named by its number, if it is one. */
export function refuse(errorCode: number, detail?: string | null): void {
  const error = brokerError(errorCode, detail);
  if (error !== undefined) throw error;
}

function reasons(error: unknown): readonly Error[] {
  if (!(error instanceof Error)) return [];
  const inner = MultipleErrors.isMultipleErrors(error) ? error.errors : [];
  return [error, ...inner.flatMap(reasons), ...reasons(error.cause)];
}

function isRefusedLogin(error: Error): boolean {
  if (error instanceof TransportAuthenticationError) return true;
  const { apiId } = error as { readonly apiId?: string };
  return apiId !== undefined && authenticationCodes.has(apiId);
}

/** A failure of the transport. A refusal within a response does not come here: `call` reads it. */
export function toMillraceError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  const all = reasons(error);
  const login = all.find(isRefusedLogin);
  if (login !== undefined) {
    const said = reasons(login).at(-1) ?? login;
    const { serverErrorMessage } = said as { readonly serverErrorMessage?: string | null };
    return new AuthenticationError(serverErrorMessage ?? said.message, error);
  }
  if (all.some((reason) => reason instanceof TimeoutError)) {
    return new ConnectionError("no broker answered in time", error, "REQUEST_TIMED_OUT");
  }
  const usage = all.find((reason) => reason instanceof UserError);
  if (usage !== undefined) return argumentError(usage.message);
  if (all.some((reason) => reason instanceof GenericError) || all.length > 1) {
    return new ConnectionError(all.at(-1)?.message ?? "no broker answered", error);
  }
  // 2.12.1: a number that its table of errors does not have makes the parser throw a TypeError.
  const message = `a response could not be read: ${all[0]?.message ?? String(error)}`;
  return new MillraceError({ code: "INVALID_RESPONSE", message, retriable: false, cause: error });
}
