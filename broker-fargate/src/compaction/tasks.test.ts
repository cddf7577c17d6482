import fc from "fast-check";
import { expect, test } from "vitest";
import { packed } from "./tasks.ts";

test("what is left of a piece is packed at its start, unless that would write over what is to come", () => {
  const part = fc.oneof(
    fc.record({ skip: fc.nat(5), view: fc.nat(9) }),
    fc.record({ own: fc.nat(9) }),
  );
  let [inPlace, without] = [0, 0];
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.nat(20), (given, before) => {
      const memory = Uint8Array.from({ length: 200 }, (_, i) => i);
      const batches = memory.subarray(before, 100);
      let at = 0;
      const parts = given.map((each) => {
        if ("own" in each) {
          at += Math.floor(each.own / 2);
          return new Uint8Array(each.own).fill(0xff);
        }
        at += each.skip;
        const view = batches.subarray(at, at + each.view);
        at += view.length;
        return view;
      });
      const expected = parts.flatMap((each) => [...each]);
      const left = packed(parts, batches);
      if (left === undefined) {
        without += 1;
        expect(parts.flatMap((each) => [...each])).toEqual(expected);
        return;
      }
      inPlace += 1;
      expect([...left]).toEqual(expected);
      expect([left.buffer, left.byteOffset]).toEqual([memory.buffer, before]);
    }),
    { seed: 1, numRuns: 500 },
  );
  expect(Math.min(inPlace, without)).toBeGreaterThan(50);
});
