import { describe, expect, it } from "vitest";
import type { CompactionRules } from "../compaction/cleanable.ts";
import { clippedParts, coldCleanable, type ColdCleanableLog } from "./cold-cleanable.ts";
import type { ColdPart } from "./cold-part.ts";

function part(baseOffset: number, nextOffset: number, maxTimestamp = 1): ColdPart {
  const place = { object: `${baseOffset}`, position: 0, bytes: 120, batchesBytes: 100 };
  return { ...place, baseOffset, nextOffset, maxTimestamp, leaderEpochs: [] };
}

function logOf(
  parts: readonly ColdPart[],
  other: Partial<ColdCleanableLog> = {},
): ColdCleanableLog {
  const ends = { logStartOffset: 0, lastStableOffset: 1_000 };
  return { clipped: clippedParts(parts), cleanedTo: 0, ...ends, ...other };
}

const rules: CompactionRules = {
  ...{ minCompactionLagMs: 0, maxCompactionLagMs: Number.MAX_SAFE_INTEGER },
  minCleanableDirtyRatio: 0.5,
};
const now = { nowMs: 1_000_000, dirtyBytesMin: 1 };
const three = [part(0, 10), part(10, 20), part(20, 30)];

describe("of a cold log", () => {
  it("nothing is cleanable when it is empty, or clean", () => {
    expect(coldCleanable(logOf([]), rules, now)).toBeUndefined();
    expect(coldCleanable(logOf(three, { cleanedTo: 30 }), rules, now)).toBeUndefined();
  });

  it("every part is, the last one too", () => {
    const all = { firstDirtyOffset: 0, firstUncleanableOffset: 30, dirtyRatio: 1, isDue: true };
    expect(coldCleanable(logOf(three), rules, now)).toEqual(all);
    const found = coldCleanable(logOf(three, { cleanedTo: 20 }), rules, now);
    expect(found).toMatchObject({ firstDirtyOffset: 20, firstUncleanableOffset: 30, isDue: false });
  });

  it("a part that reaches past undecided transactions, or is too young, is not", () => {
    const undecided = coldCleanable(logOf(three, { lastStableOffset: 25 }), rules, now);
    expect(undecided?.firstUncleanableOffset).toBe(20);
    const young = [part(0, 10), part(10, 20, now.nowMs - 10), part(20, 30)];
    const found = coldCleanable(logOf(young), { ...rules, minCompactionLagMs: 100 }, now);
    expect(found?.firstUncleanableOffset).toBe(10);
  });

  it("a part begins where the one before it ends", () => {
    const overlapping = [part(0, 10), part(5, 20)];
    expect(clippedParts(overlapping).map(({ baseOffset }) => baseOffset)).toEqual([0, 10]);
    const found = coldCleanable(logOf(overlapping, { lastStableOffset: 10 }), rules, now);
    expect(found?.firstUncleanableOffset).toBe(10);
  });

  it("few dirty bytes are left alone, but not for ever where records may wait only so long", () => {
    const few = { ...now, dirtyBytesMin: 301 };
    expect(coldCleanable(logOf(three), rules, few)?.isDue).toBe(false);
    expect(coldCleanable(logOf(three), rules, { ...now, dirtyBytesMin: 300 })?.isDue).toBe(true);
    const lag = { ...rules, maxCompactionLagMs: 900_000 };
    expect(coldCleanable(logOf(three), lag, few)?.isDue).toBe(true);
    const young = three.map((each) => ({ ...each, maxTimestamp: 200_000 }));
    expect(coldCleanable(logOf(young), lag, few)?.isDue).toBe(false);
    const asked = logOf(young, { firstDirtyTimestamp: 50_000 });
    expect(coldCleanable(asked, lag, few)?.isDue).toBe(true);
  });
});
