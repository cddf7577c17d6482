import type { Fault } from "./fault-scene.ts";
import { stopAndLoseLogs } from "./tier-faults.ts";

/**
 * A fault that a run may prefer, for a mistake that nothing else shows: of a broker that is alone,
 * and of a cluster.
 */
export type PreferredFault = "stopAndLoseLogs" | "journalObjectLost" | "pauseLong" | "moves";

/** Undefined for those of a cluster: see its nemesis. */
export function preferredFault(name: PreferredFault): Fault | undefined {
  return name === "stopAndLoseLogs" ? stopAndLoseLogs : undefined;
}
