/** Why a commit failed, and what that means for the consumer. */
import { BrokerError, MillraceError } from "../errors.ts";
import type { TopicPartition } from "../transport/described.ts";

const membershipCodes: ReadonlySet<string> = new Set([
  "REBALANCE_IN_PROGRESS",
  "ILLEGAL_GENERATION",
  "UNKNOWN_MEMBER_ID",
]);

/** The next heartbeat says the same, and that is acted on. */
export function isMembership(error: unknown): boolean {
  return error instanceof MillraceError && membershipCodes.has(error.code);
}

/** The same commit may succeed later. */
export function isPassing(error: unknown): boolean {
  return error instanceof MillraceError && error.retriable;
}

/** At a rebalance: where the group has gone on, there is nothing that this member could commit. */
export function ignoreMembership(error: unknown): void {
  if (!isPassing(error) && !isMembership(error)) throw error;
}

/** The group would take it from any of its members, and undo what the partition's own committed. */
export function notHeld({ topic, partition }: TopicPartition): BrokerError {
  const message = `partition ${partition} of ${topic} is not this consumer's`;
  return new BrokerError({ code: "ILLEGAL_GENERATION", message, retriable: false });
}
