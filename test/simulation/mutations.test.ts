import { expect, test } from "vitest";
import type { KnownMutation } from "./mutating.ts";
import { mutations } from "./mutations.ts";
import { simulate } from "./simulate.ts";

const events = 4_000;

/** A simulation that finds nothing proves nothing: each of these mistakes must turn it red. */
test.for(mutations)("within $seedsMax seeds it is found that $name", async (mutation) => {
  expect(await firstFound(mutation)).toBeDefined();
});

async function firstFound(mutation: KnownMutation): Promise<number | undefined> {
  const { crashAt, faultsMsMin = 0, foundAs, killIn, regime, seedsMax } = mutation;
  const focus = {
    ...(killIn === undefined ? {} : { killIn }),
    ...(crashAt === undefined ? {} : { crashAt }),
  };
  const how = { events, faultsMsMin, regime, mutation, ...focus };
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const { anomalies } = await simulate({ ...how, seed, anomaliesMax: 1 });
    if (anomalies.some(({ kind }) => foundAs.includes(kind))) return seed;
  }
  return undefined;
}
