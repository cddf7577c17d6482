import { beforeEach, describe, expect, it } from "vitest";
import { DirtyTails } from "./dirty-tails.ts";
import { CheckpointerRig, smallLimits } from "./fixtures.ts";
import type { TestOwner } from "./fixtures.ts";

const { checkpointDueMs, coldSegmentBytesMin, leftJournalBytesMax } = smallLimits;
const large = coldSegmentBytesMin;

describe("tails that no round has taken", () => {
  let rig: CheckpointerRig;
  let tails: DirtyTails<TestOwner>;
  let [streaming, trickling, other]: TestOwner[] = [];

  function owner(which: TestOwner | undefined): TestOwner {
    if (which === undefined) throw new Error("there is no such owner");
    return which;
  }

  function journaled(partition: number): TestOwner {
    const local = rig.owner(partition);
    return { ...local, settings: { ...local.settings, durability: "journal" } };
  }

  const taken = (nowMs: number): readonly number[] =>
    tails.take(nowMs).map((tail) => tail.owner.tiered.partition);

  beforeEach(() => {
    rig = new CheckpointerRig();
    tails = new DirtyTails(smallLimits);
    [streaming, trickling, other] = [rig.owner(0), rig.owner(1), rig.owner(2)];
  });

  it("are left with their bytes and their age while they are small", () => {
    tails.add(owner(trickling), 10, 0);
    tails.add(owner(streaming), large, 5);
    expect([tails.bytes, tails.bytesSinceTaken, tails.size]).toEqual([large + 10, large + 10, 2]);
    expect(taken(6)).toEqual([0]);
    expect([tails.bytes, tails.bytesSinceTaken, tails.size]).toEqual([10, 0, 1]);
    tails.add(owner(trickling), 1, 20);
    expect(tails.dueMs).toBe(checkpointDueMs);
    tails.add(owner(streaming), large, 30);
    expect(taken(checkpointDueMs - 1)).toEqual([0]);
    tails.add(owner(streaming), 1, checkpointDueMs - 1);
    expect(taken(checkpointDueMs)).toEqual([1, 0]);
    expect([tails.bytes, tails.dueMs]).toEqual([0, Number.POSITIVE_INFINITY]);
  });

  it("are all taken once one that the journal keeps has kept too much of it", () => {
    const kept = journaled(3);
    const busy = journaled(4);
    tails.add(busy, large, 0);
    tails.add(kept, 1, 0);
    tails.add(owner(trickling), 1, 0);
    tails.add(busy, leftJournalBytesMax - 2, 0);
    expect(taken(1)).toEqual([4]);
    tails.add(busy, 1, 1);
    expect(taken(2)).toEqual([3, 1, 4]);
  });

  it("hold no journal that they are not in", () => {
    const busy = journaled(4);
    tails.add(owner(trickling), 1, 0);
    tails.add(busy, 2 * leftJournalBytesMax, 0);
    expect(taken(1)).toEqual([4]);
  });

  it("are due when it is said after a failure, with what came since", () => {
    tails.add(owner(streaming), large, 0);
    const [tail] = tails.take(1);
    if (tail === undefined) throw new Error("nothing was taken");
    tails.add(owner(streaming), 7, 100);
    tails.putBack(tail, 50);
    expect([tails.bytes, tails.size, tails.dueMs]).toEqual([large + 7, 1, 50]);
    expect(taken(50)).toEqual([0]);
  });

  it("are forgotten with their partition, and not taken of one that is over", () => {
    tails.add(owner(trickling), 10, 0);
    tails.add(owner(other), 20, 0);
    tails.forget(owner(other));
    expect([tails.bytes, tails.size]).toEqual([10, 1]);
    owner(trickling).isOver = true;
    expect(tails.takeAll()).toEqual([]);
    expect(tails.size).toBe(0);
  });
});
