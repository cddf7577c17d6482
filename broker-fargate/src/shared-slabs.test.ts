import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pooledSharedBytesMax, sharedSlabBytes } from "./limits.ts";
import { SharedSlabs } from "./shared-slabs.ts";

const mebibyte = 1024 * 1024;

function memoryOf(views: readonly Uint8Array[]): ReadonlySet<ArrayBufferLike> {
  return new Set(views.map(({ buffer }) => buffer));
}

function bytesOf(memory: Iterable<ArrayBufferLike>): number {
  return [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Takes views that have so many bytes together. */
function takeObject(slabs: SharedSlabs, bytes: number, viewBytes: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes / viewBytes) }, () => slabs.take(viewBytes));
}

describe("memory that threads share", () => {
  test("is cut from one slab, and has exactly the sizes asked for", () => {
    const slabs = new SharedSlabs();
    const views = [slabs.take(100_000), slabs.take(1), slabs.take(90_000)];
    expect(views.map(({ length }) => length)).toEqual([100_000, 1, 90_000]);
    expect(memoryOf(views).size).toBe(1);
  });

  test("is never two holders' at a time", () => {
    const step = fc.tuple(fc.integer({ min: 1, max: mebibyte }), fc.boolean());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const slabs = new SharedSlabs();
        const held: Uint8Array[] = [];
        for (const [bytes, givesBack] of steps) {
          const view = slabs.take(bytes);
          expect(held.some((other) => overlap(other, view))).toBe(false);
          held.push(view);
          const oldest = givesBack ? held.shift() : undefined;
          if (oldest !== undefined) slabs.giveBack(oldest.buffer);
        }
      }),
    );
  });

  test("is used again only when all of its slab came back", () => {
    const slabs = new SharedSlabs();
    const first = slabs.take(sharedSlabBytes / 2);
    const second = slabs.take(sharedSlabBytes / 2);
    slabs.giveBack(first.buffer);
    expect(slabs.take(mebibyte).buffer).not.toBe(first.buffer);
    slabs.giveBack(second.buffer);
    expect(memoryOf(takeObject(slabs, sharedSlabBytes, mebibyte))).toContain(first.buffer);
  });

  test("does not grow with the sizes that it was asked for", () => {
    const slabs = new SharedSlabs();
    const seen = new Set<ArrayBufferLike>();
    for (let object = 0; object < 200; object++) {
      const views = takeObject(slabs, 32 * mebibyte, mebibyte / (1 + (object % 8)));
      for (const { buffer } of views) seen.add(buffer);
      for (const { buffer } of views) slabs.giveBack(buffer);
    }
    expect(bytesOf(seen)).toBeLessThanOrEqual(pooledSharedBytesMax);
  });

  test("is kept for use again up to a bound", () => {
    const slabs = new SharedSlabs();
    const held = takeObject(slabs, pooledSharedBytesMax + 5 * sharedSlabBytes, mebibyte);
    for (const { buffer } of held) slabs.giveBack(buffer);
    const again = takeObject(slabs, pooledSharedBytesMax + 5 * sharedSlabBytes, mebibyte);
    const known = memoryOf(held);
    const kept = [...memoryOf(again)].filter((memory) => known.has(memory));
    // And the one that is in use.
    expect(bytesOf(kept)).toBe(pooledSharedBytesMax + sharedSlabBytes);
  });

  test("of more than a slab is its own, and left to the garbage collector", () => {
    const slabs = new SharedSlabs();
    const large = slabs.take(sharedSlabBytes + 1);
    expect(large.length).toBe(sharedSlabBytes + 1);
    slabs.giveBack(large.buffer);
    expect(slabs.take(sharedSlabBytes + 1).buffer).not.toBe(large.buffer);
    expect(slabs.take(1).buffer).not.toBe(large.buffer);
  });

  test("that somebody else allocated is not taken in", () => {
    const slabs = new SharedSlabs();
    const odd = new SharedArrayBuffer(sharedSlabBytes);
    slabs.giveBack(odd);
    expect(slabs.take(1).buffer).not.toBe(odd);
  });
});

function overlap(one: Uint8Array, other: Uint8Array): boolean {
  if (one.buffer !== other.buffer) return false;
  const isAfter = one.byteOffset >= other.byteOffset + other.length;
  return !isAfter && other.byteOffset < one.byteOffset + one.length;
}
