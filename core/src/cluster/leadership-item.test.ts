import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { slot } from "../ids.ts";
import { readLeadership } from "./leadership-item.ts";
import { formatSlots, parseSlots } from "./slot-list.ts";

const bits = "ab".repeat(16);

describe("the item of leadership", () => {
  it("reads ranges and lists of slots, and knows no leader of the rest", () => {
    const value = {
      epoch: 9,
      incarnations: 4,
      controller: `3-${bits}`,
      assignments: [
        { firstSlot: 0, lastSlot: 1, broker: 1, incarnation: `1-${bits}`, epoch: 4 },
        { broker: 2, incarnation: `3-${bits}`, epoch: 9, slots: "3,5-6" },
      ],
      moves: [{ slots: "3", from: `3-${bits}`, to: `1-${bits}` }],
    };
    const read = readLeadership({ key: "leadership", version: 1, value }, 8);
    expect(read.leaders.map((leader) => leader?.brokerId)).toEqual([
      ...[1, 1, undefined, 2, undefined],
      ...[2, 2, undefined],
    ]);
    expect(read.moves).toEqual([{ slots: [3], from: `3-${bits}`, to: `1-${bits}` }]);
    expect(read.controller).toBe(`3-${bits}`);
  });

  it.each([
    ["two leaders of a slot", [{ slots: "0-1" }, { slots: "1" }]],
    ["a slot that the cluster does not have", [{ slots: "8" }]],
    ["slots out of order", [{ slots: "2,1" }]],
    ["no slots", [{}]],
    ["a text that is no list", [{ slots: "0,,1" }]],
  ])("is not read with %s", (_, entries) => {
    const assignments = entries.map((entry) => {
      return { broker: 1, incarnation: `1-${bits}`, epoch: 1, ...entry };
    });
    const value = { epoch: 1, incarnations: 1, assignments };
    expect(() => readLeadership({ key: "leadership", version: 1, value }, 8)).toThrow(
      /cannot be read/,
    );
  });

  it("has any set of slots as a short text", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(1023)), (numbers) => {
        const slots = numbers.toSorted((a, b) => a - b).map((number) => slot(number));
        expect(parseSlots(formatSlots(slots), 1024)).toEqual(slots);
      }),
      { numRuns: 60, seed: 6 },
    );
    expect(formatSlots([0, 3, 6, 7, 8, 9].map((number) => slot(number)))).toBe("0,3,6-9");
    expect(parseSlots("3-3", 4)).toEqual([3]);
  });
});
