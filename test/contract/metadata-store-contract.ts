import {
  AssertionError,
  type Item,
  MetadataError,
  type MetadataStore,
  type Write,
} from "@millrace/core";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";

/** One implementation under the contract: `reopen` closes the store and opens what it left. */
export interface MetadataStoreSubject {
  readonly name: string;
  open(): Promise<MetadataStore>;
  reopen(store: MetadataStore): Promise<MetadataStore>;
  cleanUp(): Promise<void>;
}

/** What every MetadataStore promises; runs on all of them. */
export function metadataStoreContract(subject: MetadataStoreSubject): void {
  describe(`a metadata store (${subject.name})`, () => {
    afterEach(() => subject.cleanUp());
    itKeepsItems(subject);
    itHoldsConditions(subject);
    itListsRanges(subject);
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
    await expect(store.range({ from: "a", to: "b", limit: 1 })).rejects.toThrow(MetadataError);
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

  it("lets one of many racing creations win", async () => {
    const store = await subject.open();
    const racers = Array.from({ length: 20 }, (_, n) =>
      store.transact([put("a", n, { is: "absent" })]),
    );
    const outcomes = await Promise.all(racers);
    const winners = outcomes.flatMap((outcome, n) => (outcome.ok ? [n] : []));
    expect(winners).toHaveLength(1);
    expect(await store.get("a")).toEqual({ key: "a", version: 1, value: { n: winners[0] } });
  });
}

function itListsRanges(subject: MetadataStoreSubject): void {
  it("lists a range page by page, with its end left out", async () => {
    const store = await subject.open();
    await store.transact(["x/1", "x/2", "x/3", "x", "x0", "w"].map((key) => put(key, 0)));
    const first = await store.range({ from: "x/", to: "x0", limit: 2 });
    expect(first.items.map((item) => item.key)).toEqual(["x/1", "x/2"]);
    expect(first.next).toBe("x/3");
    const second = await store.range({ from: first.next ?? "", to: "x0", limit: 2 });
    expect(second).toEqual({ items: [{ key: "x/3", version: 1, value: { n: 0 } }] });
    expect(await store.range({ from: "y", to: "z", limit: 2 })).toEqual({ items: [] });
    expect(await store.range({ from: "z", to: "a", limit: 2 })).toEqual({ items: [] });
    expect((await store.range({ from: "", to: "x", limit: 9 })).items).toHaveLength(1);
  });

  it("orders keys by their UTF-16 units, whatever characters they have", async () => {
    const unit = fc.constantFrom(
      "a",
      "z",
      "/",
      "~",
      "\u00e9",
      "\u07ff",
      "\u0800",
      "\ud7ff",
      "\u{10000}",
      "\u{10ffff}",
      "\ue000",
      "\uffff",
    );
    const key = fc.string({ unit, minLength: 1, maxLength: 6 });
    const sets = fc.uniqueArray(key, { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(sets, key, key, async (names, from, to) => {
        const store = await subject.open();
        await store.transact(names.map((name) => put(name, 1)));
        const page = await store.range({ from, to, limit: 100 });
        const expected = [...names].sort().filter((name) => from <= name && name < to);
        expect(page.items.map((item: Item) => item.key)).toEqual(expected);
        await store.close();
        await subject.cleanUp();
      }),
      { numRuns: 25 },
    );
  });
}

function itHasBounds(subject: MetadataStoreSubject): void {
  it("holds a transaction of 100 writes, a key of 1024 bytes and an item of 380 kB", async () => {
    const store = await subject.open();
    const many = Array.from({ length: 100 }, (_, n) => put(`key/${n}`, n));
    expect(await store.transact(many)).toEqual({ ok: true });
    const longest = "\u00e9".repeat(512);
    await store.transact([put(longest, 1)]);
    expect((await store.get(longest))?.version).toBe(1);
    const value = { text: "x".repeat(379_000) };
    await store.transact([{ kind: "put", key: "big", value }]);
    expect((await store.get("big"))?.value).toEqual(value);
  });

  it("takes what is beyond its bounds for a bug of the caller", async () => {
    const store = await subject.open();
    const tooMany = Array.from({ length: 101 }, (_, n) => put(`key/${n}`, n));
    await expect(store.transact(tooMany)).rejects.toThrow(AssertionError);
    await expect(store.transact([put("a", 1), put("a", 2)])).rejects.toThrow(AssertionError);
    await expect(store.transact([put("x".repeat(1025), 1)])).rejects.toThrow(AssertionError);
    await expect(store.get("")).rejects.toThrow(AssertionError);
    const huge: Write = { kind: "put", key: "a", value: { text: "x".repeat(380_001) } };
    await expect(store.transact([huge])).rejects.toThrow(AssertionError);
    expect(await store.get("a")).toBeUndefined();
  });
}
