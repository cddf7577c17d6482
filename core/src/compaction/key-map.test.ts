import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seed } from "../../../test/fixtures/compaction.ts";
import { type KeyBytes, KeyMap } from "./key-map.ts";
import { keyMapLoadPercentMax } from "./limits.ts";

function keyOf(text: string): KeyBytes {
  const bytes = new TextEncoder().encode(text);
  return { bytes, from: 0, length: bytes.length };
}

describe("a key map", () => {
  test("knows the last offset of each key, as a Map does, over moves between threads", () => {
    const puts = fc.array(fc.string({ maxLength: 3 }), { maxLength: 200 });
    fc.assert(
      fc.property(puts, (texts) => {
        let map = KeyMap.create({ budgetBytes: 1 << 20, keysMax: texts.length, seed });
        const model = new Map<string, number>();
        for (const [i, text] of texts.entries()) {
          const offset = i * 2 ** 40;
          expect(map.put(keyOf(text), offset)).toBe("put");
          model.set(text, offset);
          if (i % 50 === 0) map = KeyMap.over(structuredClone(map.bytes));
        }
        expect(map.size).toBe(model.size);
        for (const [text, offset] of model) expect(map.offsetOf(keyOf(text))).toBe(offset);
        expect(map.offsetOf(keyOf("never put"))).toBe(-1);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  test("takes offset 0", () => {
    const map = KeyMap.create({ budgetBytes: 1000, keysMax: 1, seed });
    map.put(keyOf("a"), 0);
    expect([map.offsetOf(keyOf("a")), map.size]).toEqual([0, 1]);
  });

  test("is full at its share of slots for a new key, and takes a known one nevertheless", () => {
    const slots = 100;
    const map = KeyMap.create({ budgetBytes: (slots + 1) * 24, keysMax: 1e9, seed });
    expect(map.bytes.length).toBe((slots + 1) * 24);
    const outcomes = Array.from({ length: slots }, (_, i) => map.put(keyOf(`k${i}`), i));
    expect(outcomes.indexOf("full")).toBe(keyMapLoadPercentMax);
    expect(outcomes.lastIndexOf("put")).toBe(keyMapLoadPercentMax - 1);
    expect(map.put(keyOf("k0"), 500)).toBe("put");
    expect(map.offsetOf(keyOf("k0"))).toBe(500);
  });

  test("is no larger than its keys need, and takes one key on the smallest budget", () => {
    const small = KeyMap.create({ budgetBytes: 1 << 30, keysMax: 3, seed });
    expect(small.bytes.length).toBeLessThan(300);
    for (const key of ["a", "b", "c"]) expect(small.put(keyOf(key), 1)).toBe("put");
    const tiny = KeyMap.create({ budgetBytes: 0, keysMax: 1e9, seed });
    expect(tiny.put(keyOf("a"), 1)).toBe("put");
  });
});
