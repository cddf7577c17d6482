/** Bounds of operations. */

/** How long a runner has an operation for itself; it renews that with each step. */
export const leaseMs = 60_000;
/** How often in a row a step is tried that fails, and the longest waits between, which double. */
export const failuresMax = 8;
export const stepBackoffMsFirst = 500;
export const stepBackoffMsMax = 30_000;
/** How long nothing may come of what was begun: a broker's start, a table, a drain. */
export const stillMsMax = 900_000;
/** How often what was begun is looked at: at first, and after a while. */
export const lookMsFirst = 100;
export const lookMsMax = 5_000;
/** How often a call of the control store is tried, and the longest first wait between tries. */
export const storeTriesMax = 6;
export const storeBackoffMsFirst = 20;
/** Objects of a deleted cluster that are removed in one go. */
export const deletedObjectsPage = 1_000;
/** How long an ended operation can be read. */
export const operationKeptMs: number = 30 * 86_400_000;
/** How long a failed cluster rests before it is tried again to give it a new certificate. */
export const renewalRestMs = 86_400_000;
/** What is kept of a driver's words in an operation. */
export const faultCharactersMax = 2_000;
/** Operations that a sweep runs at once, and clusters it looks at: most of the time they wait. */
export const sweptAtOnceMax = 8;
