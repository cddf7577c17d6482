import { expect, test } from "vitest";
import type { PartitionOwner } from "../partition/owner.ts";
import { SettledOffset } from "./settled-offset.ts";

/** A partition that ends at `end`, all of it durable unless it is said to be less. */
function ownerAt(
  end: number,
  points: { readonly recoveryPoint?: number; readonly marked?: number } = {},
): PartitionOwner {
  const { marked = Number.POSITIVE_INFINITY, recoveryPoint = end } = points;
  const log = { endOffset: end, recoveryPoint };
  return { log, mark: { recoveryPoint: marked } } as unknown as PartitionOwner;
}

test("nothing that the journal may still have is settled, until the trim has passed it", () => {
  const settled = new SettledOffset();
  expect(settled.look(ownerAt(10), { nextSeq: 5, trim: 3 })).toBe(0);
  expect(settled.look(ownerAt(20), { nextSeq: 8, trim: 4 })).toBe(0);
  expect(settled.look(ownerAt(30), { nextSeq: 9, trim: 5 })).toBe(10);
  expect(settled.look(ownerAt(40), { nextSeq: 12, trim: 8 })).toBe(10);
  expect(settled.look(ownerAt(50), { nextSeq: 15, trim: 9 })).toBe(30);
});

test("everything is settled when the journal holds nothing", () => {
  const settled = new SettledOffset();
  expect(settled.look(ownerAt(10), { nextSeq: 5, trim: 5 })).toBe(10);
  expect(settled.look(ownerAt(12), { nextSeq: 6, trim: 5 })).toBe(10);
  expect(settled.look(ownerAt(12), { nextSeq: 6, trim: 6 })).toBe(12);
});

test("what the disk may lose is not settled, nor what the next start would verify", () => {
  const idle = { nextSeq: 0, trim: 0 };
  expect(new SettledOffset().look(ownerAt(10, { recoveryPoint: 7 }), idle)).toBe(7);
  expect(new SettledOffset().look(ownerAt(10, { marked: 4 }), idle)).toBe(4);
});
