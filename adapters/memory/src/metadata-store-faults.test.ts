import { AssertionError, type Item, MetadataError, type Write } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "./clock.ts";
import { FaultyMetadataStore, type MetadataFaultRates } from "./metadata-store-faults.ts";
import { MemoryMetadataStore } from "./metadata-store.ts";
import { SeededRandom } from "./random.ts";

function open(rates: MetadataFaultRates) {
  const clock = new VirtualClock();
  const memory = new MemoryMetadataStore({ clock });
  const deps = { clock, random: new SeededRandom(5), rates, past: memory };
  const pass = (ms: number): void => clock.advance(ms);
  return { memory, store: new FaultyMetadataStore(memory, deps), pass };
}

const put = (key: string, n: number): Write => ({ kind: "put", key, value: { n } });
const under = { from: "p/", to: "p0", limit: 9, consistency: "eventual" } as const;
const always = { perThousand: { stale: 1000 }, staleMsMax: 500 };

describe("an eventual read of a store with stale reads", () => {
  it("shows every state of the last while, and none from before it", async () => {
    const { memory, pass, store } = open(always);
    await memory.transact([put("a", 1)]);
    pass(1_000);
    await memory.transact([put("a", 2)]);
    pass(400);
    await memory.transact([{ kind: "delete", key: "a" }]);
    pass(50);
    await memory.transact([put("a", 4)]);
    const seen = new Set<unknown>();
    for (let round = 0; round < 200; round += 1) {
      seen.add((await store.get("a", "eventual"))?.value["n"]);
    }
    expect(seen).toEqual(new Set([1, 2, undefined, 4]));
    expect(store.counts.stale).toBeGreaterThan(100);
    pass(300);
    seen.clear();
    for (let round = 0; round < 200; round += 1) {
      seen.add((await store.get("a", "eventual"))?.value["n"]);
    }
    expect(seen).toEqual(new Set([2, undefined, 4]));
    pass(1_000);
    expect((await store.get("a", "eventual"))?.value["n"]).toBe(4);
  });

  it("shows the items of a range as of different moments, also gone ones", async () => {
    const { memory, pass, store } = open(always);
    await memory.transact([put("p/a", 1), put("p/b", 1)]);
    pass(1_000);
    await memory.transact([put("p/a", 2), { kind: "delete", key: "p/b" }, put("p/c", 2)]);
    const seen = new Set<string>();
    for (let round = 0; round < 300; round += 1) {
      const { items } = await store.range(under);
      seen.add(items.map(({ key, value }: Item) => `${key}=${Number(value["n"])}`).join(" "));
    }
    expect(seen.size).toBe(8);
    expect(seen).toContain("p/a=1 p/b=1 p/c=2");
    expect(seen).toContain("p/a=2");
  });

  it("pages through them", async () => {
    const { memory, store } = open(always);
    await memory.transact(["a", "b", "c"].map((name) => put(`p/${name}`, 1)));
    for (let round = 0; round < 50; round += 1) {
      const page = await store.range({ ...under, limit: 1 });
      expect(page.items.length).toBeLessThanOrEqual(1);
      if (page.next !== undefined) expect(page.next > (page.items[0]?.key ?? "")).toBe(true);
    }
  });

  it("leaves strong reads alone", async () => {
    const { memory, store } = open(always);
    for (let n = 1; n <= 50; n += 1) {
      await memory.transact([put("p/a", n)]);
      expect((await store.get("p/a"))?.version).toBe(n);
      const { items } = await store.range({ from: "p/", to: "p0", limit: 9 });
      expect(items.map(({ version }) => version)).toEqual([n]);
    }
    expect(store.counts.stale).toBe(0);
  });

  it("is as rare as is asked, and never so of a store that remembers nothing", async () => {
    const { memory, store } = open({ perThousand: { stale: 100 } });
    await memory.transact([put("a", 1)]);
    for (let round = 0; round < 1_000; round += 1) await store.get("a", "eventual");
    expect(store.counts.stale).toBeGreaterThan(20);
    expect(store.counts.stale).toBeLessThan(100);
    const clock = new VirtualClock();
    const deps = { clock, random: new SeededRandom(1), rates: always };
    const forgetful = new FaultyMetadataStore(new MemoryMetadataStore(), deps);
    await expect(forgetful.get("a", "eventual")).rejects.toThrow(AssertionError);
  });
});

describe("a transaction of a store with faults", () => {
  it.each([
    ["throttled", "no", undefined],
    ["conflict", "no", undefined],
    ["requestLost", "maybe", undefined],
    ["replyLost", "maybe", 1],
  ] as const)(
    "that meets %s says so, and has just that effect",
    async (fault, applied, version) => {
      const { memory, store } = open({ perThousand: {} });
      store.plan(fault);
      const outcome = await store.transact([put("a", 1)]).catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(MetadataError);
      expect(outcome).toMatchObject({ retriable: true, applied });
      expect((await memory.get("a"))?.version).toBe(version);
      expect(store.counts[fault]).toBe(1);
    },
  );
});

describe("a late effect", () => {
  it("comes some time after the caller was told that nobody knows, if its conditions hold then", async () => {
    const { memory, pass, store } = open({ perThousand: { lateEffect: 1000 }, lateMsMax: 100 });
    const first: Write = { ...put("a", 1), condition: { is: "absent" } };
    const failure = { name: "MetadataError", applied: "maybe" };
    await expect(store.transact([first])).rejects.toMatchObject(failure);
    await expect(store.transact([put("b", 1)])).rejects.toMatchObject(failure);
    expect(memory.items()).toEqual([]);
    await memory.transact([put("a", 2)]);
    pass(100);
    expect(memory.items().map(({ key, value }) => [key, value["n"]])).toEqual([
      ["a", 2],
      ["b", 1],
    ]);
    expect(store.counts.lateEffect).toBe(2);
  });
});
