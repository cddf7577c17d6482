import { describe, expect, it } from "vitest";
import { planMoves } from "./plan-moves.ts";

const limits = { checkpointsMax: 4, checkpointBytesMax: 100 };

function checkpoints(...sizes: readonly number[]) {
  return sizes.map((bytes, number) => ({ number, bytes, object: `c/${number}` }));
}

function live(...sizes: readonly number[]): ReadonlyMap<string, number> {
  return new Map(sizes.map((bytes, number) => [`c/${number}`, bytes]));
}

describe("parts that lie in packs", () => {
  it("stay where they are while the packs are few and mostly in use", () => {
    expect(planMoves(checkpoints(), live(), limits)).toBe(0);
    expect(planMoves(checkpoints(100, 100, 100), live(60, 60, 60), limits)).toBe(0);
  });

  it("move out of the oldest pack when there are too many", () => {
    const six = checkpoints(10, 10, 10, 10, 10, 10);
    expect(planMoves(six, live(9, 9, 9, 9, 9, 9), limits)).toBe(2);
  });

  it("move out of packs that take more than twice what counts of them", () => {
    // 400 of which 50 count: 200 are to go; each move brings its own bytes back.
    expect(planMoves(checkpoints(100, 100, 100, 100), live(10, 10, 10, 20), limits)).toBe(3);
  });

  it("move so many at a time as one checkpoint holds", () => {
    const five = checkpoints(500, 500, 500, 500, 500);
    expect(planMoves(five, live(90, 90, 90, 90, 90), limits)).toBe(1);
    expect(planMoves(five, live(300, 1, 1, 1, 1), limits)).toBe(1);
  });
});
