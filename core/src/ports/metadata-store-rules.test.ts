import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AssertionError } from "../assert.ts";
import { keysUnder } from "../cluster/keys.ts";
import {
  type KeyRange,
  itemBytesMax,
  keyBytesMax,
  transactBytesMax,
  type Write,
} from "./metadata-store.ts";
import { assertKey, jsonsOf, keyPartition, rangePartition } from "./metadata-store-rules.ts";

const component = fc.string({
  unit: fc.constantFrom("a", "b", "0", "9", "-", "~", "!"),
  minLength: 1,
  maxLength: 3,
});
const key = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));

const range = (from: string, to: string): KeyRange => ({ from, to, limit: 1 });

describe("the partition of a key", () => {
  it("is its first component, or its first two if it has three or more", () => {
    const partitions = [
      ["leadership", "leadership"],
      ["topic/orders", "topic"],
      ["slot/00007/head", "slot/00007"],
      ["slot/00007/segment/0190/3/00000000000000000042", "slot/00007"],
    ] as const;
    for (const [whole, partition] of partitions) expect(keyPartition(whole)).toBe(partition);
  });

  it("is that of every key that a range can meet, but for the deeper ones of a first component", () => {
    fc.assert(
      fc.property(key, key, fc.array(key), (from, to, others) => {
        let partition: string;
        try {
          partition = rangePartition(range(from, to));
        } catch {
          return;
        }
        for (const each of others) {
          if (each < from || each >= to) continue;
          expect(each.startsWith(`${partition}/`)).toBe(true);
          if (partition.includes("/")) expect(keyPartition(each)).toBe(partition);
        }
      }),
    );
  });

  it("holds the whole of a range over a prefix", () => {
    expect(rangePartition(keysUnder("topic", 9))).toBe("topic");
    expect(rangePartition(keysUnder("slot/00007", 9))).toBe("slot/00007");
    expect(rangePartition(keysUnder("slot/00007/group", 9))).toBe("slot/00007");
    expect(() => rangePartition(range("slot/00007", "slot/00009"))).not.toThrow();
    expect(() => rangePartition(range("slot/00007/", "slot/00009/"))).toThrow(AssertionError);
    expect(() => rangePartition(range("topic", "topic0"))).toThrow(AssertionError);
  });
});

describe("what a store is asked to write", () => {
  const put = (name: string, bytes: number): Write => ({
    kind: "put",
    key: name,
    value: { text: "x".repeat(bytes) },
  });

  it("has keys of printable ASCII, and not too long", () => {
    expect(() => assertKey("k".repeat(keyBytesMax))).not.toThrow();
    for (const wrong of ["", "k".repeat(keyBytesMax + 1), "a b", "\u00fc", "a\u007f"]) {
      expect(() => assertKey(wrong)).toThrow(AssertionError);
    }
  });

  it("is bounded in all its values together, whatever their characters are", () => {
    const few = Array.from({ length: 10 }, (_, n) => put(`k/${n}`, itemBytesMax - 100));
    expect(jsonsOf(few).join("").length).toBeLessThan(transactBytesMax);
    expect(() => jsonsOf([...few, put("more", 2_000)])).toThrow(AssertionError);
    const wide = few.map(
      (write): Write => ({
        ...write,
        kind: "put",
        value: { text: "\u00fc".repeat(itemBytesMax / 2 - 100) },
      }),
    );
    expect(jsonsOf(wide)).toHaveLength(10);
    expect(() => jsonsOf([...wide, put("more", 3_000)])).toThrow(AssertionError);
  });

  it("has an empty text where nothing is put", () => {
    const check: Write = { kind: "check", key: "c", condition: { is: "absent" } };
    expect(jsonsOf([{ kind: "delete", key: "d" }, check, put("p", 1)])).toEqual([
      "",
      "",
      '{"text":"x"}',
    ]);
  });
});
