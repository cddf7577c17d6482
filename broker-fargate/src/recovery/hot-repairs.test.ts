import { DiskError, ObjectError } from "@millrace/core";
import type { TopicId } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { smallLimits as tierLimits } from "../tier/fixtures.ts";
import { batchOf, offsetOf, readAllRecords, Rig, valuesOf } from "../partition/fixtures.ts";
import { segmentPath } from "../partition/log-opener.ts";
import type { PartitionOwner } from "../partition/owner.ts";

const checkpointMs = 70_000;
const repaired = "a damaged hot copy was given up";
const failed = "a disk does not give records back";

interface Opened {
  readonly rig: Rig;
  readonly topic: TopicId;
  readonly owner: PartitionOwner;
}

async function opened(durability: "local" | "journal" = "local"): Promise<Opened> {
  const rig = await new Rig({ tierLimits }).start();
  const topic = await rig.createTopic("t", { configs: { "millrace.durability": durability } });
  const owner = await rig.partitions.open(topic, 0);
  owner.log.config = { ...owner.log.config, segmentBytes: 1_000, indexIntervalBytes: 200 };
  return { rig, topic, owner };
}

async function append(owner: PartitionOwner, from: number, to: number): Promise<void> {
  for (let value = from; value < to; value += 1) {
    offsetOf(
      await owner.append({ waitFor: "durable", records: batchOf([value], { padding: 20 }) }),
    );
  }
}

/** Forty records in the object store, and ten that are hot only. */
async function half(durability: "local" | "journal" = "local"): Promise<Opened> {
  const rig = await opened(durability);
  await append(rig.owner, 0, 40);
  await rig.rig.pass(checkpointMs);
  expect(rig.owner.latestTieredOffset).toBe(39);
  await append(rig.owner, 40, 50);
  await rig.owner.log.sync();
  return rig;
}

const values = (to: number): readonly number[] => Array.from({ length: to }, (_, i) => i);

function pathOf({ owner, topic }: Opened, segment: number): string {
  const { baseOffset } = [...owner.log.segments()].at(segment) ?? { baseOffset: -1 };
  return segmentPath({ topicId: topic, partition: 0 }, baseOffset);
}

function count(rig: Rig, what: string): number {
  return rig.warnings.filter((warning) => warning.startsWith(what)).length;
}

describe("a hot copy in which a bit has flipped", () => {
  it.each([
    ["a value", 65],
    ["a length", 8 + 2],
    ["an offset", 4],
    ["an offset's last byte", 7],
    ["the format's number", 16],
  ])("is given up by the reader who finds it, in %s", async (_, byte) => {
    for (const bit of [0, 1, 2, 7]) await findsIt(byte, bit);
  });

  async function findsIt(byte: number, bit: number): Promise<void> {
    const at = await half();
    const { owner, rig } = at;
    const batchBytes = batchOf([1], { padding: 20 }).length;
    rig.disk.flipBit(pathOf(at, 1), (3 * batchBytes + byte) * 8 + bit);
    const end = [...owner.log.segments()][2]?.baseOffset;
    expect(await valuesOf(owner)).toEqual(values(50));
    await rig.pass(1);
    expect(owner.earliestLocalOffset).toBe(end);
    expect(rig.disk.paths()).not.toContain(pathOf(at, 0).replace(/\d{20}\./, `${"0".repeat(20)}.`));
    expect([count(rig, repaired), count(rig, failed)]).toEqual([1, 0]);
    expect(await valuesOf(owner)).toEqual(values(50));
    expect(count(rig, repaired)).toBe(1);
  }

  it("stays where the object store does not give the bytes: the reader is refused, the others not", async () => {
    const at = await half();
    const { owner, rig } = at;
    const { objects } = rig;
    if (objects === undefined) throw new Error("there is a store");
    objects.readRange = () => Promise.resolve(undefined);
    const path = pathOf(at, 1);
    const base = [...owner.log.segments()][1]?.baseOffset ?? 0;
    rig.disk.flipBit(path, 65 * 8);
    const range = { maxBytes: 1, isolation: "uncommitted", atLeastOneBatch: true } as const;
    for (let i = 0; i < 5; i += 1) {
      const read = owner.read({ ...range, from: base });
      if (read.kind === "pending") await read.ready;
      else expect(read.kind).toBe("failed");
    }
    expect(owner.read({ ...range, from: base + 1 }).kind).toBe("ok");
    expect(rig.disk.paths()).toContain(path);
    expect([count(rig, repaired), count(rig, failed)]).toEqual([0, 1]);
  });

  it("is given up by who looks at the segment for another reason", async () => {
    const { owner, rig } = await half();
    const [, first, second] = [...owner.log.segments()].map(({ baseOffset }) => baseOffset);
    expect(await owner.repairSegment(first ?? -1, "bad-crc")).toBe("repaired");
    expect(owner.earliestLocalOffset).toBe(second);
    expect(await owner.repairSegment(first ?? -1, "bad-crc")).toBe("refused");
    expect(await owner.repairSegment(49, "bad-crc")).toBe("refused");
    expect(count(rig, repaired)).toBe(1);
    expect(await valuesOf(owner)).toEqual(values(50));
  });

  it("in the last segment is given up below the cold end, and what lies above stays", async () => {
    const at = await opened();
    const { owner, rig } = at;
    owner.log.config = { ...owner.log.config, segmentBytes: 100_000 };
    await append(owner, 0, 40);
    await rig.pass(checkpointMs);
    await append(owner, 40, 50);
    const batchBytes = batchOf([1], { padding: 20 }).length;
    // A length: no scan comes past it.
    rig.disk.flipBit(pathOf(at, 0), (39 * batchBytes + 10) * 8);
    expect(await valuesOf(owner)).toEqual(values(50));
    await rig.pass(1);
    expect(owner.earliestLocalOffset).toBe(40);
    await append(owner, 50, 60);
    await rig.pass(checkpointMs);
    expect(owner.latestTieredOffset).toBe(59);
    expect(await valuesOf(owner)).toEqual(values(60));
  });

  it("does not go into the object store", async () => {
    const at = await half();
    const { owner, rig } = at;
    const last = pathOf(at, -1);
    rig.disk.flipBit(last, (rig.disk.bytesOf(last).length - 3) * 8);
    await rig.pass(2 * checkpointMs);
    expect(owner.latestTieredOffset).toBe(39);
    expect(rig.warnings.join()).toContain("could not be");
  });
});

describe("a hot file", () => {
  it.each([
    ["is missing", (rig: Rig, path: string) => rig.disk.remove(path)],
    ["is cut", (rig: Rig, path: string) => rig.disk.cut(path, 150)],
    ["is empty", (rig: Rig, path: string) => rig.disk.cut(path, 0)],
    ["begins with another byte", (rig: Rig, path: string) => rig.disk.flipBit(path, 16 * 8)],
  ])("that %s at a start costs nothing that the object store has", async (_, damage) => {
    for (const ending of ["kill", "close"] as const) {
      for (const segment of [0, 1, 3]) {
        const at = await half();
        const { rig, topic } = at;
        if (ending === "close") await rig.partitions.close();
        damage(rig, pathOf(at, segment));
        await rig.kill();
        const owner = await rig.partitions.open(topic, 0);
        expect(await valuesOf(owner)).toEqual(values(50));
        await append(owner, 50, 52);
        expect(await valuesOf(owner)).toEqual(values(52));
      }
    }
  });

  it.each(["index", "timeindex"])("loses its %s, which is made again", async (kind) => {
    const at = await half();
    const { rig, topic } = at;
    await rig.partitions.close();
    for (const segment of [0, 2, -1]) {
      rig.disk.remove(pathOf(at, segment).replace(".log", `.${kind}`));
    }
    await rig.kill();
    const owner = await rig.partitions.open(topic, 0);
    expect(readAllRecords(owner).map(({ value }) => value)).toEqual(values(50));
    expect(owner.earliestLocalOffset).toBe(0);
  });

  it("that gives no bytes any more is given up when it is read", async () => {
    const at = await half();
    const { owner, rig } = at;
    const path = pathOf(at, 1);
    rig.disk.failNext({ operation: "read", matches: (read) => read === path, times: 1_000 });
    expect(await valuesOf(owner)).toEqual(values(50));
    await rig.pass(1);
    expect(count(rig, repaired)).toBe(1);
    const found = await owner.findByTimestamp(0);
    expect(found?.offset ?? 0).toBe(0);
  });
});

describe("a log that is opened after a death with damage below the cold end", () => {
  it.each(["local", "journal"] as const)(
    "keeps what lies above, under `%s`",
    async (durability) => {
      for (const byte of [4, 10, 65]) {
        const at = await opened(durability);
        const { owner, rig, topic } = at;
        owner.log.config = { ...owner.log.config, segmentBytes: 100_000, indexIntervalBytes: 4096 };
        await append(owner, 0, 40);
        await rig.pass(checkpointMs);
        await append(owner, 40, 50);
        const batchBytes = batchOf([1], { padding: 20 }).length;
        rig.disk.flipBit(pathOf(at, 0), (30 * batchBytes + byte) * 8 + 2);
        await rig.kill();
        const again = await rig.partitions.open(topic, 0);
        expect(await valuesOf(again)).toEqual(values(50));
        await append(again, 50, 60);
        await rig.pass(checkpointMs);
        expect(again.latestTieredOffset).toBe(59);
        expect(await valuesOf(again)).toEqual(values(60));
      }
    },
  );

  it("is offline, alone, while records are missing between what the tiers have", async () => {
    const at = await half();
    const { owner, rig, topic } = at;
    const { objects } = rig;
    if (objects === undefined) throw new Error("there is a store");
    const other = await rig.createTopic("u", { configs: { "millrace.durability": "local" } });
    await append(await rig.partitions.open(other, 0), 0, 3);
    const put = objects.putIfAbsent.bind(objects);
    objects.putIfAbsent = () =>
      Promise.reject(new ObjectError("away", { retriable: false, applied: "no" }));
    await append(owner, 50, 90);
    const lost = [...owner.log.segments()].filter(({ baseOffset }) => baseOffset < 70);
    const paths = lost.map(({ baseOffset }) =>
      segmentPath({ topicId: topic, partition: 0 }, baseOffset),
    );
    // Until it is synced and clean.
    await rig.pass(checkpointMs);
    const files = paths.map((path) => rig.disk.bytesOf(path));
    for (const path of paths) rig.disk.remove(path);
    await rig.kill();
    for (let i = 0; i < 2; i += 1) {
      await expect(rig.partitions.open(topic, 0)).rejects.toBeInstanceOf(DiskError);
    }
    expect(count(rig, failed)).toBe(1);
    expect(await valuesOf(await rig.partitions.open(other, 0))).toEqual(values(3));
    for (const [i, path] of paths.entries()) {
      rig.disk.open(path, { create: "ifAbsent" })?.write(0, [files[i] ?? new Uint8Array()]);
    }
    objects.putIfAbsent = put;
    expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual(values(90));
  });

  it("under `journal` is written anew where its files can't be read", async () => {
    const at = await half("journal");
    const { rig, topic } = at;
    const path = pathOf(at, -1);
    rig.disk.kill();
    rig.disk.failNext({ operation: "read", matches: (read) => read === path, times: 1 });
    await rig.start();
    const owner = await rig.partitions.open(topic, 0);
    expect(await valuesOf(owner)).toEqual(values(50));
    expect(owner.earliestLocalOffset).toBe(40);
    expect(count(rig, repaired)).toBe(1);
  });

  it("under `journal` is offline, and left, where they can't be read and its cold copy is damaged", async () => {
    const at = await half("journal");
    const { owner, rig, topic } = at;
    const [part] = owner.tiered?.cold.parts() ?? [];
    if (part === undefined) throw new Error("there is a part");
    const path = pathOf(at, -1);
    const before = rig.disk.paths().filter((each) => each.endsWith(".log"));
    const bit = (part.position + 65) * 8;
    rig.objects?.flipBit(part.object, bit);
    rig.disk.kill();
    rig.disk.failNext({ operation: "read", matches: (read) => read === path, times: 1 });
    await rig.start();
    await expect(rig.partitions.open(topic, 0)).rejects.toBeInstanceOf(DiskError);
    expect(rig.disk.paths().filter((each) => each.endsWith(".log"))).toEqual(before);
    await rig.kill();
    expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual(values(50));
    expect(count(rig, repaired)).toBe(0);
  });

  it("under `journal` is cut where the journal begins, whatever is damaged below", async () => {
    for (const byte of [4, 10, 65]) {
      const at = await opened("journal");
      const { owner, rig, topic } = at;
      owner.log.config = { ...owner.log.config, segmentBytes: 100_000, indexIntervalBytes: 4096 };
      await append(owner, 0, 40);
      // In the object store, and still in the journal.
      await rig.pass(61_000);
      expect(owner.latestTieredOffset).toBe(39);
      await append(owner, 40, 50);
      const batchBytes = batchOf([1], { padding: 20 }).length;
      rig.disk.flipBit(pathOf(at, 0), (5 * batchBytes + byte) * 8 + 2);
      await rig.kill();
      expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual(values(50));
    }
  });
});
