import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import { epoch, incarnationId, keys, type MetadataStore, slot, type Write } from "@millrace/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { settled } from "../../../test/fixtures/test-cluster.ts";
import { GuardedWrites } from "./guarded-writes.ts";
import { headGuard } from "./head-guard.ts";

const owner = incarnationId(`1-${"a".repeat(32)}`);
const other = incarnationId(`2-${"b".repeat(32)}`);
const guard = headGuard(slot(3), epoch(5));
const never = (): boolean => false;

function headWrite(of: { readonly owner: string | null; readonly epoch: number }): Write {
  return { kind: "put", key: guard.key, value: { ...of, sources: [] } };
}

function put(name: string, n: number): Write {
  return { kind: "put", key: `slot/00003/${name}`, value: { n } };
}

function remove(name: string): Write {
  return { kind: "delete", key: `slot/00003/${name}` };
}

/** The next read of the key has its answer when `goOn` was called. */
function held(
  store: MetadataStore,
  key: string,
): { readonly begun: Promise<void>; goOn: () => void } {
  const { promise: gate, resolve: goOn } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const get = store.get.bind(store);
  store.get = async (asked, how) => {
    const found = await get(asked, how);
    if (asked !== key) return found;
    begin();
    await gate;
    return found;
  };
  return { begun, goOn };
}

class Bench {
  readonly clock = new VirtualClock();
  readonly memory = new MemoryMetadataStore();
  readonly store: FaultyMetadataStore;
  readonly guarded: GuardedWrites;

  private constructor(seed: number) {
    const { clock } = this;
    const random = new SeededRandom(seed);
    this.store = new FaultyMetadataStore(this.memory, { clock, random });
    this.guarded = new GuardedWrites({ store: this.store, clock, random });
  }

  static async start(seed = 1): Promise<Bench> {
    const bench = new Bench(seed);
    await bench.memory.transact([headWrite({ owner, epoch: 5 })]);
    return bench;
  }

  /** The outcome's kind, or "unknown". */
  async write(...writes: readonly Write[]): Promise<string> {
    try {
      const done = this.guarded.transact([guard], writes, never);
      return (await settled(this.clock, done)).kind;
    } catch {
      return "unknown";
    }
  }

  async settle(): Promise<"settled" | "unknown"> {
    try {
      await settled(this.clock, this.guarded.settle(guard.key));
      return "settled";
    } catch {
      return "unknown";
    }
  }

  /** Lets all that is late take effect. */
  async later(): Promise<void> {
    this.clock.advance(60_000);
    await Promise.resolve();
  }

  shown(): Readonly<Record<string, unknown>> {
    const items = this.memory.items().filter(({ key }) => key !== guard.key);
    return Object.fromEntries(items.map(({ key, value }) => [key.slice(11), value["n"]]));
  }

  get headVersion(): number | undefined {
    return this.memory.items().find(({ key }) => key === guard.key)?.version;
  }
}

describe("guarded writes", () => {
  it("leave their guard alone as long as every one is answered", async () => {
    const bench = await Bench.start();
    expect(await bench.write(put("a", 1))).toBe("written");
    expect(await bench.write(put("a", 2), put("b", 2))).toBe("written");
    expect(bench.headVersion).toBe(1);
  });

  it("are not made again, late, after what came since", async () => {
    const bench = await Bench.start();
    bench.store.plan("lateEffect", "none");
    expect(await bench.write(put("a", 1))).toBe("written");
    expect(await bench.write(remove("a"))).toBe("written");
    await bench.later();
    expect(bench.store.counts.lateEffect).toBe(1);
    expect(bench.shown()).toEqual({});
  });

  it("that were given up are not made after another one", async () => {
    const bench = await Bench.start();
    bench.store.rates = { perThousand: {}, lateMsMax: 60_000 };
    bench.store.plan(...Array<"lateEffect">(7).fill("lateEffect"));
    expect(await bench.write(put("a", 1))).toBe("unknown");
    const before = bench.shown();
    expect(await bench.write(put("b", 2))).toBe("written");
    await bench.later();
    expect(bench.shown()).toEqual({ ...before, b: 2 });
  });

  it("that were given up are decided once they are settled", async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const bench = await Bench.start(seed);
      bench.store.plan(...Array<"lateEffect">(7).fill("lateEffect"));
      expect(await bench.write(put("a", 1))).toBe("unknown");
      expect(await bench.settle()).toBe("settled");
      const before = bench.shown();
      await bench.later();
      expect(bench.shown()).toEqual(before);
    }
  });

  it("are sent again where their guard was changed by its owner elsewhere", async () => {
    const bench = await Bench.start();
    expect(await bench.write(put("a", 1))).toBe("written");
    await bench.memory.transact([headWrite({ owner, epoch: 5 })]);
    expect(await bench.write(put("a", 2))).toBe("written");
    expect(bench.shown()).toEqual({ a: 2 });
  });

  it("are over when the guard is another's, or was handed over, or is gone", async () => {
    const ends: readonly Write[] = [
      headWrite({ owner, epoch: 6 }),
      headWrite({ owner: null, epoch: 5 }),
      { kind: "delete", key: guard.key },
    ];
    for (const end of ends) {
      const bench = await Bench.start();
      expect(await bench.write(put("a", 1))).toBe("written");
      await bench.memory.transact([end]);
      expect(await bench.write(put("a", 2))).toBe("over");
      expect(bench.shown()).toEqual({ a: 1 });
    }
  });

  it("tell which of several guards does not allow them", async () => {
    const bench = await Bench.start();
    const other = headGuard(slot(4), epoch(5));
    const outcome = await bench.guarded.transact([guard, other], [put("a", 1)], never);
    expect(outcome).toEqual({ kind: "over", guards: new Set([keys.head(slot(4))]) });
  });

  it("give up, and say so, where the guard moves at every try", async () => {
    const bench = await Bench.start();
    const { clock, memory } = bench;
    const store = {
      get: memory.get.bind(memory),
      range: memory.range.bind(memory),
      close: memory.close.bind(memory),
      transact: async (writes: readonly Write[]) => {
        await memory.transact([headWrite({ owner, epoch: 5 })]);
        return memory.transact(writes);
      },
    };
    const guarded = new GuardedWrites({ store, clock, random: new SeededRandom(1) });
    const failure = { name: "MetadataError", retriable: true, applied: "no" };
    const done = guarded.transact([guard], [put("a", 1)], never);
    await expect(done).rejects.toMatchObject(failure);
    expect(bench.shown()).toEqual({});
  });

  it("write nothing under a guard that was found over while another one was read", async () => {
    const bench = await Bench.start();
    const { guarded, memory, store } = bench;
    const second = headGuard(slot(4), epoch(5));
    await memory.transact([
      { kind: "put", key: second.key, value: { owner, epoch: 5, sources: [] } },
    ]);
    store.plan("requestLost", "requestLost", "requestLost", "requestLost", "requestLost");
    store.plan("requestLost", "requestLost");
    expect(await bench.write(put("a", 1))).toBe("unknown");
    await memory.transact([headWrite({ owner: other, epoch: 6 })]);
    const reading = held(store, second.key);
    const writing = guarded.transact([guard, second], [put("a", 2)], never);
    await reading.begun;
    expect(await bench.settle()).toBe("settled");
    reading.goOn();
    const done = await settled(bench.clock, writing);
    expect(done).toEqual({ kind: "over", guards: new Set([guard.key]) });
    expect(bench.shown()).toEqual({});
  });

  it("leave what was read once they were settled, whatever fails", async () => {
    const change = fc.record({
      name: fc.constantFrom("a", "b", "c"),
      isPut: fc.boolean(),
      isSettled: fc.boolean(),
    });
    const changes = fc.array(change, { minLength: 1, maxLength: 25 });
    const hit = { late: 0, unknown: 0 };
    const property = fc.asyncProperty(fc.nat(), changes, async (seed, all) => {
      const bench = await Bench.start(seed);
      const perThousand = { lateEffect: 350, requestLost: 100, replyLost: 200, throttled: 50 };
      bench.store.rates = { perThousand, latencyMsMax: 20, lateMsMax: 3_000 };
      let expected: Readonly<Record<string, unknown>> | undefined = {};
      for (const [n, { name, isPut, isSettled }] of all.entries()) {
        const outcome = await bench.write(isPut ? put(name, n) : remove(name));
        if (outcome === "unknown") {
          hit.unknown += 1;
          expected = undefined;
        } else if (expected !== undefined) {
          const { [name]: _, ...others }: Record<string, unknown> = expected;
          expected = isPut ? { ...others, [name]: n } : others;
          // Nothing that is still to come may change what was written.
          if (n === all.length - 1) await bench.later();
          expect(bench.shown()).toEqual(expected);
        }
        if (expected !== undefined || !isSettled) continue;
        if ((await bench.settle()) === "settled") expected = bench.shown();
      }
      hit.late += bench.store.counts.lateEffect;
    });
    await fc.assert(property, { numRuns: 150 });
    expect(hit.late).toBeGreaterThan(300);
    expect(hit.unknown).toBeGreaterThan(5);
  });
});
