import { expect, test } from "vitest";
import { clusterMutations } from "./cluster-mutations.ts";
import { firstFound } from "./mutating.ts";

/** Those that take more seeds are run by `run.ts --mutations`. */
const quick = clusterMutations.filter(({ seedsMax }) => seedsMax <= 5);

/** A simulation that finds nothing proves nothing: each of these mistakes must turn it red. */
test.for(quick)("within $seedsMax seeds it is found that $name", async (mutation) => {
  expect(await firstFound(mutation)).toBeDefined();
});
