import fc from "fast-check";
import { expect, test } from "vitest";
import { Fifo } from "./fifo.ts";

test("does what an array does", () => {
  const step = fc.oneof(fc.nat({ max: 9 }), fc.constant("shift"), fc.constant("drain"));
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const fifo = new Fifo<number>();
    const model: number[] = [];
    for (const one of steps) {
      if (one === "shift") expect(fifo.shift()).toBe(model.shift());
      else if (one === "drain") expect(fifo.drain()).toEqual(model.splice(0));
      else {
        fifo.push(Number(one));
        model.push(Number(one));
      }
      expect([fifo.size, fifo.first]).toEqual([model.length, model[0]]);
    }
  });
  fc.assert(property, { seed: 7, numRuns: 500 });
});
