/** Bounds of compaction. */

/** Of the key map's slots, in percent: beyond it, look-ups walk too far. */
export const keyMapLoadPercentMax = 75;

/**
 * Aborted transactions that one round knows. A round with more ends below the first one that it
 * does not know; their data goes in this round, so that the next one begins behind it.
 */
export const abortedTransactionsMax = 100_000;
