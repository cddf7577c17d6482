import { expect, test } from "vitest";
import { firstFound } from "./mutating.ts";
import { mutations } from "./mutations.ts";

/** A simulation that finds nothing proves nothing: each of these mistakes must turn it red. */
test.for(mutations)("within $seedsMax seeds it is found that $name", async (mutation) => {
  expect(await firstFound(mutation)).toBeDefined();
});
