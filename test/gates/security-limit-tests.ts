/** The part of the table for users, credentials and clients that have not authenticated. */
import { type LimitTest, met } from "./limit-test.ts";

const security = "core/src/security";
const sasl = "broker-fargate/src/server/sasl";

export const credentialLimitTests: Readonly<Record<string, LimitTest>> = {
  scramIterationsMin: met(
    "UNACCEPTABLE_CREDENTIAL",
    `${security}/credential-changes.test.ts`,
    "takes as many iterations as Kafka does, and no more",
  ),
  scramIterationsMax: met(
    "UNACCEPTABLE_CREDENTIAL",
    `${security}/credential-changes.test.ts`,
    "takes as many iterations as Kafka does, and no more",
  ),
  userNameCharactersMax: met(
    "UNACCEPTABLE_CREDENTIAL",
    `${security}/credential-changes.test.ts`,
    "takes names and salts up to a length",
  ),
  scramMessageBytesMax: met(
    "SASL_AUTHENTICATION_FAILED",
    `${sasl}/sasl-bounds.test.ts`,
    "a message of SCRAM that is far too long is refused like any that is none",
  ),
  saltBytesMax: met(
    "UNACCEPTABLE_CREDENTIAL",
    `${security}/credential-changes.test.ts`,
    "takes names and salts up to a length",
  ),
  usersMax: met(
    "POLICY_VIOLATION",
    "broker-fargate/src/cluster/users.test.ts",
    "are bounded in number",
  ),
};

export const saslLimitTests: Readonly<Record<string, LimitTest>> = {
  unauthenticatedMsMax: met(
    "closed: unauthenticated",
    `${sasl}/sasl-session.test.ts`,
    "has a bounded time, whatever it sends",
  ),
  tlsHandshakeMsMax: met(
    "the handshake fails",
    "broker-fargate/src/server/tls.test.ts",
    "gives a handshake a bounded time, and cuts it when it closes",
  ),
  unauthenticatedRequestsMax: met(
    "the connection is not read",
    `${sasl}/sasl-session.test.ts`,
    "is read one request at a time",
  ),
  stretchesInFlightMax: met(
    "the login waits",
    `${sasl}/password-checks.test.ts`,
    "waits for its turn while others are stretched, and is refused when too many wait",
  ),
  stretchesWaitingMax: met(
    "closed: authenticationUnavailable",
    `${sasl}/password-checks.test.ts`,
    "waits for its turn while others are stretched, and is refused when too many wait",
  ),
  verifiedLoginMsMax: met(
    "PBKDF2 again",
    `${sasl}/password-checks.test.ts`,
    "that was right is remembered for a short time, for this user and credential",
  ),
  verifiedLoginsMax: met(
    "the oldest takes PBKDF2 again",
    `${sasl}/password-checks.test.ts`,
    "that was right is remembered for a bounded number of logins",
  ),
  reauthenticationMsMin: met(
    "ILLEGAL_SASL_STATE",
    `${sasl}/sasl-session.test.ts`,
    "is not begun again within a second of the last time, and the connection goes on",
  ),
};
