import type { ColdPart, TopicId } from "@millrace/core";
import { DiskError, ObjectError } from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { smallLimits as tierLimits } from "../tier/fixtures.ts";
import { batchOf, fetchAllRecords, offsetOf, Rig } from "./fixtures.ts";
import { segmentPath } from "./log-opener.ts";
import type { PartitionOwner } from "./owner.ts";

const checkpointMs = 70_000;
const stays = "a damaged hot copy stays";
const values = Array.from({ length: 50 }, (_, value) => value);
/** The segment that is damaged: neither its cold part nor the segment is the first one. */
const hit = 5;
const range = { maxBytes: 1, isolation: "uncommitted", atLeastOneBatch: true } as const;

/** Forty records on both tiers, the last ten on the disk only; a bit flips in a segment. */
describe("a damaged hot copy", () => {
  let rig: Rig;
  let topic: TopicId;
  let owner: PartitionOwner;
  /** Where the segments begin. */
  let bases: readonly number[];

  async function append(from: number, to: number): Promise<void> {
    for (const value of values.slice(from, to)) {
      const records = batchOf([value], { padding: 20 });
      offsetOf(await owner.append({ waitFor: "durable", records }));
    }
  }

  beforeEach(async () => {
    rig = await new Rig({ tierLimits }).start();
    topic = await rig.createTopic("t", { configs: { "millrace.durability": "local" } });
    owner = await rig.partitions.open(topic, 0);
    owner.log.config = { ...owner.log.config, segmentBytes: 500, indexIntervalBytes: 200 };
    for (let from = 0; from < 40; from += 10) {
      await append(from, from + 10);
      await rig.pass(checkpointMs);
    }
    await append(40, 50);
    await rig.pass(1);
    bases = [...owner.log.segments()].map(({ baseOffset }) => baseOffset);
    rig.disk.flipBit(pathOf(hit), 65 * 8);
  });

  function pathOf(segment: number): string {
    return segmentPath({ topicId: topic, partition: 0 }, bases[segment] ?? -1);
  }

  function objects() {
    if (rig.objects === undefined) throw new Error("there is a store");
    return rig.objects;
  }

  /** The part that has the damaged offset, or the first one. */
  function part(which: "damaged" | "first"): ColdPart {
    const { cold } = owner.tiered ?? {};
    const found = which === "first" ? cold?.parts().next().value : cold?.find(bases[hit] ?? 0);
    if (found === undefined) throw new Error("there is a part");
    return found;
  }

  function repair(): Promise<string> {
    return owner.repairSegment(bases[hit] ?? -1, "bad-crc");
  }

  function count(what: string): number {
    return rig.warnings.filter((warning) => warning.startsWith(what)).length;
  }

  /** Nothing was deleted. */
  function expectAllThere(): void {
    expect(owner.earliestLocalOffset).toBe(0);
    for (let i = 0; i < bases.length; i += 1) expect(rig.disk.paths()).toContain(pathOf(i));
  }

  it("goes once the object store has given what it held", async () => {
    expect(part("first")).not.toBe(part("damaged"));
    expect(await repair()).toBe("repaired");
    expect(owner.earliestLocalOffset).toBe(bases[hit + 1]);
    expect(rig.disk.paths()).not.toContain(pathOf(0));
    expect((await fetchAllRecords(owner)).map(({ value }) => value)).toEqual(values);
  });

  it("stays while the object store is away, and goes when it is back", async () => {
    const store = objects();
    const readRange = store.readRange.bind(store);
    store.readRange = () =>
      Promise.reject(new ObjectError("away", { retriable: false, applied: "no" }));
    expect(await repair()).toBe("later");
    expect(await repair()).toBe("later");
    expectAllThere();
    expect(count(stays)).toBe(1);
    store.readRange = readRange;
    expect(await repair()).toBe("repaired");
  });

  it.each([
    ["has another byte", "damaged", (cold: ColdPart) => (cold.position + 65) * 8],
    ["has another offset", "damaged", (cold: ColdPart) => (cold.position + 7) * 8],
    ["has another end", "damaged", (cold: ColdPart) => (cold.position + cold.bytes - 9) * 8],
  ] as const)("stays where its cold copy %s", async (_, which, bitOf) => {
    const cold = part(which);
    objects().flipBit(cold.object, bitOf(cold));
    expect(await repair()).toBe("refused");
    expect(await repair()).toBe("refused");
    expectAllThere();
    expect(count(stays)).toBe(1);
    expect(owner.read({ ...range, from: bases[1] ?? 0 }).kind).toBe("ok");
  });

  it.each(["damaged", "first"] as const)("stays where the %s part is missing", async (which) => {
    await objects().delete([part(which).object]);
    expect(await repair()).toBe("refused");
    expectAllThere();
    expect(count(stays)).toBe(1);
  });

  it("is left by a fetch, too, whose own bytes are there, while others are not", async () => {
    const cold = part("damaged");
    // The part's last batch, which nobody asks for.
    objects().flipBit(cold.object, (cold.position + cold.batchesBytes - 1) * 8);
    for (let i = 0; i < 12; i += 1) {
      const read = owner.read({ ...range, from: bases[hit] ?? 0 });
      if (read.kind === "pending") await read.ready;
      await rig.pass(1);
    }
    expectAllThere();
    expect(count(stays)).toBe(1);
  });

  it("is left by a search by timestamp, which fails", async () => {
    const path = pathOf(0);
    const cold = part("first");
    objects().flipBit(cold.object, (cold.position + 65) * 8);
    rig.disk.failNext({ operation: "read", matches: (read) => read === path, times: 1_000 });
    await expect(owner.findByTimestamp(-1)).rejects.toBeInstanceOf(DiskError);
    expectAllThere();
    expect(count(stays)).toBe(1);
  });

  it("is left as it is by who comes after the partition's end", async () => {
    const repairing = repair();
    await rig.partitions.close();
    expect(["refused", "repaired"]).toContain(await repairing);
    expect(await repair()).toBe("refused");
  });

  describe("is met by a start, which", () => {
    const away = new ObjectError("away", { retriable: false, applied: "no" });
    let batchBytes: number;

    beforeEach(() => {
      // What the other tests damage is whole again.
      rig.disk.flipBit(pathOf(hit), 65 * 8);
      batchBytes = batchOf([1], { padding: 20 }).length;
    });

    async function start(): Promise<void> {
      await rig.kill();
      owner = await rig.partitions.open(topic, 0);
    }

    async function read(): Promise<readonly number[]> {
      return (await fetchAllRecords(owner)).map(({ value }) => value);
    }

    /** A length is wrong, which no scan comes past. */
    function damageEnd(segment: number): void {
      const last = rig.disk.bytesOf(pathOf(segment)).length - batchBytes;
      rig.disk.flipBit(pathOf(segment), (last + 10) * 8);
    }

    it.each([
      ["has another byte", (cold: ColdPart) => objects().flipBit(cold.object, 65 * 8)],
      ["is missing", (cold: ColdPart) => void objects().delete([cold.object])],
    ])("leaves it where its cold copy %s", async (_, damageCold) => {
      damageEnd(hit);
      const cold = part("damaged");
      expect(cold.position).toBe(0);
      damageCold(cold);
      await start();
      expectAllThere();
      const next = bases[hit + 1] ?? -1;
      expect(owner.read({ ...range, from: 0 }).kind).toBe("ok");
      expect(owner.read({ ...range, from: next }).kind).toBe("ok");
    });

    it("gives it up where the object store gives what it held", async () => {
      damageEnd(hit);
      await start();
      expect(owner.earliestLocalOffset).toBe(bases[hit + 1]);
      expect(await read()).toEqual(values);
    });

    it("deletes nothing while the object store is away", async () => {
      damageEnd(hit);
      const store = objects();
      const { readRange } = store;
      await rig.kill();
      store.readRange = () => Promise.reject(away);
      await expect(rig.partitions.open(topic, 0)).rejects.toBe(away);
      for (let i = 0; i < bases.length; i += 1) expect(rig.disk.paths()).toContain(pathOf(i));
      store.readRange = readRange.bind(store);
      owner = await rig.partitions.open(topic, 0);
      expect(await read()).toEqual(values);
    });

    it("does not cut the end off below the cold end before that is read", async () => {
      const at = bases.findLastIndex((base) => base < 39);
      for (const path of bases.slice(at + 1).keys()) rig.disk.remove(pathOf(at + 1 + path));
      damageEnd(at);
      const cold = [...(owner.tiered?.cold.parts() ?? [])].at(-1);
      if (cold === undefined) throw new Error("there is a part");
      const bit = (cold.position + cold.batchesBytes - 5) * 8;
      const hotBytes = rig.disk.bytesOf(pathOf(at)).length;
      objects().flipBit(cold.object, bit);
      await rig.kill();
      await expect(rig.partitions.open(topic, 0)).rejects.toBeInstanceOf(DiskError);
      expect(rig.disk.bytesOf(pathOf(at))).toHaveLength(hotBytes);
      for (let i = 0; i <= at; i += 1) expect(rig.disk.paths()).toContain(pathOf(i));
      objects().flipBit(cold.object, bit);
      await start();
      expect(await read()).toEqual(values.slice(0, 40));
    });

    it("keeps whole hot copies that end below the cold end where a part of theirs is missing", async () => {
      const at = bases.findLastIndex((base) => base < 39);
      for (const path of bases.slice(at).keys()) rig.disk.remove(pathOf(at + path));
      const cold = part("first");
      await objects().delete([cold.object]);
      await rig.kill();
      await expect(rig.partitions.open(topic, 0)).rejects.toBeInstanceOf(DiskError);
      for (let i = 0; i < at; i += 1) expect(rig.disk.paths()).toContain(pathOf(i));
    });
  });
});
