import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planRound, type UntieredTail } from "./plan-round.ts";

const bounds = { segmentBytesMin: 100, leftBytesMax: 200 };

function tail(newBytes: number, packedBytes = 0): UntieredTail {
  return { newBytes, bytes: newBytes + packedBytes };
}

describe("a round that bytes began", () => {
  it("takes what is enough for a cold segment, packed bytes included, and leaves the rest", () => {
    const tails = [tail(99), tail(100), tail(1, 99), tail(1, 98)];
    expect(planRound(tails, bounds)).toEqual([tails[1], tails[2]]);
  });

  it("leaves small tails up to the bound of all of them together", () => {
    expect(planRound([tail(90), tail(90), tail(20)], bounds)).toEqual([]);
  });

  it("takes the largest of them past the bound, until half of it is left", () => {
    const tails = [tail(60), tail(90), tail(10), tail(41), tail(300)];
    expect(planRound(tails, bounds)).toEqual([tails[4], tails[1], tails[0]].filter(Boolean));
    expect(planRound([tail(60), tail(90), tail(10), tail(30)], bounds)).toEqual([]);
  });

  it("leaves no more than the bound, whatever there is, and each tail at most once", () => {
    const some = fc.record({
      newBytes: fc.integer({ min: 0, max: 150 }),
      packedBytes: fc.nat(50),
    });
    fc.assert(
      fc.property(fc.array(some, { maxLength: 60 }), (sizes) => {
        const tails = sizes.map(({ newBytes, packedBytes }) => tail(newBytes, packedBytes));
        const taken = new Set(planRound(tails, bounds));
        const left = tails.filter((each) => !taken.has(each));
        expect(taken.size + left.length).toBe(tails.length);
        const leftBytes = left.reduce((sum, { newBytes }) => sum + newBytes, 0);
        expect(leftBytes).toBeLessThanOrEqual(bounds.leftBytesMax);
        for (const { bytes } of left) expect(bytes).toBeLessThan(bounds.segmentBytesMin);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
