import { expect, test } from "vitest";
import { piecesInFlight } from "./limits.ts";
import { PieceBuffers } from "./piece-buffers.ts";

test("pieces use memory again that was given back, wherever a view of it begins and ends", () => {
  const buffers = new PieceBuffers(100);
  const first = buffers.take();
  expect(first.length).toBe(100);
  buffers.giveBack(first.subarray(10, 20));
  expect(buffers.take().buffer).toBe(first.buffer);
  expect(buffers.take().buffer).not.toBe(first.buffer);
});

test("pieces keep the memory of as many pieces as are in flight, and of whole pieces only", () => {
  const buffers = new PieceBuffers(100);
  const taken = Array.from({ length: piecesInFlight + 2 }, () => buffers.take());
  buffers.giveBack(new Uint8Array(101));
  buffers.giveBack(new Uint8Array(new SharedArrayBuffer(100)));
  for (const each of taken) buffers.giveBack(each);
  const again = taken.map(() => buffers.take());
  const known = new Set(taken.map(({ buffer }) => buffer));
  expect(again.filter(({ buffer }) => known.has(buffer))).toHaveLength(piecesInFlight);
  expect(again.every(({ length }) => length === 100)).toBe(true);
});
