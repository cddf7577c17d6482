import { ApiKey } from "@millrace/wire";
import type { CloseReason } from "./close-reason.ts";
import type { Reply } from "./dispatcher.ts";

/** What a connection has read and not started. The end of its input is one of these too. */
export type QueueItem = QueuedRequest | QueuedEnd;

export interface QueuedRequest {
  readonly kind: "request";
  readonly frame: Uint8Array;
  /** When its last byte came, by the monotonic clock. */
  readonly receivedMs: number;
}

export interface QueuedEnd {
  readonly kind: "end";
  readonly reason: CloseReason;
  /** For the log; absent when the end is an ordinary one. */
  readonly message?: string;
}

/** A request that a handler has, or whose reply waits for the replies before it. */
export interface RequestInFlight {
  readonly apiKey: ApiKey;
  readonly bytes: number;
  readonly receivedMs: number;
  outcome: Outcome | undefined;
}

export type Outcome = { readonly reply: Reply | undefined } | { readonly failed: CloseReason };

/** Whether a request may start before the one ahead is answered: Produce behind Produce. */
export function mayFollow(ahead: RequestInFlight, frame: Uint8Array): boolean {
  return ahead.apiKey === ApiKey.Produce && apiKeyOf(frame) === ApiKey.Produce;
}

const opening: ReadonlySet<number> = new Set([
  ApiKey.ApiVersions,
  ApiKey.SaslHandshake,
  ApiKey.SaslAuthenticate,
]);

/**
 * Whether it is one of those that a connection begins with. Their replies are small: they wait for
 * nobody's unsent replies, so that who comes while others read nothing can show that it reads.
 */
export function opensConnection(frame: Uint8Array): boolean {
  return opening.has(apiKeyOf(frame));
}

/** A request's first two bytes. */
function apiKeyOf(frame: Uint8Array): number {
  return ((frame[0] ?? 0) << 8) | (frame[1] ?? 0);
}
