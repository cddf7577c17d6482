/** Bounds of what a cluster's metadata may hold, and how long its brokers wait for each other. */
import { assert } from "../assert.ts";

/**
 * Partitions of one topic. A topic is one item whatever its count, but a client that asks for all
 * topics is told of every partition: 100,000 are some 3 MB of one response.
 */
export const topicPartitionsMax: number = 100_000;
/** Partitions of all topics together. */
export const clusterPartitionsMax: number = 1_000_000;
/** Topics of the cluster: each is an entry in every broker's memory. */
export const clusterTopicsMax: number = 100_000;
/**
 * Of all keys and values that are set for one topic or broker, each character as many as it has bytes
 * in JSON: far below an item.
 */
export const configCharactersMax: number = 64 * 1024;

/** Between two heartbeats of a member, and between two looks at those of the others. */
export const heartbeatMs: number = 500;
/** The same of a broker that is the only member of its cluster. */
export const aloneHeartbeatMs: number = 5_000;
/** Between two successful reads that count as one watch, from the beginning of each. */
export const readGapMsMax: number = 1_000;
/** A member whose counter stood still as long under watch is dead. */
export const deadAfterMs: number = 2_500;
/** A member that stands still as long counts among those that stand still at once. */
export const stillAfterMs: number = 1_500;
/** How long the watcher's own reads and writes must succeed before it declares most others dead. */
export const massWaitMs: number = 5_000;
/** By so much each watcher waits longer than the one before it in rank. */
export const rankMs: number = 500;
/** One that says so, or whose counter was never seen to change, may have been alone until now. */
export const joinedDeadAfterMs: number = aloneHeartbeatMs + deadAfterMs;
/** A coordinator answers from memory so long after its last strong read of the version began. */
export const evidenceMsMax: number = 3_000;
/** The same of the only member: it reads seldom, and a joiner gives it more time. */
export const aloneEvidenceMsMax: number = 7_000;
/** A move that is not done by then is called off. */
export const moveMsMax: number = 10_000;
/** Slots that one broker is asked to give away, or to take, at a time, for balance. */
export const moveSlotsMax: number = 128;
/** Slots of a heartbeat whose load is told, the hottest. */
export const hotSlotsMax: number = 16;
/** Keys that a write of the version item names. */
export const changedKeysMax: number = 16;
/**
 * Slots of a cluster of several brokers whose leadership fits into one item though each slot takes
 * an assignment of its own, as below level 2 of `millrace.version`.
 */
export const rangedSlotsMax: number = 2_048;

assert(heartbeatMs * 4 < deadAfterMs, "some lost heartbeats are no death");
assert(heartbeatMs < readGapMsMax, "reads in their rhythm are one watch");
assert(readGapMsMax < stillAfterMs, "one slow read makes nobody stand still");
assert(stillAfterMs < deadAfterMs, "those that die at once are seen together");
assert(aloneHeartbeatMs < aloneEvidenceMsMax, "an idle cluster of one answers between its reads");
assert(aloneEvidenceMsMax < joinedDeadAfterMs, "evidence ends before a joiner can take over");
