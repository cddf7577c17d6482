import {
  FaultyMetadataStore,
  MemoryMetadataStore,
  SeededRandom,
  VirtualClock,
} from "@millrace/adapter-memory";
import {
  epoch,
  incarnationId,
  keys,
  MetadataError,
  slot,
  type Slot,
  type Write,
} from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { settled } from "../../../test/fixtures/test-cluster.ts";
import { FencedError } from "../cluster/slot-claims.ts";
import { slotsApartMax } from "./limits.ts";
import { SlotWrites, type WritableSlot } from "./slot-writes.ts";

const owner = incarnationId(`1-${"a".repeat(32)}`);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function at(number: number, of = 1): WritableSlot {
  return { slot: slot(number), openSlot: { epoch: epoch(of) } };
}

function head(of: Slot, epochOf: number): Write {
  return { kind: "put", key: keys.head(of), value: { owner, epoch: epochOf, sources: [] } };
}

function put(number: number, n: number): Write {
  return { kind: "put", key: `${keys.slot(slot(number))}/partition/x`, value: { n } };
}

describe("what an owner writes under its slots", () => {
  let clock: VirtualClock;
  let memory: MemoryMetadataStore;
  let store: FaultyMetadataStore;
  let writes: SlotWrites;
  let transactions: (readonly Write[])[];

  beforeEach(async () => {
    clock = new VirtualClock();
    memory = new MemoryMetadataStore();
    const random = new SeededRandom(1);
    store = new FaultyMetadataStore(memory, { clock, random });
    transactions = [];
    const counted = {
      get: store.get.bind(store),
      range: store.range.bind(store),
      close: store.close.bind(store),
      transact: (sent: readonly Write[]) => {
        transactions.push(sent);
        return store.transact(sent);
      },
    };
    writes = new SlotWrites({ store: counted, clock, random });
    await memory.transact([head(slot(1), 1), head(slot(2), 1)]);
  });

  const valueOf = async (number: number): Promise<unknown> => {
    return (await memory.get(put(number, 0).key))?.value["n"];
  };

  it("goes together, with one check for each slot", async () => {
    await Promise.all([writes.write(at(1), [put(1, 1)]), writes.write(at(2), [put(2, 2)])]);
    expect(transactions).toHaveLength(1);
    expect(transactions[0]?.map(({ kind }) => kind)).toEqual(["put", "put", "check", "check"]);
  });

  it("fails for the slot alone that is another's by now", async () => {
    await writes.write(at(1), [put(1, 1)]);
    await writes.write(at(2), [put(2, 1)]);
    await memory.transact([head(slot(2), 9)]);
    const [mine, others] = await Promise.allSettled([
      writes.write(at(1), [put(1, 2)]),
      writes.write(at(2), [put(2, 2)]),
    ]);
    expect(mine).toMatchObject({ status: "fulfilled" });
    expect(others).toMatchObject({ status: "rejected", reason: expect.any(FencedError) });
    expect([await valueOf(1), await valueOf(2)]).toEqual([2, 1]);
  });

  it("fails for the slot alone whose items the store has no room for", async () => {
    await memory.transact([head(slot(3), 1)]);
    const transact = store.transact.bind(store);
    store.transact = (sent) => {
      if (!sent.some(({ key }) => key === keys.head(slot(2)))) return transact(sent);
      return Promise.reject(new MetadataError("throttled", { retriable: true, applied: "no" }));
    };
    const asked = [1, 2, 3].map((number) => writes.write(at(number), [put(number, 5)]));
    const outcomes = await settled(clock, Promise.allSettled(asked));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect([await valueOf(1), await valueOf(2), await valueOf(3)]).toEqual([5, undefined, 5]);
  });

  it("is written for some slots at once where they could not be together, then for the others", async () => {
    const numbers = Array.from({ length: slotsApartMax + 3 }, (_, i) => 10 + i);
    await memory.transact(numbers.map((number) => head(slot(number), 1)));
    const transact = store.transact.bind(store);
    const begun: (() => void)[] = [];
    store.transact = async (sent) => {
      if (sent.length > 2) throw new MetadataError("busy", { retriable: true, applied: "no" });
      await new Promise<void>((resolve) => begun.push(resolve));
      return transact(sent);
    };
    const asked = Promise.all(numbers.map((number) => writes.write(at(number), [put(number, 7)])));
    for (let turns = 0; turns < 100; turns += 1) {
      clock.fireNext();
      await turn();
    }
    expect(begun).toHaveLength(slotsApartMax);
    begun[0]?.();
    await turn();
    expect(begun).toHaveLength(slotsApartMax + 1);
    for (let ended = 1; ended < numbers.length; ended += 1) {
      begun[ended]?.();
      await turn();
    }
    await asked;
    for (const number of numbers) expect(await valueOf(number)).toBe(7);
  });

  it("is not written at an older epoch beside what a newer one writes", async () => {
    await memory.transact([head(slot(1), 2)]);
    const [former, present] = await Promise.allSettled([
      writes.write(at(1, 1), [put(1, 1)]),
      writes.write(at(1, 2), [{ ...put(1, 2), key: `${keys.slot(slot(1))}/partition/y` }]),
    ]);
    expect(former).toMatchObject({ status: "rejected", reason: expect.any(FencedError) });
    expect(present).toMatchObject({ status: "fulfilled" });
    expect(await valueOf(1)).toBeUndefined();
  });

  it("can't be written late once it is settled, nor after what came next", async () => {
    store.rates = { perThousand: {}, lateMsMax: 60_000 };
    store.plan(...Array<"lateEffect">(7).fill("lateEffect"));
    await expect(settled(clock, writes.write(at(1), [put(1, 1)]))).rejects.toThrow("lateEffect");
    await settled(clock, writes.settled(slot(1)));
    const read = await valueOf(1);
    clock.advance(60_000);
    expect(await valueOf(1)).toBe(read);
    expect(transactions.at(-1)?.map(({ kind, key }) => [kind, key])).toEqual([
      ["put", keys.head(slot(1))],
    ]);
  });

  it("costs nothing to settle where every write was answered", async () => {
    await writes.write(at(1), [put(1, 1)]);
    await writes.settled(slot(1));
    await writes.settled(slot(2));
    expect(transactions).toHaveLength(1);
  });
});
