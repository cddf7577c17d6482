import { describe, expect, test } from "vitest";
import { BufferPool } from "./buffer-pool.ts";
import { pooledBytesMax, pooledBytesMin } from "./limits.ts";

describe("the memory of frames", () => {
  test("is used again once it was given back, and has exactly the size asked for", () => {
    const buffers = new BufferPool();
    const first = buffers.take(100_000);
    buffers.giveBack(first);
    const second = buffers.take(90_000);
    expect(second.buffer).toBe(first.buffer);
    expect([first.length, second.length]).toEqual([100_000, 90_000]);
  });

  test("is never shared by two who hold it", () => {
    const buffers = new BufferPool();
    const held = Array.from({ length: 10 }, () => buffers.take(50_000));
    expect(new Set(held.map((view) => view.buffer)).size).toBe(10);
  });

  test("of small frames is left to the garbage collector", () => {
    const buffers = new BufferPool();
    const small = buffers.take(pooledBytesMin - 1);
    buffers.giveBack(small);
    expect(buffers.take(pooledBytesMin - 1).buffer).not.toBe(small.buffer);
  });

  test("that is kept for use again is bounded", () => {
    const buffers = new BufferPool();
    const mebibyte = 1024 * 1024;
    const count = pooledBytesMax / mebibyte;
    const held = Array.from({ length: count + 5 }, () => buffers.take(mebibyte));
    for (const view of held) buffers.giveBack(view);
    const known = new Set(held.map((view) => view.buffer));
    const again = Array.from({ length: count + 5 }, () => buffers.take(mebibyte));
    expect(again.filter((view) => known.has(view.buffer)).length).toBe(count);
  });

  test("that somebody else allocated is not taken in", () => {
    const buffers = new BufferPool();
    const odd = new Uint8Array(pooledBytesMin + 1);
    buffers.giveBack(odd);
    expect(buffers.take(pooledBytesMin + 1).buffer).not.toBe(odd.buffer);
  });

  test("that threads share is another's", () => {
    const buffers = new BufferPool();
    const shared = buffers.takeShared(100_000);
    expect(shared.buffer).toBeInstanceOf(SharedArrayBuffer);
    buffers.giveBack(shared);
    expect(buffers.take(100_000).buffer).not.toBe(shared.buffer);
    expect(buffers.takeShared(100_000).buffer).toBe(shared.buffer);
  });
});
