import type { ColdPart } from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { testBatch } from "../../../test/fixtures/partition-log.ts";
import { bytesIn, imageOf, smallLimits, wire } from "./fixtures.ts";
import { ImageTails } from "./image-tails.ts";

const limits = { ...smallLimits, cachedIndexesMax: 10, cachedIndexBytesMax: 10_000 };
let objects: Map<string, Uint8Array>;
let reads: number;
let tails: ImageTails;

beforeEach(() => {
  objects = new Map();
  reads = 0;
  tails = new ImageTails({
    ...{ limits, wire, warn: () => undefined },
    readRange: async (object, { bytes, from }) => {
      reads += 1;
      return objects.get(object)?.subarray(from, from + bytes);
    },
  });
});

/** An image with so many bytes about producers. */
function stored(object: string, producersBytes: number): ColdPart {
  const batch = testBatch({ baseOffset: 0, timestamps: [1] });
  const producers = new Uint8Array(producersBytes);
  const image = imageOf([batch], { baseOffset: 0, nextOffset: 1, producers });
  objects.set(object, bytesIn(image.parts));
  return image.at(object, 0);
}

describe("tails of images", () => {
  it("are kept up to a limit of bytes: what they tell of producers may be much", async () => {
    const parts = ["a", "b", "c", "d"].map((name) => stored(name, 4_000));
    for (const part of parts) expect(await tails.load(part)).toBeDefined();
    expect(parts.map((part) => tails.find(part) !== undefined)).toEqual([false, false, true, true]);
    const [first] = parts;
    if (first !== undefined) expect(await tails.load(first)).toBeDefined();
    expect(parts.map((part) => tails.find(part) !== undefined)).toEqual([true, false, false, true]);
  });

  it("are kept alone where one is more than all may be, since whoever had it read comes for it", async () => {
    const [small, large] = [stored("small", 10), stored("large", 20_000)];
    await tails.load(small);
    await tails.load(large);
    expect([tails.kept, tails.find(small)]).toEqual([1, undefined]);
    expect(tails.find(large)?.producers).toHaveLength(20_000);
    await tails.load(small);
    expect([tails.kept, tails.find(large)]).toEqual([1, undefined]);
  });

  it("that are read once more count once", async () => {
    const part = stored("a", 4_000);
    for (let i = 0; i < 5; i += 1) await tails.loadOrFail(part);
    await tails.load(stored("b", 4_000));
    expect(tails.find(part)).toBeDefined();
  });

  it("may come from what was read already, but not for who has to know what the store has", async () => {
    const part = stored("a", 10);
    const kept = objects.get("a");
    tails = new ImageTails({
      ...{ limits, wire, warn: () => undefined },
      readRange: async (object, { bytes, from }) => objects.get(object)?.slice(from, from + bytes),
      readKept: async (_, { bytes, from }) => kept?.slice(from, from + bytes),
    });
    objects.delete("a");
    expect(await tails.loadOrFail(part)).toBeDefined();
    expect(await tails.loadAgain(part)).toBeUndefined();
  });
});
