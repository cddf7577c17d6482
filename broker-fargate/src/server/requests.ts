import type { ApiKey } from "@millrace/wire";
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

/** The API key is a request's first two bytes, and Produce's is 0. */
export function isProduce(frame: Uint8Array): boolean {
  return frame[0] === 0 && frame[1] === 0;
}
