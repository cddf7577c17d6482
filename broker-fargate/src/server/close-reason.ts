/** Why a connection ended: a label of `millrace_connections_closed_total`, and in its log line. */
export type CloseReason =
  /** The peer closed it, or a network did. */
  | "clientClosed"
  | "clientReset"
  /** No complete request, no reply and no progress in sending for `connections.max.idle.ms`. */
  | "idle"
  /** A frame above `socket.request.max.bytes`, or with a negative length. */
  | "frameTooLarge"
  | "frameNegative"
  /** A header or body that does not follow the protocol. */
  | "undecodable"
  | "unknownApi"
  | "unsupportedVersion"
  /** A handler decided that the client must see a broken connection. */
  | "refusedByHandler"
  /** An operational failure or a bug inside a handler. */
  | "handlerFailed"
  /** A frame that arrived too slowly while memory was short. */
  | "slowFrame"
  /** A peer that read too slowly while others waited to write. */
  | "slowReader"
  /** Not authenticated in time. */
  | "unauthenticated"
  | "authenticationFailed"
  /** A request after the authentication's time was over. */
  | "authenticationExpired"
  /** What an authentication needs did not answer: the client may try again. */
  | "authenticationUnavailable"
  /** The credential was deleted that the connection's authentication rests on. */
  | "credentialDeleted"
  | "shutdown";

export const closeReasons: readonly CloseReason[] = [
  "clientClosed",
  "clientReset",
  "idle",
  "frameTooLarge",
  "frameNegative",
  "undecodable",
  "unknownApi",
  "unsupportedVersion",
  "refusedByHandler",
  "handlerFailed",
  "slowFrame",
  "slowReader",
  "unauthenticated",
  "authenticationFailed",
  "authenticationExpired",
  "authenticationUnavailable",
  "credentialDeleted",
  "shutdown",
];

/**
 * Thrown by a handler, or rejected with, when the only answer is to close the connection, as after
 * a failed produce with acks=0, which has no reply that could say so.
 */
export class CloseConnection extends Error {
  override readonly name = "CloseConnection";
  readonly reason: CloseReason;

  constructor(message: string, reason: CloseReason = "refusedByHandler") {
    super(message);
    this.reason = reason;
  }
}
