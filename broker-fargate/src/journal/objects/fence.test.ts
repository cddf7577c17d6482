import { keys, MetadataError } from "@millrace/core";
import type { MetadataStore } from "@millrace/core";
import { crc32c, decodeFence } from "@millrace/wire";
import { beforeEach, describe, expect, it } from "vitest";
import { settled } from "../../../../test/fixtures/test-cluster.ts";
import { FencedError } from "../../cluster/slot-claims.ts";
import { type ClosedJournal, closeJournal, type FenceDeps } from "./fence.ts";
import { createItem, incarnation, JournalRig, keyOf, numbersIn, smallLimits } from "../fixtures.ts";
import {
  IncarnationMissingError,
  JournalObjectDamagedError,
  JournalObjectMissingError,
} from "./journal-errors.ts";

let rig: JournalRig;

beforeEach(async () => {
  rig = new JournalRig();
  await createItem(rig.metadata);
});

async function write(count: number, bytes?: number): Promise<void> {
  const first = rig.journal.nextSeq;
  for (let number = first; number < first + count; number++) {
    rig.append(number, bytes);
    await rig.pass(100);
  }
}

/** Closes the journal, and tells which entries it had. */
async function close(
  durable: number,
  deps: FenceDeps = rig.fenceDeps(),
): Promise<{ readonly closed: ClosedJournal; readonly numbers: readonly number[] }> {
  const numbers: number[] = [];
  const closing = closeJournal(deps, {
    incarnation,
    durable,
    onObject: (found) => void numbers.push(...numbersIn(found)),
  });
  return { closed: await settled(rig.clock, closing), numbers };
}

async function item(): Promise<unknown> {
  return (await rig.metadata.get(keys.incarnation(incarnation)))?.value;
}

describe("closing another incarnation's journal", () => {
  it("puts a fence at the first free seq, and records the end", async () => {
    await write(5);
    const { closed, numbers } = await close(3);
    expect(closed).toEqual({ trim: 0, end: 5, checkpoint: undefined });
    expect(numbers).toEqual([0, 1, 2, 3, 4]);
    const decoded = decodeFence(rig.memory.bytesOf(keyOf(5)) ?? new Uint8Array(), crc32c);
    expect(decoded).toMatchObject({ kind: "ok", fence: { incarnation, seq: 5 } });
    expect(await item()).toMatchObject({ state: "closed", end: 5, trim: 0, broker: 1 });
  });

  it("gives the same end, and the same objects, to whoever asks again", async () => {
    await write(4);
    const first = await close(0);
    expect(await close(4)).toEqual(first);
    expect(await close(0)).toEqual(first);
    expect(rig.memory.keys.length).toBe(5);
  });

  it("begins at the trim, and goes upwards from the last heartbeat's durable seq", async () => {
    await write(6);
    await rig.journal.advanceTrim(4);
    await rig.journal.trimmed();
    const reads: string[] = [];
    const read = rig.faults.readRange.bind(rig.faults);
    rig.faults.readRange = (key, range) => {
      reads.push(key);
      return read(key, range);
    };
    const { closed, numbers } = await close(5);
    expect(closed).toEqual({ trim: 4, end: 6, checkpoint: undefined });
    expect(numbers).toEqual([4, 5]);
    expect(reads).not.toContain(keyOf(3));
    const other = await close(0);
    expect(other.numbers).toEqual([4, 5]);
  });

  it("ends an empty journal at its beginning", async () => {
    expect(await close(0)).toEqual({
      closed: { trim: 0, end: 0, checkpoint: undefined },
      numbers: [],
    });
  });

  it("tells of the newest checkpoint as the item froze it", async () => {
    const key = keys.incarnation(incarnation);
    const before = await rig.metadata.get(key);
    const checkpoint = { number: 3, bytes: 77 };
    const value = { ...before?.value, checkpoint };
    const condition = { is: "version", version: before?.version ?? 0 } as const;
    await rig.metadata.transact([{ kind: "put", key, value, condition }]);
    expect((await close(0)).closed.checkpoint).toEqual(checkpoint);
  });

  it("ends at the first free seq, whatever lies behind it, and that is never read", async () => {
    await write(3);
    await rig.memory.putIfAbsent(keyOf(4), [new Uint8Array(100)]);
    expect((await close(2)).closed.end).toBe(3);
  });

  it("lets the owner's put of that seq fail, so that the owner knows that it is over", async () => {
    await write(2);
    await close(2);
    rig.append(9);
    await rig.pass(1_000);
    expect(rig.told.at(-1)).toBe("9 failed");
    expect(rig.over[0]).toBeInstanceOf(FencedError);
  });

  it("reads ahead with a bound, hands over in order, and waits for who takes an object", async () => {
    await write(12);
    let open = 0;
    let most = 0;
    const read = rig.faults.readRange.bind(rig.faults);
    rig.faults.readRange = async (key, range) => {
      open++;
      most = Math.max(most, open);
      const found = await read(key, range);
      open--;
      return found;
    };
    rig.faults.rates = { perThousand: { slowRead: 300 }, slowMsMax: 50 };
    const { numbers } = await close(12);
    expect(numbers).toEqual([...Array(12).keys()]);
    const { probesInFlightMax, readsInFlightMax } = smallLimits;
    expect(most).toBeLessThanOrEqual(readsInFlightMax + probesInFlightMax);
    expect(most).toBeGreaterThan(1);
  });

  it("reads on, up to a bound, while one object takes long", async () => {
    await write(12);
    const begun = new Set<string>();
    let begunMeanwhile: ReadonlySet<string> = begun;
    const read = rig.faults.readRange.bind(rig.faults);
    rig.faults.readRange = async (key, range) => {
      begun.add(key);
      if (key === keyOf(0)) {
        await new Promise<void>((resolve) => rig.clock.after(1_000, resolve));
        begunMeanwhile = new Set(begun);
      }
      return read(key, range);
    };
    const seqs = [...Array(12).keys()];
    expect((await close(12)).numbers).toEqual(seqs);
    const { objectsAheadMax, readsInFlightMax } = smallLimits;
    expect(objectsAheadMax).toBeGreaterThan(readsInFlightMax);
    const isBegun = seqs.map((seq) => begunMeanwhile.has(keyOf(seq)));
    expect(isBegun).toEqual(seqs.map((seq) => seq < objectsAheadMax));
  });

  it("reads nothing more once an object is missing", async () => {
    await write(40);
    const begun: string[] = [];
    const read = rig.faults.readRange.bind(rig.faults);
    rig.faults.readRange = async (key, range) => {
      begun.push(key);
      await new Promise<void>((resolve) => rig.clock.after(10, resolve));
      return key === keyOf(0) ? undefined : read(key, range);
    };
    const limits = { ...smallLimits, objectsAheadMax: 30 };
    await expect(close(40, { ...rig.fenceDeps(), limits })).rejects.toThrow();
    const untilThen = begun.length;
    for (let turn = 0; turn < 20; turn += 1) await rig.pass(10);
    expect(begun.length - untilThen).toBe(0);
  });

  it("reads an object that is larger than the first read in two", async () => {
    await write(1, 5_000);
    expect((await close(1)).numbers).toEqual([0]);
  });

  it("finishes over failures of both stores", async () => {
    await write(6);
    rig.faults.rates = {
      perThousand: { slowDown: 150, requestLost: 100, replyLost: 100, conflict: 100, slowRead: 50 },
      slowMsMax: 200,
    };
    rig.metadataFaults.rates = {
      perThousand: { throttled: 150, requestLost: 150, replyLost: 150, conflict: 150 },
    };
    const { closed, numbers } = await close(3);
    expect(closed.end).toBe(6);
    expect(numbers).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe("a journal that can't be read to its end", () => {
  it("lacks an object below what was durable: an error, never a silent end", async () => {
    await write(5);
    rig.faults.lose(keyOf(2));
    await expect(close(4)).rejects.toBeInstanceOf(JournalObjectMissingError);
    // By now it is closed, and says so again.
    await expect(close(4)).rejects.toThrow(keyOf(2));
    expect(await item()).toMatchObject({ state: "closed", end: 5 });
  });

  it("has an object that exists and can't be read past what was known to be durable", async () => {
    await write(5);
    rig.faults.lose(keyOf(3));
    await expect(close(1)).rejects.toThrow(keyOf(3));
    rig.faults.findLost();
    expect((await close(1)).closed.end).toBe(5);
  });

  it("was deleted meanwhile, after another process had closed it: its end holds", async () => {
    await write(3);
    const { metadata } = rig;
    let isClosed = false;
    // Between the probes and the put somebody else closes it, and all but the fence is deleted.
    const put = rig.faults.putIfAbsent.bind(rig.faults);
    rig.faults.putIfAbsent = async (key, parts) => {
      if (!isClosed) {
        isClosed = true;
        await closeJournal(rig.fenceDeps(), { incarnation, durable: 3 });
        rig.faults.lose(key);
      }
      return put(key, parts);
    };
    const closing = closeJournal(rig.fenceDeps(), { incarnation, durable: 3 });
    expect((await settled(rig.clock, closing)).end).toBe(3);
    expect(metadata.items().length).toBe(1);
  });

  it("was closed and deleted before a slow process looked: the recorded end holds", async () => {
    await write(5);
    const inner = rig.fenceDeps();
    const { metadata } = rig;
    let writes = 0;
    // Another one overtakes it when its item says closing.
    const store = Object.assign(Object.create(metadata) as MetadataStore, {
      get: metadata.get.bind(metadata),
      transact: async (...args: Parameters<MetadataStore["transact"]>) => {
        const outcome = await metadata.transact(...args);
        if (++writes > 1) return outcome;
        await closeJournal(inner, { incarnation, durable: 4 });
        await rig.memory.delete([0, 1, 2, 3, 4].map(keyOf));
        return outcome;
      },
    });
    const deps = { ...inner, access: { ...inner.access, store } };
    expect((await closeJournal(deps, { incarnation, durable: 2 })).end).toBe(5);
    await expect(close(2, deps)).rejects.toBeInstanceOf(JournalObjectMissingError);
    expect(await item()).toMatchObject({ state: "closed", end: 5 });
  });

  it("has damaged or foreign bytes in it", async () => {
    await write(3);
    rig.memory.flipBit(keyOf(1), 90 * 8);
    await expect(close(3)).rejects.toBeInstanceOf(JournalObjectDamagedError);
    const again = new JournalRig();
    rig = again;
    await createItem(again.metadata);
    await write(2);
    await again.memory.putIfAbsent(keyOf(2), [again.memory.bytesOf(keyOf(1)) ?? new Uint8Array()]);
    await expect(close(2)).rejects.toThrow("another seq");
  });

  it("has no item, which is not an end either", async () => {
    await rig.metadata.transact([{ kind: "delete", key: keys.incarnation(incarnation) }]);
    await expect(close(0)).rejects.toBeInstanceOf(IncarnationMissingError);
  });
});

/** Ends the fencer with the n-th thing that it asks of a store, before or after its effect. */
class Mortal {
  #left: number;
  readonly #when: "before" | "after";

  constructor(calls: number, when: "before" | "after") {
    this.#left = calls;
    this.#when = when;
  }

  async call<Result>(run: () => Promise<Result>): Promise<Result> {
    const isLast = --this.#left === 0;
    if (this.#left < 0 || (isLast && this.#when === "before")) return new Promise(() => undefined);
    const result = await run();
    return isLast ? new Promise(() => undefined) : result;
  }

  get isDead(): boolean {
    return this.#left <= 0;
  }
}

describe("a process that dies while it closes a journal", () => {
  it.each(["before", "after"] as const)("%s any step leaves it to the next one", async (when) => {
    let deaths = 0;
    for (let calls = 1; ; calls++) {
      rig = new JournalRig();
      await createItem(rig.metadata);
      await write(4);
      const mortal = new Mortal(calls, when);
      const { access, objects, ...rest } = rig.fenceDeps();
      const store: MetadataStore = {
        get: (key) => mortal.call(() => access.store.get(key)),
        range: (range) => mortal.call(() => access.store.range(range)),
        transact: (writes) => mortal.call(() => access.store.transact(writes)),
        close: () => Promise.resolve(),
      };
      const mortalObjects: typeof objects = Object.assign(Object.create(objects), {
        put: (...args: Parameters<typeof objects.put>) =>
          mortal.call(() => rig.objects.put(...args)),
        readRange: (...args: Parameters<typeof objects.readRange>) =>
          mortal.call(() => rig.objects.readRange(...args)),
      });
      const deps = { ...rest, access: { ...access, store }, objects: mortalObjects };
      let isDone = false;
      const first = closeJournal(deps, { incarnation, durable: 2, onObject: () => undefined });
      void first.then(() => (isDone = true));
      await rig.pass(1_000);
      if (!mortal.isDead) break;
      deaths++;
      expect(isDone).toBe(false);
      const { closed, numbers } = await close(2);
      expect([closed.end, numbers]).toEqual([4, [0, 1, 2, 3]]);
    }
    expect(deaths).toBeGreaterThan(8);
  });

  it("is told when the metadata store does not answer, and goes on later", async () => {
    await write(2);
    const { access } = rig.fenceDeps();
    const away = new MetadataError("away", { retriable: false, applied: "no" });
    const store = Object.assign(Object.create(access.store) as MetadataStore, {
      get: () => Promise.reject(away),
    });
    const deps = { ...rig.fenceDeps(), access: { ...access, store } };
    await expect(close(0, deps)).rejects.toBe(away);
    expect((await close(0)).closed.end).toBe(2);
  });
});
