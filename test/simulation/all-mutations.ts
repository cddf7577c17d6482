import { clusterMutations } from "./cluster-mutations.ts";
import type { KnownMutation } from "./mutating.ts";
import { mutations } from "./mutations.ts";

/** Of a broker that is alone, and of a cluster's. */
export const allMutations: readonly KnownMutation[] = [...mutations, ...clusterMutations];
