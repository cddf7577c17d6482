/** Bounds of clients that have not authenticated, with their units in the names. */

/** How long a connection may take to its authentication, once its bytes can be read. */
export const unauthenticatedMsMax = 30_000;
/** How long the TLS handshake before that may take. */
export const tlsHandshakeMsMax = 10_000;
/** Requests of a connection that has not authenticated which are read and not answered. */
export const unauthenticatedRequestsMax = 1;
/** Passwords that go through PBKDF2 at once: it shares libuv's four threads with files. */
export const stretchesInFlightMax = 2;
/** Logins that wait for that; one more has its connection closed. */
export const stretchesWaitingMax = 500;
/** How long a verified login by PLAIN needs no PBKDF2 again. */
export const verifiedLoginMsMax = 60_000;
/** Verified logins that are remembered. */
export const verifiedLoginsMax = 2_000;
/** A client may begin to authenticate again so long after it last did, as in Kafka. */
export const reauthenticationMsMin = 1_000;
