import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { brokerId, epoch, incarnationId, type Slot, slot } from "../ids.ts";
import { itemBytesMax } from "../ports/metadata-store.ts";
import { registered } from "./leadership-changes.ts";
import {
  countedItem,
  leadershipItem,
  readLeadership,
  readWithoutLeaders,
} from "./leadership-item.ts";
import { type Leadership, noLeadership, type SlotLeader } from "./leadership.ts";
import { moveSlotsMax, rangedSlotsMax } from "./limits.ts";
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

  const leader = (id: number): SlotLeader => ({
    ...{ brokerId: brokerId(id), incarnation: incarnationId(`${id}-${bits}`), epoch: epoch(id) },
  });
  const twoLead: Leadership = {
    ...{ ...noLeadership(6), epoch: epoch(2), incarnations: 2 },
    leaders: [leader(1), leader(1), leader(2), undefined, leader(1), leader(2)],
  };
  const itemOf = (value: ReturnType<typeof leadershipItem>) => {
    return { key: "leadership", version: 1, value };
  };

  it("has at level 1 what the first versions read: every assignment is a range", () => {
    const { assignments } = leadershipItem(twoLead, 1);
    const [one, two] = [leader(1), leader(2)].map(({ incarnation }) => incarnation);
    expect(assignments).toEqual([
      { firstSlot: 0, lastSlot: 1, broker: 1, incarnation: one, epoch: 1 },
      { firstSlot: 2, lastSlot: 2, broker: 2, incarnation: two, epoch: 2 },
      { firstSlot: 4, lastSlot: 4, broker: 1, incarnation: one, epoch: 1 },
      { firstSlot: 5, lastSlot: 5, broker: 2, incarnation: two, epoch: 2 },
    ]);
  });

  it("has from level 2 on one list of slots for each epoch, and is read at every level", () => {
    const listed = leadershipItem(twoLead, 2);
    expect(listed["assignments"]).toMatchObject([{ slots: "0-1,4" }, { slots: "2,5" }]);
    for (const value of [listed, leadershipItem(twoLead, 1), leadershipItem(twoLead, 3)]) {
      expect(readLeadership(itemOf(value), 6)).toEqual(twoLead);
    }
  });

  it("fits into an item at level 1, with an assignment for each of the most slots", () => {
    const largest = 2 ** 31 - 1;
    const leaders = Array.from({ length: rangedSlotsMax }, (_, number) => {
      const incarnation = incarnationId(`${largest}-${bits}`);
      return { brokerId: brokerId(largest), incarnation, epoch: epoch(largest - number) };
    });
    const [{ incarnation }] = leaders as [SlotLeader];
    const wished = Array.from({ length: rangedSlotsMax }, (_, number) => number as Slot);
    const moves = wished.flatMap((first) => {
      const slots = wished.slice(first, first + moveSlotsMax).filter((one) => one % 2 === 0);
      return first % moveSlotsMax === 0 ? [{ slots, from: incarnation, to: incarnation }] : [];
    });
    const most = { ...noLeadership(0), leaders, moves, controller: incarnation };
    expect(JSON.stringify(leadershipItem(most, 1)).length).toBeLessThan(itemBytesMax);
  });

  it("counts an incarnation by a version that can read nothing else of it", () => {
    const foreign = { ...leadershipItem(twoLead, 2), assignments: "of a later level", more: [1] };
    expect(() => readLeadership(itemOf(foreign), 6)).toThrow(/cannot be read/);
    const counts = readWithoutLeaders(itemOf(foreign), 6);
    expect(counts).toEqual({ ...noLeadership(6), epoch: 2, incarnations: 2 });
    expect(countedItem(itemOf(foreign))).toEqual({ ...foreign, incarnations: 3 });
    const first = registered(noLeadership(6), incarnationId(`1-${bits}`));
    expect(readLeadership(itemOf(countedItem(undefined)), 6)).toEqual(first);
    expect(() => readWithoutLeaders(itemOf({}), 6)).toThrow(/cannot be read/);
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
