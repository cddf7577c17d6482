/** Bounds of what one invocation does and waits for. */

/** How many clusters' stores are kept open: each has connections of its own. */
export const openTablesMax = 50;
/** Longer credentials are nobody's: they are not looked at. */
export const credentialCharactersMax = 8_192;
/** How far a token's times and the clock may be apart. */
export const clockToleranceSecondsMax = 30;
/** How long an issuer may take to give its keys. */
export const issuerKeysMsMax = 3_000;
/** Of an invocation, the end is kept to write down how far it came. */
export const invocationEndMs = 15_000;
/** Clusters that are looked at between two questions for more. */
export const clustersPage = 100;
