import { describe, expect, it } from "vitest";
import { Windows } from "./windows.ts";

const nobody = (): undefined => undefined;

describe("windows of a probe", () => {
  it("tell the longest time between two acknowledgements, and when it began", () => {
    const windows = new Windows(1, 1_000);
    for (const at of [1_010, 1_020, 1_520, 1_530]) windows.acked(0, at);
    expect(windows.next(1_540, nobody)).toMatchObject([
      { partition: 0, gapMs: 500, gapAtMs: 20, acks: 4 },
    ]);
  });

  it("count a silence that is not over at a window's end, and again, whole, in the next", () => {
    const windows = new Windows(1, 0);
    windows.acked(0, 100);
    expect(windows.next(400, nobody)).toMatchObject([{ gapMs: 300, gapAtMs: 100 }]);
    windows.acked(0, 1_100);
    expect(windows.next(1_200, nobody)).toMatchObject([{ gapMs: 1_000, gapAtMs: -300, acks: 1 }]);
  });

  it("tell who led a partition at both ends of a window", () => {
    const windows = new Windows(2, 0);
    windows.next(1, (partition) => partition + 1);
    const found = windows.next(2, () => 3);
    expect(found).toMatchObject([
      { partition: 0, from: 1, to: 3 },
      { partition: 1, from: 2, to: 3 },
    ]);
  });

  it("tell the longest present silence", () => {
    const windows = new Windows(2, 0);
    windows.acked(0, 50);
    expect(windows.silenceMs(60)).toBe(Number.POSITIVE_INFINITY);
    windows.acked(1, 60);
    expect(windows.silenceMs(70)).toBe(20);
    expect(windows.silenceOf(1, 70)).toBe(10);
  });
});
