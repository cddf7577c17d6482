import { beforeEach, describe, expect, it } from "vitest";
import { smallLimits } from "./fixtures.ts";
import { ReadersAhead, type SequentialReader } from "./readers-ahead.ts";

const limits = { ...smallLimits, chunkBytes: 100, cachedBytesMax: 2_400, readAheadChunksMax: 10 };
const chunksMax = 12;

let nowMs = 0;
let readers: ReadersAhead;

beforeEach(() => {
  nowMs = 0;
  readers = new ReadersAhead({ limits, monotonicMs: () => nowMs });
});

/** Readers that have gone on several times. */
function reading(count: number): readonly SequentialReader[] {
  const all = Array.from({ length: count }, (): SequentialReader => ({ reads: 0 }));
  for (const reader of all) for (let read = 0; read < 5; read += 1) readers.hasRead(reader);
  return all;
}

function chunksFor(all: readonly SequentialReader[]): readonly number[] {
  return all.map((reader) => readers.chunksFor(reader));
}

describe("sequential readers", () => {
  it("are read ahead of farther with each read, up to the limit", () => {
    const reader = { reads: 0 };
    const seen = [readers.chunksFor(reader)];
    for (let read = 0; read < 4; read += 1) {
      readers.hasRead(reader);
      seen.push(readers.chunksFor(reader));
    }
    expect(seen).toEqual([2, 4, 8, 10, 10]);
  });

  it("share out half of the cache, and have no share when it is not a chunk for each", () => {
    expect(chunksFor(reading(5))).toEqual([2, 2, 2, 2, 2]);
    const more = reading(chunksMax - 5);
    expect(chunksFor(more)).toEqual(more.map(() => 1));
    expect(more.every((reader) => readers.hasShare(reader))).toBe(true);
    const tooMany = reading(1);
    expect(chunksFor([...more, ...tooMany])).toEqual([...more, ...tooMany].map(() => 0));
    expect(more.some((reader) => readers.hasShare(reader))).toBe(false);
  });

  it("count from their second read on: who looks at one place takes nobody's share", () => {
    const [reader = { reads: 0 }] = reading(1);
    for (let looks = 0; looks < 100; looks += 1) readers.hasRead({ reads: 0 });
    expect([readers.chunksFor(reader), readers.hasShare(reader)]).toEqual([10, true]);
  });

  it("leave their share to the others at the end of all parts, or when they stop reading", () => {
    const [first = { reads: 0 }, second = { reads: 0 }, third = { reads: 0 }] = reading(3);
    expect(readers.chunksFor(first)).toBe(4);
    readers.hasEnded(second);
    expect([readers.chunksFor(first), readers.hasShare(second)]).toEqual([6, false]);
    nowMs += 2_000;
    readers.hasRead(first);
    expect([readers.chunksFor(first), readers.hasShare(third)]).toEqual([10, false]);
    readers.hasRead(third);
    expect([readers.chunksFor(first), readers.chunksFor(third)]).toEqual([6, 6]);
  });

  it("are forgotten when there are many times more than shares", () => {
    const all = reading(10 * chunksMax);
    expect(all.filter((reader) => readers.hasShare(reader))).toEqual([]);
    // Had they all to be waited for, one that has ended would change nothing.
    for (const reader of all.slice(-2 * chunksMax + chunksMax)) readers.hasEnded(reader);
    expect(readers.hasShare(all.at(-chunksMax - 1) ?? { reads: 0 })).toBe(true);
  });
});
