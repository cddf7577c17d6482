import { describe, expect, test } from "vitest";
import { AbortedFinder } from "./transactions.ts";

describe("aborted transactions", () => {
  test("are found from their first batch to their marker, by their first offsets", () => {
    const finder = new AbortedFinder(100);
    finder.batch(1, 10);
    finder.batch(2, 11);
    finder.batch(1, 12);
    finder.marker(2, 13, "abort");
    finder.marker(1, 14, "abort");
    finder.batch(1, 15);
    finder.marker(1, 16, "commit");
    expect(finder.found()).toEqual({
      aborted: [
        { producerId: 1, firstOffset: 10, lastOffset: 14 },
        { producerId: 2, firstOffset: 11, lastOffset: 13 },
      ],
      coveredTo: 100,
    });
  });

  test("are looked for past the end, as far as a marker of one that began below it lies", () => {
    const finder = new AbortedFinder(20);
    finder.batch(1, 19);
    expect(finder.isDone(20)).toBe(false);
    finder.batch(2, 21);
    finder.marker(1, 30, "abort");
    expect(finder.isDone(31)).toBe(true);
    expect(finder.found().aborted).toEqual([{ producerId: 1, firstOffset: 19, lastOffset: 30 }]);
  });

  test("without a batch that is left are none", () => {
    const finder = new AbortedFinder(20);
    finder.marker(1, 5, "abort");
    expect(finder.found()).toEqual({ aborted: [], coveredTo: 20 });
  });

  test("are known up to the first that there was no room for, or that nobody decided", () => {
    const finder = new AbortedFinder(100, 2);
    for (let i = 0; i < 4; i++) finder.batch(i, 10 + i);
    for (let i = 0; i < 4; i++) finder.marker(i, 20 + i, "abort");
    expect(finder.found()).toMatchObject({ aborted: [{}, {}], coveredTo: 12 });
    expect(finder.isDone(24)).toBe(true);
    const open = new AbortedFinder(100);
    open.batch(1, 50);
    expect(open.found().coveredTo).toBe(50);
  });
});
