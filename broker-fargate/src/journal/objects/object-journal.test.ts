import type { ObjectStore } from "@millrace/core";
import { crc32c, encodeFence } from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { FencedError } from "../../cluster/slot-claims.ts";
import { HeldPuts, incarnation, JournalRig, keyOf, smallLimits, turn } from "../fixtures.ts";
import type { RigOptions } from "../fixtures.ts";
import { journalLimits } from "../limits.ts";

/** A rig whose puts wait until they are let go. */
function heldRig(options: RigOptions = {}): { readonly rig: JournalRig; readonly puts: HeldPuts } {
  const made: HeldPuts[] = [];
  const wrap = (store: ObjectStore): ObjectStore => {
    const held = new HeldPuts(store);
    made.push(held);
    return held;
  };
  const rig = new JournalRig({ ...options, wrap });
  const [puts] = made;
  if (puts === undefined) throw new Error("the store was not wrapped");
  return { rig, puts };
}

function fenceAt(seq: number): Uint8Array {
  return encodeFence({ incarnation, seq, nonce: new Uint8Array(16), wallMs: 0 }, crc32c);
}

describe("a journal of objects", () => {
  it("sends the first entries after idle at the end of their turn, as one object", async () => {
    const rig = new JournalRig();
    rig.append(1);
    rig.append(2);
    expect(rig.memory.keys).toEqual([]);
    await turn();
    expect(rig.memory.keys).toEqual([keyOf(0)]);
    expect(rig.told).toEqual(["1 durable 0", "2 durable 0"]);
    expect(rig.journal.durableSeq).toBe(1);
  });

  it("lets what comes within the linger time collect, from the last put's beginning on", async () => {
    const rig = new JournalRig();
    rig.append(1);
    await rig.pass(60);
    rig.append(2);
    await rig.pass(30);
    rig.append(3);
    await rig.pass(9);
    expect(rig.memory.keys.length).toBe(1);
    await rig.pass(1);
    expect(rig.told).toEqual(["1 durable 0", "2 durable 1", "3 durable 1"]);
    await rig.pass(100);
    rig.append(4);
    await turn();
    expect(rig.told.at(-1)).toBe("4 durable 2");
  });

  it("lets nothing collect any longer when somebody is in a hurry", async () => {
    const rig = new JournalRig();
    rig.append(1);
    await rig.pass(10);
    rig.append(2);
    await rig.pass(10);
    expect(rig.told).toEqual(["1 durable 0"]);
    rig.journal.hurry();
    await turn();
    expect(rig.told).toEqual(["1 durable 0", "2 durable 1"]);
    rig.append(3);
    await rig.pass(90);
    expect(rig.told.at(-1)).toBe("2 durable 1");
    await rig.pass(10);
    expect(rig.told.at(-1)).toBe("3 durable 2");
    rig.journal.hurry();
    await rig.pass(500);
    expect(rig.memory.keys.length).toBe(3);
  });

  it("lets little collect for a while after slots came from elsewhere", async () => {
    const { briskLingerMs, briskMs } = journalLimits;
    const rig = new JournalRig();
    rig.append(0);
    await rig.pass(briskLingerMs + 1);
    rig.append(1);
    await turn();
    expect(rig.told).toEqual(["0 durable 0"]);
    // What collects already goes at once, where it has for long enough, or sooner than it would have.
    rig.journal.quicken();
    await turn();
    expect(rig.told.at(-1)).toBe("1 durable 1");
    await rig.pass(briskMs);
    rig.append(2);
    await turn();
    rig.append(3);
    await rig.pass(1);
    rig.journal.quicken();
    await rig.pass(briskLingerMs - 1);
    expect(rig.told.at(-1)).toBe("3 durable 3");
    rig.append(4);
    await rig.pass(briskLingerMs - 1);
    expect(rig.told.at(-1)).toBe("3 durable 3");
    await rig.pass(1);
    expect(rig.told.at(-1)).toBe("4 durable 4");
    await rig.pass(briskMs);
    rig.append(5);
    rig.append(6);
    await turn();
    rig.append(7);
    await rig.pass(99);
    expect(rig.told.at(-1)).toBe("6 durable 5");
    await rig.pass(1);
    expect(rig.told.at(-1)).toBe("7 durable 6");
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it("is in no haste where the store is slow for as many puts", async () => {
    const { briskLingerMs, putsInFlightMax } = journalLimits;
    const { puts, rig } = heldRig({ limits: journalLimits });
    rig.journal.quicken();
    const append = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += briskLingerMs) {
        rig.append(passed);
        await rig.pass(briskLingerMs);
      }
    };
    await append(putsInFlightMax * briskLingerMs);
    expect(puts.held).toHaveLength(putsInFlightMax / 2);
    await append(90);
    expect(puts.held.length).toBeLessThanOrEqual(putsInFlightMax / 2 + 2);
    // Where they land it is in haste again.
    const { length } = puts.held;
    for (let seq = 0; seq < length; seq += 1) puts.letGo(seq);
    await append(3 * briskLingerMs);
    expect(puts.held.length).toBeGreaterThanOrEqual(2);
  });

  it("puts at most ten objects a second while they are small, and none without entries", async () => {
    const rig = new JournalRig({ limits: journalLimits });
    for (let ms = 0; ms < 3_000; ms += 3) {
      rig.append(ms);
      await rig.pass(3);
    }
    expect(rig.memory.keys.length).toBeLessThanOrEqual(31);
    expect(rig.memory.keys.length).toBeGreaterThanOrEqual(29);
    await rig.pass(200);
    const { length } = rig.memory.keys;
    await rig.pass(3_600_000);
    expect(rig.memory.keys.length).toBe(length);
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it("closes an object with the entry that makes it large enough, without a wait", async () => {
    const rig = new JournalRig();
    rig.append(0);
    await turn();
    rig.append(1, 600);
    await turn();
    expect(rig.memory.keys.length).toBe(1);
    rig.append(2, 600);
    rig.append(3, 10);
    await turn();
    expect(rig.told.slice(1)).toEqual(["1 durable 1", "2 durable 1"]);
    await rig.pass(100);
    expect(rig.told.at(-1)).toBe("3 durable 2");
  });

  it("has a bounded number of objects in flight; what comes then goes into larger ones", async () => {
    const { rig, puts } = heldRig();
    for (let number = 0; number < 8; number++) {
      rig.append(number);
      await rig.pass(100);
    }
    expect(puts.held.map(({ key }) => key)).toEqual([keyOf(0), keyOf(1), keyOf(2)]);
    puts.letGo(0);
    await turn();
    expect(puts.held.map(({ key }) => key)).toEqual([keyOf(1), keyOf(2), keyOf(3)]);
    for (const seq of [1, 2, 3]) puts.letGo(seq);
    await turn();
    expect(rig.told.slice(3)).toEqual([3, 4, 5, 6, 7].map((number) => `${number} durable 3`));
  });

  it("tells in the order of the appends, whatever the order in which puts end", async () => {
    const { rig, puts } = heldRig();
    for (const number of [0, 1, 2]) {
      rig.append(number);
      await rig.pass(100);
    }
    puts.letGo(2);
    puts.letGo(1);
    await turn();
    expect(rig.told).toEqual([]);
    expect(rig.journal.durableSeq).toBe(0);
    puts.letGo(0);
    await turn();
    expect(rig.told).toEqual(["0 durable 0", "1 durable 1", "2 durable 2"]);
    expect(rig.journal.durableSeq).toBe(3);
  });

  it("tells many entries in several turns, in order, and takes others meanwhile", async () => {
    const rig = new JournalRig({ limits: { ...smallLimits, turnMsMax: 0 } });
    const { clock } = rig;
    const slowClock = clock.monotonicMs.bind(clock);
    let ms = 0;
    // Each look at the clock takes a while, as work does.
    clock.monotonicMs = () => slowClock() + ms++ * 0.01;
    for (const number of [0, 1, 2, 3]) rig.append(number);
    await turn();
    expect(rig.told.length).toBeLessThan(4);
    rig.append(4);
    await rig.pass(300);
    expect(rig.told.slice(0, 4)).toEqual([0, 1, 2, 3].map((number) => `${number} durable 0`));
    expect(rig.told.at(-1)).toBe("4 durable 1");
  });

  it("has room up to its bounds, and again after objects are durable and trimmed", async () => {
    const { rig, puts } = heldRig();
    let rooms = 0;
    rig.journal.onRoom(() => rooms++);
    expect(rig.journal.hasRoom(1_000_000)).toBe(true);
    while (rig.journal.hasRoom(500)) rig.append(1, 500);
    expect(rig.journal.pendingBytes).toBeGreaterThan(smallLimits.pendingBytesMax - 1_000);
    await turn();
    for (let seq = 0; puts.held.length > 0; seq++) {
      puts.letGo(seq);
      await turn();
    }
    await rig.pass(100);
    expect(rooms).toBeGreaterThan(0);
    expect(rig.journal.hasRoom(500)).toBe(true);
    let seq = rig.journal.nextSeq;
    while (rig.journal.hasRoom(500)) {
      rig.append(2, 500);
      await rig.pass(100);
      puts.letGo(seq++);
      await turn();
    }
    const { limits } = rig;
    expect(rig.journal.untrimmedBytes).toBeGreaterThan(limits.journalBytesMax - 1_000);
    expect(rig.journal.untrimmedBytes).toBeLessThanOrEqual(limits.journalBytesMax);
    rig.recordTrim = () => Promise.resolve();
    await rig.journal.advanceTrim(rig.journal.durableSeq);
    expect(rig.journal.hasRoom(1_000_000)).toBe(true);
  });
});

describe("an object whose put went wrong", () => {
  it("is durable when an earlier try of which nothing was heard put it", async () => {
    const rig = new JournalRig();
    rig.faults.plan("put", "replyLost");
    rig.append(1);
    await rig.pass(30_000);
    expect(rig.told).toEqual(["1 durable 0"]);
    expect(rig.faults.counts.replyLost).toBe(1);
  });

  it("is tried again with the same bytes after a 409 with nothing there", async () => {
    const sent: string[] = [];
    const watch = (store: ObjectStore): ObjectStore =>
      Object.assign(Object.create(store) as ObjectStore, {
        readRange: store.readRange.bind(store),
        putIfAbsent: (key: string, parts: readonly Uint8Array[]) => {
          sent.push(Buffer.concat(parts).toString("hex"));
          return store.putIfAbsent(key, parts);
        },
      });
    const rig = new JournalRig({ wrap: watch });
    rig.faults.plan("put", "conflict", "conflict", "slowDown");
    rig.append(1);
    await rig.pass(5_000);
    expect(rig.told).toEqual(["1 durable 0"]);
    expect(sent.length).toBe(4);
    expect(new Set(sent).size).toBe(1);
  });

  it("is durable when the store says that it exists and has its bytes", async () => {
    const rig = new JournalRig();
    rig.faults.plan("put", "replyLost");
    // The look after the lost reply fails too, so that the next put is told of its own object.
    rig.faults.plan("read", "slowDown");
    rig.append(1);
    await rig.pass(30_000);
    expect(rig.told.at(-1)).toBe("1 durable 0");
    expect(rig.over).toEqual([]);
  });

  it("ends the incarnation when its place has a fence: nothing after it is told durable", async () => {
    const { rig, puts } = heldRig();
    for (const number of [0, 1, 2]) {
      rig.append(number);
      await rig.pass(100);
    }
    rig.append(3);
    await rig.memory.putIfAbsent(keyOf(1), [fenceAt(1)]);
    puts.letGo(2);
    puts.letGo(0);
    await turn();
    puts.letGo(1);
    await rig.pass(1_000);
    expect(rig.told).toEqual(["0 durable 0", "1 failed", "2 failed", "3 failed"]);
    expect(rig.journal.state).toBe("over");
    expect(rig.journal.hasRoom(1)).toBe(false);
    expect(rig.over.length).toBe(1);
    expect(rig.over[0]).toBeInstanceOf(FencedError);
    await rig.pass(3_600_000);
    // The put of seq 3 was under way before the fence was found.
    expect(rig.journal.nextSeq).toBe(4);
    expect(puts.held.map(({ key }) => key)).toEqual([keyOf(3)]);
  });

  it("ends the incarnation when foreign bytes, or after a 412 none, are there", async () => {
    for (const isGone of [false, true]) {
      const rig = new JournalRig();
      await rig.memory.putIfAbsent(keyOf(0), [new Uint8Array(200)]);
      if (isGone) rig.faults.lose(keyOf(0));
      rig.append(1);
      await rig.pass(100);
      expect([rig.journal.state, rig.told]).toEqual(["over", ["1 failed"]]);
    }
  });

  it("puts nothing more once the incarnation is over, however its tries fail", async () => {
    const rig = new JournalRig();
    rig.faults.rates = { perThousand: { requestLost: 1000 }, slowMsMax: 100 };
    rig.append(1);
    await rig.pass(1_000);
    rig.journal.end(new FencedError("a conditional write was refused"));
    rig.journal.end(new FencedError("twice"));
    rig.faults.rates = { perThousand: {} };
    await rig.pass(3_600_000);
    expect(rig.memory.keys).toEqual([]);
    expect(rig.told).toEqual(["1 failed"]);
    expect(rig.over.length).toBe(1);
  });

  it("waits while the store is away for minutes; nothing is lost and the order is kept", async () => {
    const rig = new JournalRig({ seed: 4 });
    rig.faults.rates = { perThousand: { slowDown: 400, requestLost: 600 }, slowMsMax: 2_000 };
    let number = 0;
    while (rig.journal.hasRoom(400)) {
      rig.append(number++, 300);
      await rig.pass(150);
    }
    await rig.pass(600_000);
    expect(rig.journal.hasRoom(400)).toBe(false);
    expect(rig.told.every((what) => what.endsWith("delayed timedOut"))).toBe(true);
    expect(rig.told.some((what) => what.startsWith(`${number - 1} `))).toBe(true);
    await rig.journal.idle();
    rig.faults.rates = { perThousand: {} };
    await rig.pass(20_000);
    const durable = rig.told.filter((what) => what.includes("durable"));
    expect(durable.map((what) => Number(what.split(" ")[0]))).toEqual([...Array(number).keys()]);
    expect(rig.warnings.length).toBeGreaterThan(0);
    expect(rig.journal.state).toBe("open");
  });

  it("waits longer between rounds of tries, with jitter", async () => {
    const rig = new JournalRig();
    rig.faults.rates = { perThousand: { slowDown: 1000 } };
    rig.append(1);
    await rig.pass(600_000);
    // Eight tries a round of six seconds, and a pause: fewer than one try a second.
    expect(rig.faults.counts.slowDown).toBeLessThan(800);
    expect(rig.faults.counts.slowDown).toBeGreaterThan(300);
    rig.journal.close();
  });
});

describe("the end of a journal of objects", () => {
  it("is idle when all is told, and fails what is pending when it is closed before", async () => {
    const { rig, puts } = heldRig();
    rig.append(1);
    await turn();
    let isIdle = false;
    void rig.journal.idle().then(() => (isIdle = true));
    await turn();
    expect(isIdle).toBe(false);
    puts.letGo(0);
    await turn();
    expect(isIdle).toBe(true);
    rig.append(2);
    rig.journal.close();
    rig.journal.close();
    await rig.pass(1_000);
    expect(rig.told).toEqual(["1 durable 0", "2 failed"]);
    expect([rig.journal.state, rig.over, rig.clock.pendingTimers]).toEqual(["closed", [], 0]);
  });
});
