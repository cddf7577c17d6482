import { describe, expect, test } from "vitest";
import {
  emptyMap,
  headersIn,
  noOrder,
  type SeenText,
  textBatch,
  textsIn,
  tools,
} from "../../../test/fixtures/compaction.ts";
import { buildEndTransactionMarker, crc32c } from "@millrace/wire";
import { cleanBatches, type CleanOrder } from "./clean-batches.ts";
import { indexBatches } from "./index-batches.ts";
import type { KeyMap } from "./key-map.ts";
import type { AbortedTransaction } from "./transactions.ts";

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Indexes all of it and cleans it, in one piece. */
function cleanAll(
  batches: readonly Uint8Array[],
  order: Partial<CleanOrder> & { readonly map?: KeyMap } = {},
): { readonly bytes: Uint8Array; readonly removed: number; readonly isChanged: boolean } {
  const { map = emptyMap(), ...more } = order;
  const bytes = join(batches);
  const last = headersIn(bytes).at(-1);
  const endOffset = (last?.baseOffset ?? 0) + (last?.lastOffsetDelta ?? -1) + 1;
  const { aborted, transactions } = { ...noOrder, ...more };
  const upTo = more.endOffset ?? endOffset;
  const indexed = indexBatches(bytes, map, { from: 0, upTo, transactions, aborted }, tools);
  expect(indexed.kind).toBe("indexed");
  const { parts, report } = cleanBatches(bytes, map, { ...noOrder, endOffset, ...more }, tools);
  if (report.kind !== "cleaned") throw new Error(report.reason);
  const { isChanged, removedRecords: removed } = report;
  return { bytes: join(parts), removed, isChanged };
}

function short(records: readonly SeenText[]): readonly string[] {
  return records.map(({ key, offset, value }) => `${offset}:${key}=${value}`);
}

const put = (key: string | null, value: string | null, timestamp = 500): object => {
  return { key, value, timestamp };
};

function batchAt(baseOffset: number, records: readonly object[], fields: object = {}): Uint8Array {
  return textBatch(records as Parameters<typeof textBatch>[0], { baseOffset, ...fields });
}

describe("records", () => {
  test("of a key stay where it was put last, with their offsets", () => {
    const { bytes, removed } = cleanAll([
      batchAt(0, [put("a", "1"), put("b", "1"), put("a", "2")]),
      batchAt(3, [put("c", "1"), put("b", "2")]),
    ]);
    expect(short(textsIn(bytes))).toEqual(["2:a=2", "3:c=1", "4:b=2"]);
    expect(removed).toBe(2);
    expect(headersIn(bytes)).toMatchObject([
      { baseOffset: 0, lastOffsetDelta: 2, recordCount: 1 },
      { baseOffset: 3, lastOffsetDelta: 1, recordCount: 2 },
    ]);
  });

  test("without a key go, and those that the map knows nothing of stay", () => {
    const map = emptyMap();
    map.put({ bytes: new TextEncoder().encode("a"), from: 0, length: 1 }, 9);
    const bytes = join([batchAt(0, [put("a", "1"), put(null, "1"), put("x", "1")])]);
    const { parts } = cleanBatches(bytes, map, { ...noOrder, endOffset: 10 }, tools);
    expect(short(textsIn(join(parts)))).toEqual(["2:x=1"]);
  });

  test("at and above the map's end stay, whatever they are", () => {
    const straddling = batchAt(0, [put("a", "1"), put("a", "2"), put(null, "3"), put("a", "4")]);
    const above = batchAt(4, [put("a", "5"), put("a", "6")]);
    const bytes = join([straddling, above]);
    const map = emptyMap();
    map.put({ bytes: new TextEncoder().encode("a"), from: 0, length: 1 }, 1);
    const { parts } = cleanBatches(bytes, map, { ...noOrder, endOffset: 2 }, tools);
    const kept = textsIn(join(parts));
    expect(short(kept)).toEqual(["1:a=2", "2:null=3", "3:a=4", "4:a=5", "5:a=6"]);
    expect(Buffer.concat(parts).subarray(-above.length).equals(above)).toBe(true);
  });

  test("that all stay are the very bytes that they were", () => {
    const batches = [batchAt(0, [put("a", "1")]), batchAt(1, [put("b", "1")])];
    const { bytes, isChanged } = cleanAll(batches);
    expect(Buffer.from(bytes).equals(Buffer.concat(batches))).toBe(true);
    expect(isChanged).toBe(false);
  });

  test("that rotted stop the round", () => {
    const bytes = batchAt(0, [put("a", "1")]);
    const last = bytes.length - 1;
    bytes[last] = (bytes[last] ?? 0) ^ 1;
    const order = { ...noOrder, endOffset: 1 };
    expect(cleanBatches(bytes, emptyMap(), order, tools).report).toMatchObject({
      ...{ kind: "damaged", position: 0, reason: "bad-crc" },
    });
    const indexing = { ...noOrder, from: 0, upTo: 1 };
    expect(indexBatches(bytes, emptyMap(), indexing, tools)).toMatchObject({ kind: "damaged" });
  });
});

describe("a tombstone", () => {
  const tombstone = batchAt(0, [put("a", "1"), put("a", null), put("b", "1")]);

  test("gets the delete horizon of the round that first keeps it", () => {
    const { bytes } = cleanAll([tombstone], { nowMs: 7000, deleteRetentionMs: 100 });
    expect(short(textsIn(bytes))).toEqual(["1:a=null", "2:b=1"]);
    expect(textsIn(bytes).map(({ timestamp }) => timestamp)).toEqual([500, 500]);
    expect(headersIn(bytes)).toMatchObject([{ hasDeleteHorizon: true, baseTimestamp: 7100 }]);
  });

  test("stays until its horizon, which no later round moves, and then goes", () => {
    const first = cleanAll([tombstone], { nowMs: 7000, deleteRetentionMs: 100 }).bytes;
    const second = cleanAll([first], { nowMs: 7099, deleteRetentionMs: 100 });
    expect(second.isChanged).toBe(false);
    const third = cleanAll([second.bytes], { nowMs: 7100, deleteRetentionMs: 100 });
    expect(short(textsIn(third.bytes))).toEqual(["2:b=1"]);
  });

  test("stays for ever where older records of the log lie elsewhere", () => {
    const first = cleanAll([tombstone], { nowMs: 7000, deleteRetentionMs: 0 }).bytes;
    const second = cleanAll([first], { nowMs: 9e9, expiresBelow: 0 });
    expect(short(textsIn(second.bytes))).toEqual(["1:a=null", "2:b=1"]);
  });

  test("gets a new horizon where the one that it has was given elsewhere", () => {
    const first = cleanAll([tombstone], { nowMs: 7000, deleteRetentionMs: 100 }).bytes;
    const elsewhere = { nowMs: 9000, deleteRetentionMs: 100, horizonsBelow: 1 };
    const second = cleanAll([first], elsewhere);
    expect(short(textsIn(second.bytes))).toEqual(["1:a=null", "2:b=1"]);
    expect(textsIn(second.bytes).map(({ timestamp }) => timestamp)).toEqual([500, 500]);
    expect(headersIn(second.bytes)).toMatchObject([
      { hasDeleteHorizon: true, baseTimestamp: 9100 },
    ]);
    const own = { nowMs: 9100, horizonsBelow: 3 };
    expect(short(textsIn(cleanAll([second.bytes], own).bytes))).toEqual(["2:b=1"]);
  });

  test("stays where delete.retention.ms is for ever, in batches that do not change", () => {
    const forever = { deleteRetentionMs: Number.MAX_SAFE_INTEGER };
    const first = cleanAll([tombstone], forever).bytes;
    expect(headersIn(first)).toMatchObject([{ hasDeleteHorizon: false }]);
    expect(cleanAll([first], forever).isChanged).toBe(false);
  });

  test("of a key that was put again goes at once", () => {
    const { bytes } = cleanAll([tombstone, batchAt(3, [put("a", "3")])]);
    expect(short(textsIn(bytes))).toEqual(["2:b=1", "3:a=3"]);
  });
});

describe("an emptied batch", () => {
  const old = batchAt(0, [put("a", "1")], { producerId: 4, producerEpoch: 1, baseSequence: 8 });
  const next = batchAt(1, [put("a", "2")]);

  test("stays where it tells its producer's last sequence", () => {
    const { bytes } = cleanAll([old, next], { producersLast: [0] });
    expect(headersIn(bytes)).toMatchObject([
      { baseOffset: 0, recordCount: 0, producerId: 4, producerEpoch: 1, baseSequence: 8 },
      { baseOffset: 1, recordCount: 1 },
    ]);
    const again = cleanAll([bytes], { producersLast: [0] });
    expect(again.isChanged).toBe(false);
    const gone = cleanAll([bytes]);
    expect(headersIn(gone.bytes)).toMatchObject([{ baseOffset: 1 }]);
  });

  test("goes otherwise, but for the round's last one", () => {
    const keyless = batchAt(2, [put(null, "x"), put(null, "y")]);
    const { bytes } = cleanAll([old, next, keyless]);
    expect(headersIn(bytes)).toMatchObject([
      { baseOffset: 1, recordCount: 1 },
      { baseOffset: 2, lastOffsetDelta: 1, recordCount: 0 },
    ]);
  });
});

describe("transactions", () => {
  const producer = { producerId: 9, producerEpoch: 0, isTransactional: true };
  const marker = (baseOffset: number, result: "commit" | "abort"): Uint8Array =>
    buildEndTransactionMarker({
      ...{ crc32c, baseOffset, partitionLeaderEpoch: 1, producerId: 9, producerEpoch: 0 },
      ...{ timestamp: 500, coordinatorEpoch: 0, result },
    });
  const data = batchAt(1, [put("a", "2"), put("b", "2")], { ...producer, baseSequence: 0 });
  const before = batchAt(0, [put("a", "1")]);
  const after = batchAt(4, [put("z", "1")]);
  const aborted: readonly AbortedTransaction[] = [{ producerId: 9, firstOffset: 1, lastOffset: 3 }];

  test("that were aborted supersede nothing, and their records go", () => {
    const log = [before, data, marker(3, "abort"), after];
    const { bytes } = cleanAll(log, { aborted });
    expect(short(textsIn(bytes))).toEqual(["0:a=1", "4:z=1"]);
  });

  test("leave a marker until no batch of theirs is met, and a horizon has passed", () => {
    const log = [before, data, marker(3, "abort"), after];
    const first = cleanAll(log, { aborted, nowMs: 100, deleteRetentionMs: 50 }).bytes;
    expect(headersIn(first)).toMatchObject([
      { baseOffset: 0 },
      { baseOffset: 3, isControl: true, hasDeleteHorizon: false },
      { baseOffset: 4 },
    ]);
    const second = cleanAll([first], { nowMs: 200, deleteRetentionMs: 50 }).bytes;
    expect(headersIn(second)[1]).toMatchObject({ hasDeleteHorizon: true, baseTimestamp: 250 });
    expect(cleanAll([second], { nowMs: 249 }).isChanged).toBe(false);
    expect(cleanAll([second], { nowMs: 300, expiresBelow: 0 }).isChanged).toBe(false);
    const third = cleanAll([second], { nowMs: 250 }).bytes;
    expect(headersIn(third).map(({ baseOffset }) => baseOffset)).toEqual([0, 4]);
  });

  test("that were committed are data like any other, and keep their marker with them", () => {
    const { bytes } = cleanAll([before, data, marker(3, "commit"), after]);
    expect(short(textsIn(bytes))).toEqual(["1:a=2", "2:b=2", "4:z=1"]);
    expect(headersIn(bytes)[1]).toMatchObject({ isControl: true, hasDeleteHorizon: false });
  });

  test("keep their marker while an empty batch tells their producer's sequence", () => {
    const log = [before, data, marker(3, "abort"), after];
    const first = cleanAll(log, { aborted, producersLast: [1] }).bytes;
    const second = cleanAll([first], { aborted, producersLast: [1] });
    expect(second.isChanged).toBe(false);
    expect(headersIn(second.bytes)).toMatchObject([
      { baseOffset: 0 },
      { baseOffset: 1, recordCount: 0, isTransactional: true },
      { baseOffset: 3, isControl: true },
      { baseOffset: 4 },
    ]);
  });

  test("keep a marker's header that tells their producer's epoch", () => {
    const spent = cleanAll([marker(3, "commit"), after], { nowMs: 0, deleteRetentionMs: 0 }).bytes;
    const { bytes } = cleanAll([spent], { nowMs: 1, producersLast: [3] });
    expect(headersIn(bytes)[0]).toMatchObject({ baseOffset: 3, isControl: true, recordCount: 0 });
    expect(cleanAll([bytes], { producersLast: [3] }).isChanged).toBe(false);
    expect(headersIn(cleanAll([bytes]).bytes)).toMatchObject([{ baseOffset: 4 }]);
  });

  test("are known from one piece of a log to the next", () => {
    const pieces = [join([before, data]), join([marker(3, "abort"), after])];
    let { transactions } = noOrder;
    const kept: Uint8Array[] = [];
    for (const [i, piece] of pieces.entries()) {
      const told = i === 0 ? aborted : [];
      const order = { ...noOrder, endOffset: 5, transactions, aborted: told };
      const { parts, report } = cleanBatches(piece, emptyMap(), order, tools);
      if (report.kind !== "cleaned") throw new Error(report.reason);
      transactions = structuredClone(report.transactions);
      kept.push(...parts);
    }
    expect(headersIn(join(kept))).toMatchObject([
      { baseOffset: 0 },
      { baseOffset: 3, isControl: true, hasDeleteHorizon: false },
      { baseOffset: 4 },
    ]);
  });
});
