/** Heads that are read at the same time. */
export const headReadsInFlightMax = 32;
/** Heads that one transaction claims or releases; its other item is the incarnation's own. */
export const claimsAtOnceMax = 50;
/** Pause before slots that could not be opened are tried again. */
export const takeoverRetryMs = 250;
/** Slots whose former owners' leavings are copied at the same time. */
export const adoptionsAtOnceMax = 4;
/** Partitions of one slot that are copied at the same time, before it is claimed. */
export const copiesAtOnceMax = 4;
/** Pause before what could not be copied is tried again. */
export const adoptionRetryMs = 5_000;
/**
 * Pause after a move that was called off, which doubles with each, and before a write of one is tried
 * again.
 */
export const moveRetryMs = 250;
/** How long a move keeps slots closed before their heads are released; then it is called off. */
export const moveStoppedMsMax = 1_500;
/** How long a broker that stops waits for the others to take its slots. */
export const drainMsMax = 20_000;
/** How often it looks whether they have. */
export const drainPollMs = 50;
