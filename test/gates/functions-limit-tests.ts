/** Which test meets which limit of `functions/src/limits.ts`: see `limit-tests.ts`. */
import { type LimitTest, met } from "./limit-test.ts";

const login = "functions/src/gateway-login.test.ts";

export const functionsLimitTests: Readonly<Record<string, LimitTest>> = {
  openTablesMax: met(
    "the longest unused one is closed",
    "functions/src/stores.test.ts",
    "a cluster's store is opened once, and the longest unused one closed where there are too many",
  ),
  credentialCharactersMax: met("403", login, "does not look at what is too long"),
  clockToleranceSecondsMax: met(
    "403",
    login,
    "takes a token whose end is a moment ago, because clocks differ",
  ),
  issuerKeysMsMax: met(
    "500",
    login,
    "does not wait for ever for an issuer's keys, and refuses nobody for it",
  ),
  invocationEndMs: met(
    "the operation is let go, and the next sweep goes on with it",
    "functions/src/provisioner-events.test.ts",
    "run the operation that a record names, until a moment before the invocation's end",
  ),
  clustersPage: met(
    "the others are asked for next",
    "functions/src/missing-brokers.test.ts",
    "more clusters than one page has are all looked at, a page at a time",
  ),
};
