import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ColdPart } from "./cold-part.ts";
import { planRest, planTail } from "./plan-tail.ts";

function packedPart(baseOffset: number, nextOffset: number, batchesBytes: number): ColdPart {
  const place = { object: "", position: 0, bytes: batchesBytes + 1, batchesBytes };
  return { ...place, baseOffset, nextOffset, maxTimestamp: -1, leaderEpochs: [] };
}

const bytesOf = (parts: readonly ColdPart[]): number =>
  parts.reduce((sum, { batchesBytes }) => sum + batchesBytes, 0);

describe("a tail", () => {
  it("needs nothing while the object store has all of it", () => {
    expect(planTail({ from: 5, to: 5, bytes: 0, packed: [] }, 100)).toEqual({ kind: "nothing" });
    const packed = [packedPart(0, 10, 50)];
    expect(planTail({ from: 0, to: 10, bytes: 50, packed }, 100)).toEqual({ kind: "nothing" });
  });

  it("becomes a cold segment from the least size on, whatever of it is packed", () => {
    expect(planTail({ from: 0, to: 9, bytes: 99, packed: [] }, 100).kind).toBe("packed");
    expect(planTail({ from: 0, to: 9, bytes: 100, packed: [] }, 100).kind).toBe("segment");
    const packed = [packedPart(0, 8, 95)];
    expect(planTail({ from: 0, to: 9, bytes: 100, packed }, 100)).toEqual({ kind: "segment" });
  });

  it("takes in the packed parts that have no larger a power of two than what it has by then", () => {
    const packed = [packedPart(0, 10, 64), packedPart(10, 12, 15), packedPart(12, 13, 7)];
    const from = (bytes: number): unknown => {
      return planTail({ from: 0, to: 20, bytes: 86 + bytes, packed }, 1_000);
    };
    expect(from(3)).toEqual({ kind: "packed", from: 13 });
    expect(from(4)).toEqual({ kind: "packed", from: 10 });
    expect(from(41)).toEqual({ kind: "packed", from: 10 });
    expect(from(42)).toEqual({ kind: "packed", from: 0 });
  });

  it("leaves a packed part alone whose beginning a cold segment covers", () => {
    const packed = [packedPart(5, 12, 1), packedPart(12, 13, 1)];
    const plan = planTail({ from: 10, to: 20, bytes: 90, packed }, 100);
    expect(plan).toEqual({ kind: "packed", from: 12 });
  });

  it("goes soonest as a packed part of its own, if it is not enough for a cold segment", () => {
    const packed = [packedPart(0, 10, 90)];
    const rest = (bytes: number): unknown => {
      return planRest({ from: 0, to: 20, bytes: 90 + bytes, packed }, 100);
    };
    expect(planRest({ from: 0, to: 10, bytes: 90, packed }, 100)).toEqual({ kind: "nothing" });
    expect([rest(99), rest(100)]).toEqual([{ kind: "packed", from: 10 }, { kind: "segment" }]);
    const whole = planRest({ from: 5, to: 20, bytes: 1, packed: [] }, 100);
    expect(whole).toEqual({ kind: "packed", from: 5 });
  });

  it("takes in parts that do not become smaller, with all after them", () => {
    const parts = [packedPart(0, 10, 64), packedPart(10, 12, 8), packedPart(12, 13, 16)];
    const from = (packed: readonly ColdPart[]): unknown => {
      return planTail({ from: 0, to: 20, bytes: bytesOf(packed) + 1, packed }, 1_000);
    };
    expect(from(parts)).toEqual({ kind: "packed", from: 10 });
    expect(from([...parts, packedPart(13, 14, 4)])).toEqual({ kind: "packed", from: 10 });
    expect(from([packedPart(0, 10, 64), packedPart(10, 12, 64)])).toEqual({
      ...{ kind: "packed", from: 0 },
    });
  });

  it("rises without end only where what comes before it can't be taken in, and is packed on", () => {
    const packed = [packedPart(0, 10, 16), packedPart(10, 20, 512)];
    const plan = (from: number, to: number): unknown => {
      return planTail({ from, to, bytes: bytesOf(packed) + 1, packed }, 10_000);
    };
    expect(plan(0, 21)).toEqual({ kind: "packed", from: 0 });
    expect(plan(5, 21)).toEqual({ kind: "packed", from: 20 });
    expect(plan(0, 0xffff_ffff + 5)).toEqual({ kind: "packed", from: 20 });
  });

  it("that trickles has a logarithm of packed parts, and is packed as often at most", () => {
    const anyOrder = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 300 });
    // Each a little smaller than the one before: none is larger than what comes after it.
    const falling = fc.integer({ min: 1, max: 300 }).map((count) => {
      return Array.from({ length: count }, (_, i) => 500 - i);
    });
    const trickle = fc.oneof(anyOrder, falling);
    fc.assert(
      fc.property(trickle, (sizes) => {
        let packed: readonly ColdPart[] = [];
        let to = 0;
        let allBytes = 0;
        let packedBytes = 0;
        for (const size of sizes) {
          to += 1;
          allBytes += size;
          const plan = planTail({ from: 0, to, bytes: allBytes, packed }, 1e9);
          if (plan.kind !== "packed") throw new Error(plan.kind);
          const kept = packed.filter(({ baseOffset }) => baseOffset < plan.from);
          expect(kept.at(-1)?.nextOffset ?? 0).toBe(plan.from);
          const bytes = allBytes - bytesOf(kept);
          packedBytes += bytes;
          packed = [...kept, packedPart(plan.from, to, bytes)];
          expect(packed.length).toBeLessThanOrEqual(Math.floor(Math.log2(allBytes)) + 1);
        }
        expect(packedBytes).toBeLessThanOrEqual(allBytes * (Math.log2(allBytes) + 1));
      }),
      { seed: 1, numRuns: 40 },
    );
  });
});
