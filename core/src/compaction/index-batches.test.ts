import { describe, expect, test } from "vitest";
import { emptyMap, seed, textBatch, tools } from "../../../test/fixtures/compaction.ts";
import { indexBatches } from "./index-batches.ts";
import { KeyMap } from "./key-map.ts";
import { noTransactions } from "./transactions.ts";

const order = { from: 0, upTo: 100, transactions: noTransactions, aborted: [] };

function offsetOf(map: KeyMap, key: string): number {
  const bytes = new TextEncoder().encode(key);
  return map.offsetOf({ bytes, from: 0, length: bytes.length });
}

const batches = new Uint8Array(
  Buffer.concat(
    ["ab", "bc", "cd"].map((keys, i) => {
      const records = keys.split("").map((key) => ({ key, value: "v" }));
      return textBatch(records, { baseOffset: 2 * i });
    }),
  ),
);

function known(map: KeyMap): readonly number[] {
  return ["a", "b", "c", "d"].map((key) => offsetOf(map, key));
}

describe("the map", () => {
  test("gets the last offset of every key", () => {
    const map = emptyMap();
    expect(indexBatches(batches, map, order, tools).kind).toBe("indexed");
    expect(known(map)).toEqual([0, 2, 4, 5]);
  });

  test("gets nothing of what is clean", () => {
    const map = emptyMap();
    indexBatches(batches, map, { ...order, from: 3 }, tools);
    expect(known(map)).toEqual([-1, -1, 4, 5]);
  });

  test("gets nothing of batches of which nobody knows whether they are aborted", () => {
    const map = emptyMap();
    expect(indexBatches(batches, map, { ...order, upTo: 4 }, tools).kind).toBe("indexed");
    expect(known(map)).toEqual([0, 2, 3, -1]);
  });

  test("says where it was full, in the middle of a batch as well", () => {
    const map = KeyMap.create({ budgetBytes: 24 * 5, keysMax: 100, seed });
    const report = indexBatches(batches, map, order, tools);
    expect(report).toEqual({ kind: "full", endOffset: 5 });
    expect(known(map)).toEqual([0, 2, 4, -1]);
  });
});
