import { ObjectError } from "@millrace/core";
import type { ClippedPart } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { headersIn } from "../../../test/fixtures/compaction.ts";
import { testBatch } from "../../../test/fixtures/partition-log.ts";
import { bytesIn, partOf } from "../tier/fixtures.ts";
import { ColdPartDamagedError, piecesOf } from "./cold-pieces.ts";
import { testTools } from "./fixtures.ts";

/** Batches of two offsets each, with values of these sizes, behind other bytes of the object. */
function rig(sizes: readonly number[]) {
  const batches = sizes.map((valueBytes, i) => {
    return testBatch({ baseOffset: 2 * i, lastOffsetDelta: 1, timestamps: [1], valueBytes }).bytes;
  });
  const before = new Uint8Array(13);
  const object = bytesIn([before, ...batches]);
  const batchesBytes = object.length - before.length;
  const range = { baseOffset: 0, nextOffset: 2 * sizes.length };
  const part = partOf({ ...range, position: before.length, batchesBytes });
  const requests: number[] = [];
  return {
    part,
    object,
    requests,
    batches,
    async read(
      sizing: {
        readonly pieceBytes?: number;
        readonly requestBytes?: number;
        readonly from?: number;
      },
      isStopped: () => boolean = () => false,
    ): Promise<readonly Uint8Array[]> {
      const { from = 0, pieceBytes = 300, requestBytes = 700 } = sizing;
      const clipped: ClippedPart = { part, baseOffset: from, endOffset: part.nextOffset };
      const pieces: Uint8Array[] = [];
      let expected = -1;
      for await (const { batches: piece, position } of piecesOf(clipped, {
        ...{ pieceBytes, requestBytes, isStopped, format: testTools.format },
        parts: {
          readRange: async (_, { bytes, from: at }) => {
            requests.push(bytes);
            return object.slice(at, at + bytes);
          },
        },
      })) {
        if (expected >= 0) expect(position).toBe(expected);
        expected = position + piece.length;
        expect(piece.buffer.byteLength).toBe(piece.length);
        pieces.push(piece);
      }
      return pieces;
    },
  };
}

describe("a cold part is read", () => {
  test("in whole batches, in pieces of a bounded size, by requests of one", async () => {
    const cold = rig([100, 20, 30, 150, 60, 10, 10, 10, 10]);
    const pieces = await cold.read({});
    expect(bytesIn(pieces)).toEqual(bytesIn(cold.batches));
    expect(pieces.length).toBeGreaterThan(2);
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(300);
    for (const bytes of cold.requests) expect(bytes).toBeLessThanOrEqual(700);
  });

  test("with a batch that is larger than a request, or a piece", async () => {
    const cold = rig([10, 5_000, 10, 400, 10]);
    expect(bytesIn(await cold.read({}))).toEqual(bytesIn(cold.batches));
  });

  test("from where the part before it ends", async () => {
    const cold = rig([10, 10, 10, 10]);
    for (const from of [0, 2, 4, 6, 8]) {
      const pieces = await cold.read({ from });
      const offsets = pieces.flatMap((piece) => headersIn(piece).map((each) => each.baseOffset));
      expect(offsets).toEqual([0, 2, 4, 6].filter((offset) => offset >= from));
    }
  });

  test("until it is stopped", async () => {
    const cold = rig([100, 100, 100, 100, 100, 100]);
    let asked = 0;
    const pieces = await cold.read({ pieceBytes: 150 }, () => ++asked > 3);
    expect(pieces.length).toBeGreaterThan(0);
    expect(pieces.length).toBeLessThan(6);
  });

  test("and what is no batch, or is cut off, is said to be damage", async () => {
    const cold = rig([10, 10, 10]);
    cold.object.fill(0xff, 13 + 8, 13 + 12);
    await expect(cold.read({})).rejects.toThrow(ColdPartDamagedError);
    const short = rig([10, 10, 10]);
    const longer = { ...short.part, batchesBytes: short.part.batchesBytes + 1 };
    const clipped = { part: longer, baseOffset: 0, endOffset: 6 };
    const source = {
      ...{ pieceBytes: 300, requestBytes: 700, isStopped: () => false, format: testTools.format },
      parts: { readRange: async () => short.object.slice(13) },
    };
    await expect(piecesOf(clipped, source).next()).rejects.toThrow(ColdPartDamagedError);
    const away = new ObjectError("away", { retriable: true, applied: "no" });
    const failing = { ...source, parts: { readRange: () => Promise.reject(away) } };
    await expect(piecesOf(clipped, failing).next()).rejects.toThrow(away);
  });
});
