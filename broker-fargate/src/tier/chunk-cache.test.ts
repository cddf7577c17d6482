import { ObjectError, type ReadBuffers } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { type Chunk, ChunkCache } from "./chunk-cache.ts";
import { BufferPool } from "../buffer-pool.ts";
import { smallLimits, spoiledBuffers, turn } from "./fixtures.ts";

const { cachedBytesMax, chunkBytes, readsInFlightMax } = smallLimits;
const cachedChunksMax = cachedBytesMax / chunkBytes;

interface Request {
  readonly chunk: string;
  /** With so many of the bytes that were asked for; undefined: there is no such object. */
  readonly answer: (bytes: number | undefined) => void;
  readonly fail: () => void;
}

/** A cache over a store that answers when it is told to. */
class Rig {
  nowMs = 0;
  buffers: ReadBuffers = spoiledBuffers;
  readonly warnings: string[] = [];
  /** What was ever read into. */
  readonly memory = new Set<ArrayBufferLike>();
  /** Those that were not answered yet, oldest first. */
  readonly requests: Request[] = [];
  readonly cache = new ChunkCache({
    buffers: {
      take: (bytes) => this.buffers.take(bytes),
      takeShared: (bytes) => this.buffers.takeShared(bytes),
      giveBack: (view) => this.buffers.giveBack(view),
    },
    readRange: (object, { from, into = new Uint8Array() }) => {
      return new Promise((resolve, failed) => {
        this.memory.add(into.buffer);
        const answer = (bytes: number | undefined): void => {
          resolve(bytes === undefined ? bytes : into.subarray(0, bytes));
        };
        const fail = (): void => {
          failed(new ObjectError("down", { retriable: true, applied: "no" }));
        };
        this.requests.push({ chunk: `${object} ${from}`, answer, fail });
      });
    },
    monotonicMs: () => this.nowMs,
    limits: smallLimits,
    warn: (what) => void this.warnings.push(what),
  });

  /** Answers everything that is asked now, and what is asked then. */
  async answerAll(): Promise<void> {
    for (await turn(); this.requests.length > 0; await turn()) {
      for (const { answer } of this.requests.splice(0)) answer(chunkBytes);
    }
  }

  async load(...numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      const loaded = this.cache.load(chunk(number));
      await this.answerAll();
      await loaded;
    }
  }

  has(number: number): boolean {
    return this.cache.find(chunk(number)) !== undefined;
  }
}

function chunk(number: number): Chunk {
  return { object: "o", from: number * chunkBytes, bytes: chunkBytes };
}

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

describe("a cache of chunks", () => {
  it("keeps a bounded number of bytes: the least recently used go", async () => {
    const rig = new Rig();
    await rig.load(...numbers(cachedChunksMax));
    expect(rig.cache.bytes).toBe(cachedBytesMax);
    expect(rig.has(0)).toBe(true);
    await rig.load(cachedChunksMax);
    expect(rig.cache.bytes).toBe(cachedBytesMax);
    expect([rig.has(0), rig.has(1), rig.has(2), rig.has(cachedChunksMax)]).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });

  it("drives out what was read before what nobody has read yet, up to a half of all", async () => {
    const rig = new Rig();
    await rig.load(...numbers(cachedChunksMax));
    for (const number of numbers(cachedChunksMax)) rig.has(number);
    const fresh = Array.from({ length: cachedChunksMax }, (_, i) => 100 + i);
    await rig.load(...fresh);
    const half = cachedChunksMax / 2;
    expect(rig.cache.bytes).toBe(cachedBytesMax);
    expect(fresh.filter((number) => rig.has(number))).toEqual(fresh.slice(half));
    const read = numbers(cachedChunksMax);
    expect(read.filter((number) => rig.has(number))).toEqual(read.slice(half));
  });

  it("reads into the memory of chunks that went, and of reads that failed", async () => {
    const rig = new Rig();
    rig.buffers = new BufferPool(1);
    for (const number of numbers(10 * cachedChunksMax)) {
      await rig.load(number);
      const failing = rig.cache.load(chunk(1_000 + number));
      await turn();
      rig.requests.shift()?.fail();
      await failing;
    }
    expect(rig.memory.size).toBeLessThanOrEqual(cachedChunksMax + 1);
  });

  it("counts what is on its way as kept, since its memory is taken", async () => {
    const rig = new Rig();
    await rig.load(...numbers(cachedChunksMax));
    const loads = numbers(readsInFlightMax).map((number) => rig.cache.load(chunk(100 + number)));
    await turn();
    expect(rig.cache.bytes).toBe(cachedBytesMax - readsInFlightMax * chunkBytes);
    await rig.answerAll();
    await Promise.all(loads);
    expect(rig.cache.bytes).toBe(cachedBytesMax);
  });

  it("has no room ahead while half of it is for what nobody has read, and for some time", async () => {
    const rig = new Rig();
    const half = cachedChunksMax / 2;
    const loads = numbers(half - 1).map((number) => rig.cache.load(chunk(number)));
    expect(rig.cache.hasRoomAhead()).toBe(true);
    loads.push(rig.cache.load(chunk(half)));
    expect(rig.cache.hasRoomAhead()).toBe(false);
    await rig.answerAll();
    await Promise.all(loads);
    expect(rig.cache.hasRoomAhead()).toBe(false);
    rig.has(0);
    expect(rig.cache.hasRoomAhead()).toBe(true);
    await rig.load(half + 1);
    expect(rig.cache.hasRoomAhead()).toBe(false);
    // Whoever they were read ahead of has gone.
    rig.nowMs += 10_000;
    expect(rig.cache.hasRoomAhead()).toBe(true);
    expect([rig.has(0), rig.has(1)]).toEqual([true, false]);
  });

  it("keeps what is larger than all of it alone, and reads such ones one after another", async () => {
    const rig = new Rig();
    await rig.load(1, 2);
    const large = { object: "o", from: 0, bytes: 2 * cachedBytesMax };
    const other = { object: "p", from: 0, bytes: 2 * cachedBytesMax };
    const loads = [rig.cache.load(large), rig.cache.load(other)];
    await turn();
    expect(rig.requests).toHaveLength(1);
    for (let answered = 0; answered < 2; answered += 1) {
      rig.requests.shift()?.answer(large.bytes);
      await turn();
    }
    await Promise.all(loads);
    expect(rig.cache.bytes).toBe(other.bytes);
    expect([rig.cache.find(large)?.length, rig.cache.find(other)?.length]).toEqual([
      undefined,
      other.bytes,
    ]);
    await rig.load(3);
    expect(rig.cache.bytes).toBe(chunkBytes);
  });

  it("reads a chunk once, however many ask for it", async () => {
    const rig = new Rig();
    const loads = [rig.cache.load(chunk(1)), rig.cache.load(chunk(1))];
    await turn();
    expect(rig.requests.map((request) => request.chunk)).toEqual([`o ${chunkBytes}`]);
    await rig.answerAll();
    await Promise.all(loads);
    await rig.cache.load(chunk(1));
    expect(rig.requests).toEqual([]);
    expect(rig.has(1)).toBe(true);
  });

  it("has a bounded number of reads under way, the others wait in order", async () => {
    const rig = new Rig();
    const loads = numbers(3 * readsInFlightMax).map((number) => rig.cache.load(chunk(number)));
    await turn();
    expect(rig.requests).toHaveLength(readsInFlightMax);
    rig.requests.shift()?.answer(chunkBytes);
    await turn();
    expect(rig.requests).toHaveLength(readsInFlightMax);
    expect(rig.requests.at(-1)?.chunk).toBe(`o ${readsInFlightMax * chunkBytes}`);
    await rig.answerAll();
    await Promise.all(loads);
    expect(rig.cache.bytes).toBeLessThanOrEqual(cachedBytesMax);
  });

  it("remembers for a second that a store did not answer, and then tries again", async () => {
    const rig = new Rig();
    const loaded = rig.cache.load(chunk(1));
    await turn();
    rig.requests.shift()?.fail();
    await loaded;
    expect(rig.cache.faultOf(chunk(1))).toBe("unreachable");
    expect(rig.warnings).toHaveLength(1);
    rig.nowMs += 999;
    expect(rig.cache.faultOf(chunk(1))).toBe("unreachable");
    rig.nowMs += 1;
    expect(rig.cache.faultOf(chunk(1))).toBeUndefined();
    await rig.load(1);
    expect(rig.has(1)).toBe(true);
  });

  it("tells a missing object, or one that is too short, from a store that does not answer", async () => {
    const rig = new Rig();
    const loads = [rig.cache.load(chunk(1)), rig.cache.load(chunk(2))];
    await turn();
    rig.requests.shift()?.answer(undefined);
    rig.requests.shift()?.answer(chunkBytes - 1);
    await Promise.all(loads);
    expect(rig.cache.faultOf(chunk(1))).toBe("missing");
    expect(rig.cache.faultOf(chunk(2))).toBe("missing");
    expect([rig.has(1), rig.has(2), rig.cache.bytes]).toEqual([false, false, 0]);
    expect(rig.cache.faultOf(chunk(3))).toBeUndefined();
  });

  it("forgets failures that nobody asks about, also while one chunk fails again and again", async () => {
    const rig = new Rig();
    const fail = async (number: number): Promise<void> => {
      const loaded = rig.cache.load(chunk(number));
      await turn();
      rig.requests.shift()?.fail();
      await loaded;
    };
    for (let number = 1; number <= 20; number += 1) {
      await fail(0);
      await fail(number);
      rig.nowMs += 600;
    }
    expect(rig.cache.failures).toBeLessThanOrEqual(4);
  });
});
