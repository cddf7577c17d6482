import {
  AssertionError,
  type Item,
  type KeyRange,
  MetadataError,
  type MetadataStore,
  pageBytesMax,
  type Write,
} from "@millrace/core";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";

/** One implementation under the contract: `reopen` closes the store and opens what it left. */
export interface MetadataStoreSubject<Store extends MetadataStore = MetadataStore> {
  readonly name: string;
  open(): Promise<Store>;
  reopen(store: Store): Promise<Store>;
  cleanUp(): Promise<void>;
}

/** What every MetadataStore promises; runs on all of them. */
export function metadataStoreContract(subject: MetadataStoreSubject): void {
  describe(`a metadata store (${subject.name})`, () => {
    afterEach(() => subject.cleanUp());
    itKeepsItems(subject);
    itHoldsConditions(subject);
    itLetsOneWin(subject);
    itListsRanges(subject);
    itReads(subject);
    itHasBounds(subject);
  });
}

const put = (key: string, n: number, condition?: Write["condition"]): Write =>
  condition === undefined
    ? { kind: "put", key, value: { n } }
    : { kind: "put", key, value: { n }, condition };

function itKeepsItems(subject: MetadataStoreSubject): void {
  it("gives back what was put, with versions that rise by one and begin anew", async () => {
    const store = await subject.open();
    expect(await store.get("a")).toBeUndefined();
    const value = { text: "ü\u{1f600}", list: [1, null, true, { deep: -0.5 }], big: 2 ** 53 - 1 };
    await store.transact([{ kind: "put", key: "a", value }]);
    expect(await store.get("a")).toEqual({ key: "a", version: 1, value });
    await store.transact([put("a", 2)]);
    expect(await store.get("a")).toEqual({ key: "a", version: 2, value: { n: 2 } });
    await store.transact([{ kind: "delete", key: "a" }]);
    expect(await store.get("a")).toBeUndefined();
    await store.transact([put("a", 3)]);
    expect((await store.get("a"))?.version).toBe(1);
  });

  it("keeps items over a close and a new start", async () => {
    const store = await subject.open();
    await store.transact([put("a", 1), put("b/c", 2)]);
    await store.transact([put("a", 3), { kind: "delete", key: "b/c" }]);
    const again = await subject.reopen(store);
    expect(await again.get("a")).toEqual({ key: "a", version: 2, value: { n: 3 } });
    expect(await again.get("b/c")).toBeUndefined();
  });

  it("does not let callers change what is stored", async () => {
    const store = await subject.open();
    const value = { list: [1] };
    await store.transact([{ kind: "put", key: "a", value }]);
    value.list.push(2);
    const item = await store.get("a");
    const list = item?.value["list"] as number[] | undefined;
    list?.push(3);
    expect((await store.get("a"))?.value).toEqual({ list: [1] });
  });

  it("accepts an empty transaction and a delete of what is absent", async () => {
    const store = await subject.open();
    expect(await store.transact([])).toEqual({ ok: true });
    expect(await store.transact([{ kind: "delete", key: "nobody" }])).toEqual({ ok: true });
  });

  it("refuses every call once it is closed", async () => {
    const store = await subject.open();
    await store.close();
    await expect(store.get("a")).rejects.toThrow(MetadataError);
    await expect(store.transact([put("a", 1)])).rejects.toThrow(MetadataError);
    const range = { from: "a/", to: "a0", limit: 1 };
    await expect(store.range(range)).rejects.toThrow(MetadataError);
  });
}

function itHoldsConditions(subject: MetadataStoreSubject): void {
  it("applies a transaction whole or not at all, and says what was found", async () => {
    const store = await subject.open();
    await store.transact([put("a", 1)]);
    const outcome = await store.transact([
      put("new", 1, { is: "absent" }),
      put("a", 2, { is: "version", version: 7 }),
      { kind: "delete", key: "gone", condition: { is: "version", version: 1 } },
    ]);
    expect(outcome).toEqual({
      ok: false,
      refused: [
        { key: "a", found: { key: "a", version: 1, value: { n: 1 } } },
        { key: "gone", found: undefined },
      ],
    });
    expect(await store.get("new")).toBeUndefined();
  });

  it("checks without writing", async () => {
    const store = await subject.open();
    await store.transact([put("a", 1)]);
    const check = (version: number): Write => ({
      kind: "check",
      key: "a",
      condition: { is: "version", version },
    });
    expect(await store.transact([check(1), put("b", 1)])).toEqual({ ok: true });
    expect((await store.transact([check(2), put("c", 1)])).ok).toBe(false);
    expect((await store.get("a"))?.version).toBe(1);
    expect(await store.get("c")).toBeUndefined();
  });

  it("takes an absent item, or one without epoch, for epoch 0", async () => {
    const store = await subject.open();
    const claim = (key: string, epoch: number, atMost: number): Write => {
      const condition = { is: "epochAtMost", epoch: atMost } as const;
      return { kind: "put", key, value: { epoch }, condition };
    };
    expect((await store.transact([claim("a", 5, 0)])).ok).toBe(true);
    expect((await store.transact([claim("a", 6, 4)])).ok).toBe(false);
    expect((await store.transact([claim("a", 6, 5)])).ok).toBe(true);
    await store.transact([put("b", 1)]);
    expect((await store.transact([claim("b", 1, 0)])).ok).toBe(true);
  });

  it("holds a condition on each kind of write alone, and says what was found", async () => {
    const store = await subject.open();
    const found = { key: "a", version: 2, value: { epoch: 3, n: 1 } };
    await store.transact([{ kind: "put", key: "a", value: { old: true } }]);
    await store.transact([{ kind: "put", key: "a", value: found.value }]);
    const wrong = [
      { is: "absent" },
      { is: "version", version: 1 },
      { is: "epochAtMost", epoch: 2 },
    ] as const;
    for (const condition of wrong) {
      const writes: readonly Write[] = [
        { kind: "put", key: "a", value: {}, condition },
        { kind: "delete", key: "a", condition },
        { kind: "check", key: "a", condition },
      ];
      for (const write of writes) {
        expect(await store.transact([write])).toEqual({
          ok: false,
          refused: [{ key: "a", found }],
        });
      }
    }
    expect(await store.get("a")).toEqual(found);
    const gone = [{ is: "version", version: 1 }] as const;
    for (const condition of gone) {
      const outcome = await store.transact([{ kind: "delete", key: "b", condition }]);
      expect(outcome).toEqual({ ok: false, refused: [{ key: "b", found: undefined }] });
    }
    const right: Write = {
      kind: "delete",
      key: "a",
      condition: { is: "epochAtMost", epoch: 3 },
    };
    expect(await store.transact([right])).toEqual({ ok: true });
    expect(await store.transact([{ ...right, key: "b" }])).toEqual({ ok: true });
    expect(await store.get("a")).toBeUndefined();
    const check = { kind: "check", key: "a", condition: { is: "absent" } } as const;
    expect(await store.transact([check])).toEqual({ ok: true });
    expect(await store.get("a")).toBeUndefined();
  });
}

function itLetsOneWin(subject: MetadataStoreSubject): void {
  it("lets one of many racing creations win", async () => {
    const store = await subject.open();
    const racers = Array.from({ length: 20 }, (_, n) =>
      settled(store, [put("a", n, { is: "absent" })]),
    );
    const outcomes = await Promise.all(racers);
    const winners = outcomes.flatMap((outcome, n) => (outcome.ok ? [n] : []));
    expect(winners).toHaveLength(1);
    expect(await store.get("a")).toEqual({ key: "a", version: 1, value: { n: winners[0] } });
  });

  it("lets one of eight racing transactions over two keys win, a hundred times", async () => {
    const store = await subject.open();
    for (let round = 0; round < 100; round += 1) {
      const condition: Write["condition"] =
        round === 0 ? { is: "absent" } : { is: "version", version: round };
      const racers = Array.from({ length: 8 }, (_, n) =>
        settled(store, [
          put("a", n, condition),
          { kind: "check", key: "c", condition: { is: "absent" } },
          put(`slot/${n % 2}/b`, n),
        ]),
      );
      const outcomes = await Promise.all(racers);
      const winners = outcomes.flatMap((outcome, n) => (outcome.ok ? [n] : []));
      expect(winners).toHaveLength(1);
      const item = { version: round + 1, value: { n: winners[0] } };
      expect(await store.get("a")).toEqual({ key: "a", ...item });
    }
    const written = [await store.get("slot/0/b"), await store.get("slot/1/b")];
    expect(written.reduce((sum, item) => sum + (item?.version ?? 0), 0)).toBe(100);
  });

  it("counts every one of many racing unconditional writes of one key", async () => {
    const store = await subject.open();
    const racers = Array.from({ length: 30 }, (_, n) =>
      settled(store, n % 3 === 0 ? [put("a", n)] : [put("a", n), put(`b/${n}`, n)]),
    );
    expect((await Promise.all(racers)).every(({ ok }) => ok)).toBe(true);
    expect((await store.get("a"))?.version).toBe(30);
  });
}

/** The outcome of a transaction that is tried again while others are in its way. */
async function settled(
  store: MetadataStore,
  writes: readonly Write[],
): Promise<{ readonly ok: boolean }> {
  for (;;) {
    try {
      return await store.transact(writes);
    } catch (error) {
      const isPassing = error instanceof MetadataError && error.retriable;
      if (!isPassing || error.applied === "maybe") throw error;
    }
  }
}

/** A range over all that begins with the prefix and a `/`. */
const under = (prefix: string, limit: number): KeyRange => ({
  from: `${prefix}/`,
  to: `${prefix}0`,
  limit,
});

const keysOf = (items: readonly Item[]): readonly string[] => items.map(({ key }) => key);

function itListsRanges(subject: MetadataStoreSubject): void {
  it("lists a range page by page, with its end left out", async () => {
    const store = await subject.open();
    await store.transact(["x/1", "x/2", "x/3", "x", "x0", "w"].map((key) => put(key, 0)));
    const first = await store.range(under("x", 2));
    expect(keysOf(first.items)).toEqual(["x/1", "x/2"]);
    expect(first.next).toBe("x/3");
    const second = await store.range({ ...under("x", 2), from: first.next ?? "" });
    expect(second).toEqual({ items: [{ key: "x/3", version: 1, value: { n: 0 } }] });
    expect(await store.range({ from: "x/2", to: "x/3", limit: 1 })).toEqual({
      items: [{ key: "x/2", version: 1, value: { n: 0 } }],
    });
    expect(await store.range(under("y", 2))).toEqual({ items: [] });
    expect(await store.range({ from: "x/2", to: "x/2", limit: 2 })).toEqual({ items: [] });
    expect(await store.range({ from: "x/3", to: "x/1", limit: 2 })).toEqual({ items: [] });
  });

  it("lists what a partition of two components holds, and its neighbours' items not", async () => {
    const store = await subject.open();
    const inside = ["s/07/a", "s/07/b/1", "s/07/b/2", "s/07/c"];
    const outside = ["s/06/a", "s/070", "s/07", "s/071/a", "s/08/a", "s"];
    await store.transact([...outside, ...inside].map((key) => put(key, 0)));
    expect(keysOf((await store.range(under("s/07", 9))).items)).toEqual(inside);
    const part = { from: "s/07/b/", to: "s/07/b0", limit: 9 };
    expect(keysOf((await store.range(part)).items)).toEqual(["s/07/b/1", "s/07/b/2"]);
    const paged = await store.range({ from: "s/07/a", to: "s/07/c", limit: 2 });
    expect([keysOf(paged.items), paged.next]).toEqual([["s/07/a", "s/07/b/1"], "s/07/b/2"]);
  });

  it("orders keys by their characters", async () => {
    const unit = fc.constantFrom("!", "-", ".", "0", "9", "A", "Z", "_", "a", "z", "~");
    const name = fc.string({ unit, minLength: 1, maxLength: 5 }).map((text) => `p/${text}`);
    const sets = fc.uniqueArray(name, { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(sets, name, name, async (names, from, to) => {
        const store = await subject.open();
        await store.transact(names.map((each) => put(each, 1)));
        const page = await store.range({ from, to, limit: 100 });
        const expected = [...names].sort().filter((each) => from <= each && each < to);
        expect(keysOf(page.items)).toEqual(expected);
        await store.close();
        await subject.cleanUp();
      }),
      { numRuns: 15 },
    );
  });

  it("ends a page of large items early, and misses none", async () => {
    const store = await subject.open();
    const value = { text: "x".repeat(370_000) };
    const names = Array.from({ length: 8 }, (_, n) => `big/${n}`);
    for (const key of names) await store.transact([{ kind: "put", key, value }]);
    const found: string[] = [];
    let from: string | undefined = "big/";
    while (from !== undefined) {
      const page = await store.range({ ...under("big", 100), from });
      const bytes = page.items.map((item) => JSON.stringify(item.value).length);
      expect(bytes.length).toBeGreaterThan(0);
      expect(bytes.slice(0, -1).reduce((sum, each) => sum + each, 0)).toBeLessThan(pageBytesMax);
      found.push(...keysOf(page.items));
      from = page.next;
    }
    expect(found).toEqual(names);
  });

  it("refuses a range that is not of one partition", async () => {
    const store = await subject.open();
    const wrong = [
      { from: "a/", to: "b/" },
      { from: "a", to: "a0" },
      { from: "a/", to: "a1" },
      { from: "s/07/", to: "s/08/" },
      { from: "s/07/a", to: "s0" },
      { from: "", to: "a" },
    ];
    for (const bounds of wrong) {
      await expect(store.range({ ...bounds, limit: 1 })).rejects.toThrow(AssertionError);
    }
    await expect(store.range(under("a", 0))).rejects.toThrow(AssertionError);
  });
}

function itReads(subject: MetadataStoreSubject): void {
  it("shows a strong read what was written before, each time", async () => {
    const store = await subject.open();
    for (let n = 1; n <= 50; n += 1) {
      await store.transact([put("p/a", n), put("q", n)]);
      const [item, page] = [await store.get("q", "strong"), await store.range(under("p", 9))];
      expect(item).toEqual({ key: "q", version: n, value: { n } });
      expect(page.items).toEqual([{ key: "p/a", version: n, value: { n } }]);
    }
  });

  it("shows an eventual read some state that was", async () => {
    const store = await subject.open();
    for (let n = 1; n <= 20; n += 1) {
      await store.transact([put("p/a", n)]);
      const item = await store.get("p/a", "eventual");
      const page = await store.range({ ...under("p", 9), consistency: "eventual" });
      for (const seen of [item, page.items[0]]) {
        if (seen === undefined) continue;
        expect(seen).toEqual({ key: "p/a", version: seen.version, value: { n: seen.version } });
        expect(seen.version).toBeLessThanOrEqual(n);
      }
    }
  });
}

function itHasBounds(subject: MetadataStoreSubject): void {
  it("holds a transaction of 100 writes, a key of 1024 bytes and an item of 380 kB", async () => {
    const store = await subject.open();
    const many = Array.from({ length: 100 }, (_, n) => put(`key/${n}`, n));
    expect(await store.transact(many)).toEqual({ ok: true });
    const again = many.map(({ key }) => put(key, 1, { is: "version", version: 1 }));
    expect(await store.transact(again)).toEqual({ ok: true });
    for (const longest of ["k".repeat(1024), `k/${"l".repeat(1022)}`, `m/l/${"m".repeat(1020)}`]) {
      await store.transact([put(longest, 1)]);
      expect((await store.get(longest))?.version).toBe(1);
    }
    const found = await store.range(under("k", 9));
    expect(keysOf(found.items)).toEqual([`k/${"l".repeat(1022)}`]);
    const value = { text: "x".repeat(379_000) };
    await store.transact([{ kind: "put", key: "big", value }]);
    expect((await store.get("big"))?.value).toEqual(value);
    const accents = { text: "\u00e9".repeat(189_000) };
    await store.transact([{ kind: "put", key: "big", value: accents }, put("small", 1)]);
    expect(await store.get("big")).toEqual({ key: "big", version: 2, value: accents });
  });

  it("takes what is beyond its bounds for a bug of the caller", async () => {
    const store = await subject.open();
    const tooMany = Array.from({ length: 101 }, (_, n) => put(`key/${n}`, n));
    await expect(store.transact(tooMany)).rejects.toThrow(AssertionError);
    await expect(store.transact([put("a", 1), put("a", 2)])).rejects.toThrow(AssertionError);
    await expect(store.transact([put("x".repeat(1025), 1)])).rejects.toThrow(AssertionError);
    await expect(store.get("")).rejects.toThrow(AssertionError);
    for (const key of ["\u00e9", "a b", "a\n", "\u0000"]) {
      await expect(store.get(key)).rejects.toThrow(AssertionError);
      await expect(store.transact([put(key, 1)])).rejects.toThrow(AssertionError);
    }
    const full = Array.from({ length: 11 }, (_, n): Write => {
      return { kind: "put", key: `full/${n}`, value: { text: "x".repeat(370_000) } };
    });
    await expect(store.transact(full)).rejects.toThrow(AssertionError);
    expect(await store.transact(full.slice(1))).toEqual({ ok: true });
    const huge: Write = { kind: "put", key: "a", value: { text: "x".repeat(380_001) } };
    await expect(store.transact([huge])).rejects.toThrow(AssertionError);
    expect(await store.get("a")).toBeUndefined();
  });
}
