import { describe, expect, it } from "vitest";
import { foundBy, smallBounds } from "./found-by.ts";
import { mutations } from "./mutations.ts";
import { stepNames } from "./events.ts";
import { search } from "./search.ts";
import { walk } from "./walk.ts";

const two = { brokers: 2, slots: 1 };
const three = { brokers: 3, slots: 2 };

describe("journal, fence, heads, takeover and graceful move, as core decides them", () => {
  it("lose no acknowledged record in any state that a few events of two brokers reach", () => {
    const searched = search({ size: two, depth: 60, statesMax: 10_000, bounds: smallBounds });
    expect(searched.found).toBeUndefined();
    expect(searched.isWhole).toBe(true);
    expect(searched.states).toBeGreaterThan(1_000);
  });

  it("lose none in random walks of three brokers and two slots, which take every step", () => {
    const taken = new Set<string>();
    let acknowledged = 0;
    for (let seed = 1; seed <= 25; seed += 1) {
      const walked = walk({ size: three, seed, events: 1_500 });
      expect(walked.found, `seed ${seed}`).toBeUndefined();
      for (const name of Object.keys(walked.taken)) taken.add(name);
      acknowledged += walked.acknowledged;
    }
    expect(acknowledged).toBeGreaterThan(1_000);
    expect([...taken].toSorted()).toEqual(stepNames.toSorted());
  });

  it.each(mutations)("lose some with the deviation: %s", (mutation) => {
    const { seed } = foundBy[mutation];
    expect(walk({ size: three, seed, events: 1_500, mutation }).found).toBeDefined();
  });

  it.each(["fence skipped", "dead journal deleted while a head names it"] as const)(
    "lose some in few events with the deviation: %s",
    (mutation) => {
      const options = { size: two, depth: 60, statesMax: 10_000, bounds: smallBounds };
      const { found } = search({ ...options, mutation });
      expect(found).toBeDefined();
      expect(found?.trace.length).toBeLessThan(15);
    },
  );

  it("go the same way twice", () => {
    const once = walk({ size: three, seed: 5, events: 500 });
    expect(walk({ size: three, seed: 5, events: 500 })).toEqual(once);
  });
});
