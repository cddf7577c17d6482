import { AssertionError, ObjectError, type ObjectPage, type ObjectStore } from "@millrace/core";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { bytesOf, expectSame, pattern, shared, text } from "./object-bytes.ts";

const all = { from: 0, bytes: 2 ** 40 };

/** One implementation under the contract: `reopen` closes the store and opens what it left. */
export interface ObjectStoreSubject {
  readonly name: string;
  /** A store without objects. */
  open(): Promise<ObjectStore>;
  reopen(store: ObjectStore): Promise<ObjectStore>;
  cleanUp(): Promise<void>;
}

/** What every ObjectStore promises; runs on all of them. */
export function objectStoreContract(subject: ObjectStoreSubject): void {
  describe(`an object store (${subject.name})`, () => {
    afterEach(() => subject.cleanUp());
    itKeepsObjects(subject);
    itReadsRanges(subject);
    itStoresOnce(subject);
    itListsPages(subject);
    itDeletes(subject);
    itRefuses(subject);
  });
}

async function putAll(store: ObjectStore, keys: readonly string[]): Promise<void> {
  const waiting = [...keys];
  const lane = async (): Promise<void> => {
    for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
      expect(await store.putIfAbsent(key, [bytesOf(key)])).toBe("stored");
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}

async function pagesOf(
  store: ObjectStore,
  prefix: string,
  limit: number,
): Promise<readonly ObjectPage[]> {
  const pages = [await store.list({ prefix, limit })];
  for (let next = pages[0]?.next; next !== undefined; next = pages.at(-1)?.next) {
    pages.push(await store.list({ prefix, limit, after: next }));
  }
  return pages;
}

async function keysOf(store: ObjectStore, prefix = "", limit = 1000): Promise<readonly string[]> {
  const pages = await pagesOf(store, prefix, limit);
  return pages.flatMap(({ objects }) => objects.map(({ key }) => key));
}

function itKeepsObjects(subject: ObjectStoreSubject): void {
  it("gives back what was put, its parts one after another, also when it is opened again", async () => {
    const store = await subject.open();
    const parts = ["", "one", "", "two", "three", ""].map(bytesOf);
    expect(await store.putIfAbsent("a/b", parts)).toBe("stored");
    expect(text(await store.readRange("a/b", all))).toBe("onetwothree");
    const again = await subject.reopen(store);
    expect(text(await again.readRange("a/b", all))).toBe("onetwothree");
    expect(await again.putIfAbsent("a/b", [bytesOf("other")])).toBe("exists");
  });

  it("keeps an object of no bytes", async () => {
    const store = await subject.open();
    expect(await store.putIfAbsent("empty", [])).toBe("stored");
    expect(text(await store.readRange("empty", all))).toBe("");
    expect(await store.putIfAbsent("empty", [bytesOf("more")])).toBe("exists");
    expect(await store.list({ prefix: "", limit: 1 })).toEqual({
      objects: [{ key: "empty", bytes: 0 }],
    });
  });

  it("joins thousands of small parts", async () => {
    const store = await subject.open();
    const whole = pattern(30_000);
    const parts = Array.from({ length: 3_000 }, (_, n) => whole.subarray(n * 10, n * 10 + 10));
    await store.putIfAbsent("many", parts);
    expectSame(await store.readRange("many", all), whole);
  });

  it("keeps a large object whole, and reads it in ranges", async () => {
    const store = await subject.open();
    const whole = pattern(25_000_000);
    const parts = [0, 7, 1_000_003, 17_000_000].map((from, n, cuts) =>
      whole.subarray(from, cuts[n + 1] ?? whole.length),
    );
    expect(await store.putIfAbsent("large", parts)).toBe("stored");
    expect(await store.putIfAbsent("large", [pattern(20_000_000, 1)])).toBe("exists");
    expectSame(await store.readRange("large", all), whole);
    for (const from of [0, 8_388_600, 16_777_210, 24_999_990]) {
      expectSame(
        await store.readRange("large", { from, bytes: 20 }),
        whole.subarray(from, from + 20),
      );
    }
    expect((await store.list({ prefix: "", limit: 9 })).objects).toEqual([
      { key: "large", bytes: 25_000_000 },
    ]);
  });

  it("takes parts that lie in memory which threads share, wherever they lie there", async () => {
    const store = await subject.open();
    const whole = pattern(18_000_000);
    const cuts = [0, 5, 1_000_003, 2_100_000, 2_100_001, 9_000_000, whole.length];
    const parts = cuts.slice(1).map((to, n) => shared(whole.subarray(cuts[n], to), n));
    const puts = [parts.slice(1, 2), parts.slice(0, 3), parts].map(async (some, n) => {
      expect(await store.putIfAbsent(`shared/${n}`, some)).toBe("stored");
      expectSame(await store.readRange(`shared/${n}`, all), Buffer.concat(some));
    });
    await Promise.all(puts);
  });

  it("shares no memory with its callers", async () => {
    const store = await subject.open();
    const part = bytesOf("abc");
    await store.putIfAbsent("a", [part]);
    part.fill(0);
    (await store.readRange("a", all))?.fill(1);
    expect(text(await store.readRange("a", all))).toBe("abc");
  });
}

function itReadsRanges(subject: ObjectStoreSubject): void {
  it("reads from the first to the last byte and no further", async () => {
    const store = await subject.open();
    await store.putIfAbsent("a", [bytesOf("0123456789")]);
    const read = async (from: number, bytes: number): Promise<string | undefined> =>
      text(await store.readRange("a", { from, bytes }));
    expect(await read(0, 1)).toBe("0");
    expect(await read(0, 10)).toBe("0123456789");
    expect(await read(3, 4)).toBe("3456");
    expect(await read(9, 1)).toBe("9");
    expect(await read(8, 5)).toBe("89");
    expect(await read(10, 1)).toBe("");
    expect(await read(1_000, 1_000)).toBe("");
    expect(await read(4, 0)).toBe("");
    expect(await read(10, 0)).toBe("");
  });

  it("reads into the memory that it is given, whose beginning is the answer", async () => {
    const store = await subject.open();
    const whole = pattern(3_000_000);
    await store.putIfAbsent("a", [whole]);
    const memory = new Uint8Array(2_000_000);
    for (const from of [5, 1_000, 2_999_000, 3_000_000]) {
      for (const bytes of [0, 10, 2_000_000]) {
        const found = await store.readRange("a", { from, bytes, into: memory });
        expectSame(found, whole.subarray(from, from + bytes));
        expect([found?.buffer === memory.buffer, found?.byteOffset]).toEqual([true, 0]);
      }
    }
    expect(await store.readRange("b", { from: 0, bytes: 9, into: memory })).toBeUndefined();
    const small = { from: 0, bytes: 9, into: memory.subarray(0, 8) };
    await expect(store.readRange("a", small)).rejects.toBeInstanceOf(AssertionError);
  });

  it("finds nothing where there is no object", async () => {
    const store = await subject.open();
    await store.putIfAbsent("a/b", [bytesOf("x")]);
    for (const key of ["b", "a", "a/b/c", "a/bb", "c/d/e"]) {
      expect(await store.readRange(key, { from: 0, bytes: 1 })).toBeUndefined();
      expect(await store.readRange(key, { from: 5, bytes: 0 })).toBeUndefined();
    }
  });

  it("answers many reads at once", async () => {
    const store = await subject.open();
    const whole = pattern(100_000);
    await store.putIfAbsent("a", [whole]);
    const reads = Array.from({ length: 200 }, async (_, n) => {
      const found = await store.readRange("a", { from: n * 500, bytes: 500 });
      expectSame(found, whole.subarray(n * 500, n * 500 + 500));
    });
    await Promise.all(reads);
  });
}

function itStoresOnce(subject: ObjectStoreSubject): void {
  it("never changes an object", async () => {
    const store = await subject.open();
    expect(await store.putIfAbsent("a", [bytesOf("first")])).toBe("stored");
    expect(await store.putIfAbsent("a", [bytesOf("first")])).toBe("exists");
    expect(await store.putIfAbsent("a", [bytesOf("second, longer")])).toBe("exists");
    expect(text(await store.readRange("a", all))).toBe("first");
  });

  it("lets one of many racing puts win, whole, and shows no reader anything else", async () => {
    const store = await subject.open();
    const bodies = Array.from({ length: 24 }, (_, n) => pattern(100_000 + n, n));
    const racers = bodies.map((body) => store.putIfAbsent("raced", [body]));
    const readers = bodies.map(() => store.readRange("raced", all));
    const outcomes = await Promise.allSettled(racers);
    const winners = outcomes.flatMap((outcome, n) => {
      if (outcome.status === "fulfilled") return outcome.value === "stored" ? [n] : [];
      // The loser may get no clear answer, and says so.
      expect(outcome.reason).toBeInstanceOf(ObjectError);
      expect(outcome.reason).toMatchObject({ retriable: true, applied: "maybe" });
      return [];
    });
    expect(winners).toHaveLength(1);
    const winner = bodies[winners[0] ?? -1] ?? new Uint8Array();
    expectSame(await store.readRange("raced", all), winner);
    for (const seen of await Promise.all(readers)) {
      if (seen !== undefined) expectSame(seen, winner);
    }
  });

  it("lets one of two racing puts of large objects win", async () => {
    const store = await subject.open();
    const bodies = [pattern(17_000_000, 1), pattern(17_000_000, 2)];
    const racers = bodies.map((body) => store.putIfAbsent("raced", [body]));
    const outcomes = await Promise.allSettled(racers);
    const isStored = outcomes.map((outcome) => {
      return outcome.status === "fulfilled" && outcome.value === "stored";
    });
    expect(isStored.filter(Boolean)).toHaveLength(1);
    const winner = bodies[isStored.indexOf(true)] ?? new Uint8Array();
    expectSame(await store.readRange("raced", all), winner);
  });
}

const unordered = ["b/c", "a/b/c", "a0", "a.b", "a/b-c", "a/b0", "B", "a-b", "a/a", "a=", "a_/x"];

function itListsPages(subject: ObjectStoreSubject): void {
  it("lists in the order of the keys' bytes, folders or not", async () => {
    const store = await subject.open();
    await putAll(store, unordered);
    expect(await keysOf(store)).toEqual([...unordered].sort());
    const { objects } = await store.list({ prefix: "a/b/", limit: 5 });
    expect(objects).toEqual([{ key: "a/b/c", bytes: 5 }]);
  });

  it("lists what begins with the prefix, which may end within a name", async () => {
    const store = await subject.open();
    await putAll(store, unordered);
    for (const prefix of ["a", "a/", "a/b", "a/b/", "a/b/c", "a/b/c/", "b", "x", "x/y", "a."]) {
      const expected = unordered.filter((key) => key.startsWith(prefix)).sort();
      expect(await keysOf(store, prefix)).toEqual(expected);
      expect(await keysOf(store, prefix, 1)).toEqual(expected);
    }
  });

  it("goes on after any key, whether there is an object or not", async () => {
    const store = await subject.open();
    await putAll(store, unordered);
    for (const after of [...unordered, "0", "a", "a/", "a/b", "a/b/", "a/b/b", "a/b/d", "zz"]) {
      const page = await store.list({ prefix: "", after, limit: 1000 });
      const keys = page.objects.map(({ key }) => key);
      expect(keys).toEqual(unordered.filter((key) => key > after).sort());
      expect(page.next).toBeUndefined();
    }
  });

  it("gives whole pages, and none after the last", async () => {
    const store = await subject.open();
    const keys = Array.from({ length: 12 }, (_, n) => `x/${String(n).padStart(3, "0")}/object`);
    await putAll(store, keys);
    expect((await pagesOf(store, "x/", 4)).map(({ objects }) => objects.length)).toEqual([4, 4, 4]);
    expect((await pagesOf(store, "x/", 5)).map(({ objects }) => objects.length)).toEqual([5, 5, 2]);
    expect((await pagesOf(store, "x/", 12)).length).toBe(1);
    expect(await store.list({ prefix: "y", limit: 5 })).toEqual({ objects: [] });
  });

  it("lists as a sorted list would", async () => {
    const name = fc.constantFrom("a", "b", "a.", "a-", "a0", "=");
    // A last name of its own, so that no key is a folder of another.
    const key = fc
      .array(name, { minLength: 0, maxLength: 3 })
      .map((folders) => [...folders, "object"].join("/"));
    const listing = fc.record({
      keys: fc.uniqueArray(key, { maxLength: 15 }),
      prefix: fc.constantFrom("", "a", "a/", "a/a", "a./", "b/=", "=/"),
      after: fc.option(key, { nil: undefined }),
      limit: fc.integer({ min: 1, max: 6 }),
    });
    const store = await subject.open();
    const compare = async (asked: ReturnType<typeof listing.generate>["value"]): Promise<void> => {
      const { keys, prefix, after, limit } = asked;
      await putAll(store, keys);
      const from = after === undefined ? {} : { after };
      const { objects, next } = await store.list({ prefix, limit, ...from });
      const matching = keys
        .filter((key) => key.startsWith(prefix) && (after === undefined || key > after))
        .sort();
      expect(objects.map(({ key }) => key)).toEqual(matching.slice(0, limit));
      expect(next).toBe(matching.length > limit ? matching[limit - 1] : undefined);
      await store.delete(keys);
    };
    await fc.assert(fc.asyncProperty(listing, compare), { numRuns: 25 });
    await store.close();
  });
}

function itDeletes(subject: ObjectStoreSubject): void {
  it("deletes objects, and no others", async () => {
    const store = await subject.open();
    await putAll(store, ["a/b/c", "a/b/d", "a/e", "f"]);
    await store.delete(["a/b/c", "a/b/absent", "absent/x", "f", "f"]);
    expect(await keysOf(store)).toEqual(["a/b/d", "a/e"]);
    expect(await store.readRange("f", all)).toBeUndefined();
    await store.delete(["a/b/c"]);
    await store.delete([]);
    await store.delete(["a/b/d", "a/e"]);
    expect(await keysOf(store)).toEqual([]);
  });

  it("takes an object again for a key whose object was deleted", async () => {
    const store = await subject.open();
    await store.putIfAbsent("a/b", [bytesOf("first")]);
    await store.delete(["a/b"]);
    expect(await store.putIfAbsent("a/b", [bytesOf("second")])).toBe("stored");
    expect(text(await store.readRange("a/b", all))).toBe("second");
  });

  it("does not delete what is below a key, nor what a key is below", async () => {
    const store = await subject.open();
    await putAll(store, ["a/b", "a/c/d"]);
    await store.delete(["a", "a/c", "a/b/c"]);
    expect(await keysOf(store)).toEqual(["a/b", "a/c/d"]);
  });

  it("deletes more at once than a page lists", async () => {
    const store = await subject.open();
    const keys = Array.from({ length: 1_050 }, (_, n) => `many-${n}`);
    await putAll(store, keys);
    expect((await store.list({ prefix: "", limit: 1000 })).objects).toHaveLength(1000);
    expect(await keysOf(store)).toEqual([...keys].sort());
    await store.delete(keys);
    expect(await keysOf(store)).toEqual([]);
  });

  it("puts into folders that deletions are emptying", async () => {
    const store = await subject.open();
    const rounds = Array.from({ length: 20 }, (_, n) => n);
    const worker = async (name: string): Promise<void> => {
      for (const round of rounds) {
        const key = `x/y/${round % 3}/${name}`;
        expect(await store.putIfAbsent(key, [bytesOf(name)])).toBe("stored");
        expect(text(await store.readRange(key, all))).toBe(name);
        await store.delete([key]);
      }
    };
    await Promise.all(["a", "b", "c", "d"].map(worker));
    expect(await keysOf(store)).toEqual([]);
  });
}

function itRefuses(subject: ObjectStoreSubject): void {
  it("takes what is no key, no prefix, no page and no range for a bug of the caller", async () => {
    const store = await subject.open();
    const longest = `${"k".repeat(200)}/`.repeat(5).slice(0, 1000);
    expect(await store.putIfAbsent(`${longest}/k`, [bytesOf("x")])).toBe("stored");
    const range = { from: 0, bytes: 1 };
    for (const key of [
      "",
      "/a",
      "a/",
      "a//b",
      ".",
      "a/../b",
      "ä",
      "a b",
      "a\0",
      "k".repeat(1025),
    ]) {
      await expect(store.putIfAbsent(key, [])).rejects.toThrow(AssertionError);
      await expect(store.readRange(key, range)).rejects.toThrow(AssertionError);
      await expect(store.delete(["fine", key])).rejects.toThrow(AssertionError);
    }
    for (const prefix of ["/", "../", "a//", "ü"]) {
      await expect(store.list({ prefix, limit: 1 })).rejects.toThrow(AssertionError);
    }
    await expect(store.list({ prefix: "", limit: 0 })).rejects.toThrow(AssertionError);
    await expect(store.list({ prefix: "", limit: 1001 })).rejects.toThrow(AssertionError);
    await expect(store.readRange("a", { from: -1, bytes: 1 })).rejects.toThrow(AssertionError);
    await expect(store.readRange("a", { from: 0, bytes: -1 })).rejects.toThrow(AssertionError);
  });

  it("refuses every call once it is closed", async () => {
    const store = await subject.open();
    await store.putIfAbsent("a", [bytesOf("x")]);
    await store.close();
    await store.close();
    const isClosed = expect.objectContaining({ name: "ObjectError", retriable: false });
    await expect(store.putIfAbsent("b", [])).rejects.toEqual(isClosed);
    await expect(store.readRange("a", all)).rejects.toEqual(isClosed);
    await expect(store.list({ prefix: "", limit: 1 })).rejects.toEqual(isClosed);
    await expect(store.delete(["a"])).rejects.toEqual(isClosed);
  });
}
