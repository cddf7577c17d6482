import { AssertionError } from "@millrace/core";

/** A failure that a user can act on is one line; the causes behind it follow. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AssertionError || error instanceof TypeError)
    return error.stack ?? error.message;
  const cause = error.cause === undefined ? "" : `\n  because: ${failureText(error.cause)}`;
  return `${error.message}${cause}`;
}
