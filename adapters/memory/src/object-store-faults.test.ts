import { ObjectError } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "./clock.ts";
import { MemoryObjectStore } from "./object-store.ts";
import { FaultyObjectStore, type ObjectFaultRates } from "./object-store-faults.ts";
import { SeededRandom } from "./random.ts";

function faulty(seed = 1, rates?: ObjectFaultRates) {
  const clock = new VirtualClock();
  const inner = new MemoryObjectStore();
  const seen: string[] = [];
  const store = new FaultyObjectStore(inner, {
    clock,
    random: new SeededRandom(seed),
    ...(rates === undefined ? {} : { rates }),
    onFault: ({ fault, operation, key }) => seen.push(`${fault} ${operation} ${key}`),
  });
  return { clock, inner, store, seen };
}

/** What came of the call, once nothing is left to happen before it: `stored`, `maybe`, `no`. */
async function outcomeOf(clock: VirtualClock, call: Promise<unknown>): Promise<unknown> {
  const ended: unknown[] = [];
  call.then(
    (result) => ended.push(result),
    (error: unknown) => ended.push(error instanceof ObjectError ? error.applied : error),
  );
  do {
    await new Promise((resolve) => setImmediate(resolve));
  } while (ended.length === 0 && clock.fireNext());
  return ended[0];
}

const part = Uint8Array.of(1, 2, 3);
const range = { from: 0, bytes: 9 };

describe("a store with faults", () => {
  it("refuses a put before, loses it, or loses the answer, and says what it can't know", async () => {
    const { clock, inner, store, seen } = faulty();
    store.plan("put", "slowDown", "conflict", "requestLost", "replyLost");
    expect(await outcomeOf(clock, store.putIfAbsent("a", [part]))).toBe("no");
    expect(await outcomeOf(clock, store.putIfAbsent("b", [part]))).toBe("maybe");
    expect(await outcomeOf(clock, store.putIfAbsent("c", [part]))).toBe("maybe");
    expect(await outcomeOf(clock, store.putIfAbsent("d", [part]))).toBe("maybe");
    expect(await outcomeOf(clock, store.putIfAbsent("e", [part]))).toBe("stored");
    expect(inner.keys).toEqual(["d", "e"]);
    expect(seen).toEqual([
      "slowDown put a",
      "conflict put b",
      "requestLost put c",
      "replyLost put d",
    ]);
    expect(store.counts).toMatchObject({ slowDown: 1, conflict: 1, requestLost: 1, replyLost: 1 });
  });

  it("lets an effect come late, of the bytes as they were", async () => {
    const { clock, inner, store } = faulty();
    store.plan("put", "lateEffect");
    const bytes = part.slice();
    expect(await outcomeOf(clock, store.putIfAbsent("a", [bytes]))).toBe("maybe");
    bytes.fill(0);
    clock.advance(30_000);
    expect(inner.bytesOf("a")).toEqual(part);
  });

  it("does not overwrite anything late", async () => {
    const { clock, inner, store } = faulty(3);
    store.plan("put", "lateEffect", "none");
    const late = store.putIfAbsent("a", [Uint8Array.of(9)]);
    expect(await outcomeOf(clock, store.putIfAbsent("a", [part]))).toBe("stored");
    expect(await outcomeOf(clock, late)).toBe("maybe");
    clock.advance(30_000);
    expect(inner.bytesOf("a")).toEqual(part);
  });

  it("takes its time for reads and lists, and answers in the end", async () => {
    const { clock, store } = faulty();
    await outcomeOf(clock, store.putIfAbsent("a", [part]));
    store.plan("read", "slowRead");
    store.plan("list", "slowList");
    expect(await outcomeOf(clock, store.readRange("a", range))).toEqual(part);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(5_000);
    const page = await outcomeOf(clock, store.list({ prefix: "", limit: 1 }));
    expect(page).toEqual({ objects: [{ key: "a", bytes: 3 }] });
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(10_000);
  });

  it("loses an object for good, until it is deleted or found", async () => {
    const { clock, store, seen } = faulty();
    for (const key of ["a", "b"]) await outcomeOf(clock, store.putIfAbsent(key, [part]));
    store.lose("a");
    store.lose("b");
    expect(await outcomeOf(clock, store.readRange("a", range))).toBeUndefined();
    expect(await outcomeOf(clock, store.list({ prefix: "", limit: 9 }))).toEqual({ objects: [] });
    expect(await outcomeOf(clock, store.putIfAbsent("a", [part]))).toBe("exists");
    await outcomeOf(clock, store.delete(["a"]));
    expect(await outcomeOf(clock, store.putIfAbsent("a", [part]))).toBe("stored");
    expect(await outcomeOf(clock, store.readRange("a", range))).toEqual(part);
    store.findLost();
    expect(await outcomeOf(clock, store.readRange("b", range))).toEqual(part);
    expect(seen).toEqual(["missing read a"]);
  });

  it("is the same for the same seed, and meets every fault that its rates name", async () => {
    const run = async (seed: number) => {
      const perThousand = {
        slowDown: 80,
        requestLost: 80,
        replyLost: 80,
        lateEffect: 80,
        conflict: 80,
        slowRead: 80,
        slowList: 80,
      };
      const { clock, inner, store, seen } = faulty(seed, { perThousand, latencyMsMax: 20 });
      for (let n = 0; n < 150; n += 1) {
        await outcomeOf(clock, store.putIfAbsent(`a/${n}`, [part]));
        await outcomeOf(clock, store.readRange(`a/${n}`, range));
        await outcomeOf(clock, store.list({ prefix: `a/${n}`, limit: 1 }));
        if (n % 2 === 0) await outcomeOf(clock, store.delete([`a/${n}`]));
      }
      return { seen, keys: inner.keys, counts: store.counts, endMs: clock.monotonicMs() };
    };
    const first = await run(7);
    expect(await run(7)).toEqual(first);
    expect((await run(8)).seen).not.toEqual(first.seen);
    const { missing, ...drawn } = first.counts;
    for (const hits of Object.values(drawn)) expect(hits).toBeGreaterThan(3);
    expect(missing).toBe(0);
  });
});

describe("a store in memory", () => {
  it("outlives its handle, and counts its bytes", async () => {
    const store = new MemoryObjectStore();
    await store.putIfAbsent("a/b", [part, part]);
    await store.close();
    const again = store.reopen();
    expect(await again.readRange("a/b", range)).toEqual(Uint8Array.of(1, 2, 3, 1, 2, 3));
    expect(again.usedBytes).toBe(6);
    await again.delete(["a/b"]);
    expect(again.usedBytes).toBe(0);
  });

  it("refuses a key that is a folder, and one below an object, as files do", async () => {
    const store = new MemoryObjectStore();
    await store.putIfAbsent("a/b", []);
    for (const key of ["a", "a/b/c", "a/b/c/d"]) {
      await expect(store.putIfAbsent(key, [])).rejects.toMatchObject({ retriable: false });
    }
    await store.delete(["a/b"]);
    expect(await store.putIfAbsent("a", [])).toBe("stored");
  });

  it("rots where it is told to", async () => {
    const store = new MemoryObjectStore();
    await store.putIfAbsent("a", [part]);
    store.flipBit("a", 9);
    expect(await store.readRange("a", range)).toEqual(Uint8Array.of(1, 0, 3));
    expect(() => store.flipBit("a", 24)).toThrow("no such bit");
  });
});
