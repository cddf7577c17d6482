/** Bounds of what a broker remembers of its cluster, and of how long it waits for the others. */

import { assert, evidenceMsMax, heartbeatMs } from "@millrace/core";

/** How long a deleted topic's name counts as deleted a moment ago: the others know it by then. */
export const recentDeletionMs = 10_000;
/** Names that are remembered as deleted a moment ago; past it the oldest are forgotten. */
export const recentDeletionsMax = 10_000;
/** Misses that are answered without another read; past it all of them are forgotten. */
export const confirmedMissesMax = 10_000;
/** How long a creation waits for the others to have seen the deletion of its name. */
export const haveSeenMsMax = 5_000;
/** How long brokers that start together wait for each other before others' slots are given. */
export const firstSpreadMs = 1_000;
/** How long after its start a broker that is alone looks for others as often as if it were not. */
export const startLooksForMs = 10_000;
/** Pause after a look or a heartbeat that failed, the first time and the longest. */
export const storeRetryMsMin = 100;
export const storeRetryMsMax = 1_000;
/** Between two looks while slots are to be moved, and for how long after the last wish of it. */
export const moveLookMs = 50;
export const moveLooksForMs = 1_000;
/** How long who hands slots over waits for the receiver to have heard of it: longer than a look. */
export const receiverSeenMsMax = 1_500;
/** A slot's load is a mean over about this long. */
export const trafficWindowMs = 10_000;
/**
 * How long leadership must have stood still before slots move by load: what each broker tells is by
 * then of the slots that it leads now.
 */
export const loadQuietMs = 30_000;
/** Topics that are read at the same time to follow what changed. */
export const followedTopicsInFlightMax = 16;

assert(
  evidenceMsMax < haveSeenMsMax && haveSeenMsMax < recentDeletionMs,
  "who has not seen a change by then knows that it may not answer, and a deletion is remembered",
);
assert(3 * trafficWindowMs <= loadQuietMs, "95 % of what a slot that came brings is told by then");
assert(2 * heartbeatMs < receiverSeenMsMax, "a receiver that looks as it should is waited for");
assert(heartbeatMs < moveLooksForMs, "looks are still quick when the next wish is written");
