import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ColdLog } from "./cold-log.ts";
import type { ColdPart } from "./cold-part.ts";

function part(baseOffset: number, nextOffset: number, other: Partial<ColdPart> = {}): ColdPart {
  const place = { object: `${baseOffset}-${nextOffset}`, position: 0, bytes: 20 };
  const facts = { batchesBytes: 10, maxTimestamp: -1, leaderEpochs: [] };
  return { ...place, ...facts, baseOffset, nextOffset, ...other };
}

/** As `0-10 10-15`. */
function shown(parts: Iterable<ColdPart>): string {
  return [...parts].map(({ object }) => object).join(" ");
}

describe("a cold log", () => {
  it("is empty at first, and has neither begin nor end then", () => {
    const cold = new ColdLog([], []);
    expect(cold.isEmpty).toBe(true);
    expect([cold.startOffset, cold.endOffset, cold.segmentsEnd]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(cold.find(0)).toBeUndefined();
  });

  it("leaves out packed parts that a segment covers, and keeps one that it covers in part", () => {
    const cold = new ColdLog(
      [part(0, 10), part(10, 20)],
      [part(5, 20), part(15, 25), part(25, 30)],
    );
    expect(shown(cold.parts())).toBe("0-10 10-20 15-25 25-30");
    expect(cold.find(19)?.object).toBe("10-20");
    expect(cold.find(20)?.object).toBe("15-25");
    expect([cold.startOffset, cold.segmentsEnd, cold.endOffset]).toEqual([0, 20, 30]);
    expect(cold.batchesBytes).toBe(40);
  });

  it("begins its segments where its packed parts begin while it has none", () => {
    const cold = new ColdLog([], [part(3, 10), part(10, 20)]);
    expect(cold.segmentsEnd).toBe(3);
    cold.addSegment(part(3, 12));
    expect(shown(cold.parts())).toBe("3-12 10-20");
    cold.addSegment(part(12, 20));
    expect(shown(cold.parts())).toBe("3-12 12-20");
  });

  it("refuses a segment, or a packed part, behind a gap", () => {
    expect(() => new ColdLog([part(0, 10), part(11, 20)], [])).toThrow();
    const cold = new ColdLog([part(0, 10)], [part(10, 20)]);
    expect(() => cold.addSegment(part(11, 20))).toThrow();
    expect(() => cold.packedWith(part(21, 30))).toThrow();
  });

  it("takes a packed part in the place of those that begin in it", () => {
    const cold = new ColdLog([], [part(0, 10), part(10, 12), part(12, 14)]);
    expect(shown(cold.packedWith(part(10, 20)))).toBe("0-10 10-20");
    expect(shown(cold.packedWith(part(14, 20)))).toBe("0-10 10-12 12-14 14-20");
    expect(shown(cold.packed)).toBe("0-10 10-12 12-14");
    cold.replacePacked(cold.packedWith(part(0, 20)));
    expect(shown(cold.packed)).toBe("0-20");
  });

  it("gives away the parts below a new start, and does not take them in again", () => {
    const cold = new ColdLog([part(0, 10), part(10, 20)], [part(20, 30), part(30, 40)]);
    const before = cold.packed;
    expect(shown(cold.cutStart(9))).toBe("");
    expect(shown(cold.cutStart(30))).toBe("0-10 10-20 20-30");
    expect(cold.startOffset).toBe(30);
    cold.replacePacked(before);
    expect(shown(cold.parts())).toBe("30-40");
    expect(shown(cold.cutStart(20))).toBe("");
  });

  it("is clean up to the end of the cleaned segments that it begins with", () => {
    const isCleaned = true;
    const clean = [part(3, 10, { isCleaned }), part(10, 20, { isCleaned })];
    expect(new ColdLog([], []).cleanedTo).toBeUndefined();
    expect(new ColdLog(clean, []).cleanedTo).toBe(20);
    expect(new ColdLog(clean, [part(20, 30)]).cleanedTo).toBe(20);
    expect(new ColdLog([], [part(20, 30)]).cleanedTo).toBe(20);
    const dirty = [part(20, 30), part(30, 40, { isCleaned })];
    expect(new ColdLog([...clean, ...dirty], []).cleanedTo).toBe(20);
    expect(new ColdLog(dirty, []).cleanedTo).toBe(20);
  });

  it("has segments take the place of neighbours, packed ones too", () => {
    const segments = [part(0, 10), part(10, 20), part(20, 30)];
    const cold = new ColdLog(segments, [part(25, 40), part(40, 50)]);
    const [first, second, third] = segments;
    if (first === undefined || second === undefined || third === undefined) throw new Error();
    const one = part(0, 20, { object: "one" });
    expect(cold.has([first, second])).toBe(true);
    expect(cold.replace([first, second], [one])).toEqual([]);
    expect(cold.has([second])).toBe(false);
    expect(shown(cold.parts())).toBe("one 20-30 25-40 40-50");
    const [packed] = cold.packed;
    if (packed === undefined) throw new Error();
    cold.replace([third, packed], [part(20, 40)]);
    expect(shown(cold.parts())).toBe("one 20-40 40-50");
    cold.replace([one], [part(0, 5), part(5, 20)]);
    expect(shown(cold.parts())).toBe("0-5 5-20 20-40 40-50");
  });

  it("keeps out of a replacement what the start has passed meanwhile", () => {
    const segments = [part(0, 10), part(10, 20), part(20, 30)];
    const cold = new ColdLog(segments, []);
    cold.cutStart(12);
    expect(cold.replace(segments.slice(0, 2), [part(0, 20)])).toEqual([]);
    expect(shown(cold.parts())).toBe("0-20 20-30");
    const [one] = cold.segments;
    if (one === undefined) throw new Error();
    cold.cutStart(25);
    expect(shown(cold.replace([one], [part(0, 20, { object: "late" })]))).toBe("late");
    expect(shown(cold.parts())).toBe("20-30");
  });

  it("does not replace a packed part that a segment has covered in part meanwhile", () => {
    const packed = part(10, 30);
    const cold = new ColdLog([part(0, 10)], [packed]);
    const by = [part(10, 30, { object: "cleaned" })];
    expect(cold.mayReplace([packed], by)).toBe(true);
    cold.addSegment(part(10, 15));
    expect(cold.has([packed])).toBe(true);
    expect(cold.mayReplace([packed], by)).toBe(false);
    expect(cold.mayReplace([packed], [part(15, 30)])).toBe(true);
    cold.addSegment(part(15, 30));
    expect(cold.mayReplace([packed], by)).toBe(false);
  });

  it("refuses a replacement that leaves a gap", () => {
    const segments = [part(0, 10), part(10, 20), part(20, 30)];
    const cold = new ColdLog(segments, []);
    expect(() => cold.replace(segments.slice(0, 2), [part(0, 15)])).toThrow();
  });

  it("has a segment follow a start that all segments ended below", () => {
    const cold = new ColdLog([part(0, 10)], []);
    cold.cutStart(15);
    cold.addSegment(part(15, 20));
    expect(shown(cold.parts())).toBe("15-20");
  });

  it("tells the history of leader epochs, each once, from where it began", () => {
    const first = [
      { epoch: 1, startOffset: 0 },
      { epoch: 3, startOffset: 5 },
    ];
    const second = [
      { epoch: 3, startOffset: 10 },
      { epoch: 4, startOffset: 12 },
    ];
    const cold = new ColdLog(
      [part(0, 10, { leaderEpochs: first })],
      [part(10, 20, { leaderEpochs: second })],
    );
    expect(cold.leaderEpochs()).toEqual([...first, { epoch: 4, startOffset: 12 }]);
  });

  it("finds for every offset the first part that ends above it", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 12 });
    fc.assert(
      fc.property(lengths, lengths, fc.nat(4), (segments, packed, overlap) => {
        let next = 2;
        const build = (length: number): ColdPart => part(next, (next += length));
        const built = segments.map(build);
        next = Math.max(2, next - (built.length > 0 ? overlap : 0));
        const cold = new ColdLog(built, packed.map(build));
        const parts = [...cold.parts()];
        for (let offset = 0; offset <= next; offset += 1) {
          expect(cold.find(offset)).toBe(parts.find(({ nextOffset }) => nextOffset > offset));
        }
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});
