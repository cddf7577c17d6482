import { MemoryDisk } from "@millrace/adapter-memory";
import { DiskError, epoch, type IncarnationId, incarnationId, slot, topicId } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { FormerEntries, type FormerEntry, type FormerPlace } from "./former-entries.ts";

const first = incarnationId(`1-${"a".repeat(32)}`);
const second = incarnationId(`2-${"b".repeat(32)}`);
const topic = topicId("0123456789abcdef".repeat(2));
const at = { topicId: topic, partition: 0, slot: slot(3) };

function entry(of: number, baseOffset: number): FormerEntry {
  const records = new Uint8Array([baseOffset]);
  return { ...at, epoch: epoch(of), baseOffset, lastOffset: baseOffset, records };
}

const journals = new Map([
  [first, [entry(1, 0), entry(1, 1), entry(5, 4)]],
  [second, [entry(3, 2), entry(3, 3)]],
]);

async function loaded(): Promise<FormerEntries> {
  const entries = new FormerEntries((incarnation, _, take) => {
    for (const one of journals.get(incarnation) ?? []) take([one]);
    return Promise.resolve();
  }, place());
  // Whichever is read first.
  await entries.load(second, [at.slot]);
  await entries.load(first, [at.slot]);
  return entries;
}

function place(disk = new MemoryDisk()): FormerPlace & { readonly disk: MemoryDisk } {
  const warn = (what: string): never => {
    throw new Error(`warned: ${what}`);
  };
  return { disk, warn };
}

function offsets(entries: readonly FormerEntry[]): readonly number[] {
  return entries.map(({ baseOffset }) => baseOffset);
}

describe("what former owners' journals hold", () => {
  it("comes in the order of epochs, whatever the order of sources and of readings", async () => {
    const entries = await loaded();
    const sources = [
      { incarnation: first, epoch: epoch(5) },
      { incarnation: second, epoch: epoch(3) },
      { incarnation: first, epoch: epoch(1) },
    ];
    expect(offsets(entries.entriesOf(at, sources))).toEqual([0, 1, 2, 3, 4]);
  });

  it("is of a source's own epoch alone, and nothing of one that was handed over", async () => {
    const entries = await loaded();
    const five = { incarnation: first, epoch: epoch(5) };
    expect(offsets(entries.entriesOf(at, [five]))).toEqual([4]);
    const released = { incarnation: first, epoch: epoch(1), released: true } as const;
    expect(offsets(entries.entriesOf(at, [released, five]))).toEqual([4]);
  });

  it("is not said to be here where one of several readings failed", async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let readings = 0;
    const entries = new FormerEntries(async (_, slots, take) => {
      const gate = gates[readings];
      readings += 1;
      await gate?.promise;
      for (const one of slots) take([{ ...entry(1, 0), slot: one }]);
    }, place());
    const other = slot(4);
    const early = entries.load(first, [at.slot]);
    const both = entries.load(first, [at.slot, other]);
    const told = expect(both).rejects.toThrow("away");
    gates[1]?.reject(new Error("away"));
    await new Promise((resolve) => setImmediate(resolve));
    gates[0]?.resolve();
    await Promise.all([early, told]);
    expect(entries.partitionsOf(other)).toEqual([]);
  });

  it("is kept of an open slot's sources alone, also where it comes late", async () => {
    const gate = Promise.withResolvers<void>();
    const entries = new FormerEntries(async (incarnation, _, take) => {
      if (incarnation === second) await gate.promise;
      take([entry(incarnation === first ? 1 : 3, 0)]);
    }, place());
    await entries.load(first, [at.slot]);
    const late = entries.load(second, [at.slot]);
    const third = incarnationId(`3-${"c".repeat(32)}`);
    entries.opened(at.slot, [{ incarnation: third, epoch: epoch(4) }]);
    expect([entries.memoryBytes, entries.partitionsOf(at.slot)]).toEqual([0, []]);
    gate.resolve();
    await late;
    expect([entries.memoryBytes, entries.partitionsOf(at.slot)]).toEqual([0, []]);
  });

  it("is read no more once the life has ended", async () => {
    const entries = await loaded();
    entries.close();
    await expect(entries.load(first, [slot(4)])).rejects.toThrow("this life has ended");
  });

  it("is read again where it was forgotten while it was read, and comes once", async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const readings: Promise<void>[] = [];
    const limits = { memoryBytesMax: 100, journalReadsAtOnceMax: 1, spillFileBytesMax: 100 };
    const entries = new FormerEntries(
      async (_, __, take) => {
        const gate = gates[readings.length]?.promise ?? Promise.resolve();
        readings.push(gate);
        await gate;
        take([entry(1, 0)]);
      },
      { ...place(), limits },
    );
    const source = { incarnation: first, epoch: epoch(1) };
    // The second one waits for its turn, and is forgotten before it has begun.
    const early = [entries.load(first, [at.slot]), entries.load(second, [at.slot])];
    entries.forget(at.slot);
    const late = entries.load(first, [at.slot]);
    for (const gate of gates) gate.resolve();
    await Promise.all([...early, late]);
    expect(readings).toHaveLength(3);
    expect(offsets(entries.entriesOf(at, [source]))).toEqual([0]);
    expect(entries.memoryBytes).toBe(1);
    entries.forget(at.slot);
    expect(entries.memoryBytes).toBe(0);
  });

  it("is read again after a reading that failed", async () => {
    let tries = 0;
    const entries = new FormerEntries((_, __, take) => {
      tries += 1;
      if (tries === 1) return Promise.reject(new Error("away"));
      take([entry(1, 0)]);
      return Promise.resolve();
    }, place());
    await expect(entries.load(first, [at.slot])).rejects.toThrow("away");
    await entries.load(first, [at.slot]);
    expect(offsets(entries.entriesOf(at, [{ incarnation: first, epoch: epoch(1) }]))).toEqual([0]);
  });
});

describe("the journals of many former owners", () => {
  const limits = { memoryBytesMax: 2_500, journalReadsAtOnceMax: 2, spillFileBytesMax: 2_000 };
  const lives = Array.from(
    { length: 5 },
    (_, at): IncarnationId => incarnationId(`${at + 1}-${"c".repeat(32)}`),
  );
  /** Of life n: a thousand bytes of n, at offset n. */
  const thousand = (life: number): FormerEntry => ({
    ...entry(life, life),
    records: new Uint8Array(1_000).fill(life),
  });
  const source = (life: number) => ({
    incarnation: incarnationId(`${life}-${"c".repeat(32)}`),
    epoch: epoch(life),
  });
  const lifeOf = (incarnation: IncarnationId): number => lives.indexOf(incarnation) + 1;

  it("take no more memory together than they may: the rest lies on the disk, and reads the same", async () => {
    const { disk, warn } = place();
    const entries = new FormerEntries(
      (incarnation, _, take) => {
        take([thousand(lifeOf(incarnation))]);
        return Promise.resolve();
      },
      { disk, warn, limits },
    );
    await Promise.all(lives.map((one) => entries.load(one, [at.slot])));
    expect(entries.memoryBytes).toBe(2_000);
    expect(entries.diskBytes).toBe(3_000);
    const read = entries.entriesOf(at, [1, 2, 3, 4, 5].map(source));
    expect(read.map(({ records }) => records)).toEqual(
      [1, 2, 3, 4, 5].map((life) => thousand(life).records),
    );
    entries.covered(at);
    expect([entries.memoryBytes, entries.diskBytes]).toEqual([0, 0]);
    expect(disk.usedBytes).toBe(0);
  });

  it("take no more of the disk with every takeover while one slot can't be copied", async () => {
    const { disk, warn } = place();
    const stuck = slot(4);
    const entries = new FormerEntries(
      (_, slots, take) => {
        for (const one of slots) take([{ ...thousand(1), slot: one }]);
        return Promise.resolve();
      },
      { disk, warn, limits: { ...limits, memoryBytesMax: 0 } },
    );
    await entries.load(source(1).incarnation, [stuck, at.slot]);
    for (const life of [2, 3, 4, 5]) {
      await entries.load(source(life).incarnation, [at.slot]);
      entries.forget(at.slot);
      expect(entries.diskBytes).toBe(1_000);
      expect(disk.usedBytes).toBeLessThanOrEqual(2_000);
    }
    const [left] = entries.entriesOf({ ...at, slot: stuck }, [source(1)]);
    expect(left?.records).toEqual(thousand(1).records);
  });

  it("are dropped once though their file can't be removed, and the others stay", async () => {
    const { disk } = place();
    const warned: unknown[] = [];
    disk.remove = (path) => {
      throw new DiskError("io", { path, applied: "no" });
    };
    const entries = new FormerEntries(
      (incarnation, _, take) => {
        take([{ ...thousand(1), partition: lifeOf(incarnation) }]);
        return Promise.resolve();
      },
      {
        disk,
        warn: (_, cause) => warned.push(cause),
        limits: { ...limits, memoryBytesMax: 0, spillFileBytesMax: 1 },
      },
    );
    for (const life of [1, 2]) await entries.load(source(life).incarnation, [at.slot]);
    const [one, two] = [1, 2].map((partition) => ({ ...at, partition }));
    if (one === undefined || two === undefined) throw new Error("there are two");
    expect(entries.covered(one)).toBe(false);
    expect(entries.covered(one)).toBe(false);
    expect(entries.diskBytes).toBe(1_000);
    expect(entries.partitionsOf(at.slot)).toMatchObject([{ partition: 2 }]);
    expect(warned).toEqual([expect.any(DiskError)]);
    const kept = { ...source(2), epoch: epoch(1) };
    expect(entries.entriesOf(two, [kept])[0]?.records).toEqual(thousand(1).records);
  });

  it("leave nothing on the disk when the life ends", async () => {
    const { disk, warn } = place();
    const entries = new FormerEntries(
      (_, __, take) => {
        take([thousand(1)]);
        return Promise.resolve();
      },
      { disk, warn, limits: { ...limits, memoryBytesMax: 0 } },
    );
    await entries.load(source(1).incarnation, [at.slot]);
    entries.close();
    entries.close();
    expect(disk.paths()).toEqual([]);
    expect(() => entries.forget(at.slot)).not.toThrow();
  });

  it("leave nothing in memory or on the disk of a reading that failed", async () => {
    const entries = new FormerEntries(
      (_, __, take) => {
        for (let count = 0; count < 4; count += 1) take([thousand(1)]);
        return Promise.reject(new Error("away"));
      },
      { ...place(), limits },
    );
    await expect(entries.load(source(1).incarnation, [at.slot])).rejects.toThrow("away");
    expect([entries.memoryBytes, entries.diskBytes]).toEqual([0, 0]);
  });

  it("are read two at a time, and one that hangs holds up no other", async () => {
    let [running, most] = [0, 0];
    const entries = new FormerEntries(
      async (incarnation, _, take) => {
        running += 1;
        most = Math.max(most, running);
        if (incarnation === lives[0]) await new Promise(() => undefined);
        await Promise.resolve();
        take([thousand(lifeOf(incarnation))]);
        running -= 1;
      },
      { ...place(), limits },
    );
    void entries.load(source(1).incarnation, [at.slot]);
    await Promise.all(
      [2, 3, 4, 5].map((life) => entries.load(source(life).incarnation, [slot(9)])),
    );
    expect(most).toBe(2);
  });

  it("fail to be read with DiskError once the life has ended, or where the disk fails", async () => {
    const { disk, warn } = place();
    const entries = new FormerEntries(
      (incarnation, _, take) => {
        take([thousand(lifeOf(incarnation))]);
        return Promise.resolve();
      },
      { disk, warn, limits: { ...limits, memoryBytesMax: 0 } },
    );
    await entries.load(source(1).incarnation, [at.slot]);
    const [first] = entries.entriesOf(at, [source(1)]);
    disk.failNext({ operation: "write", times: 1 });
    await expect(entries.load(source(2).incarnation, [at.slot])).rejects.toThrow(DiskError);
    entries.close();
    expect(() => first?.records).toThrow(DiskError);
  });
});
