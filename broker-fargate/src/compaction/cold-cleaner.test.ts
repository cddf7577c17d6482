import { describe, expect, test } from "vitest";
import { textBatch, textsIn } from "../../../test/fixtures/compaction.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { ColdKit, coldLimits, unknownOutcome } from "../../../test/fixtures/cold-compaction.ts";
import { turn } from "../partition/fixtures.ts";
import { ColdCleaner } from "./cold-cleaner.ts";

async function filled(configs: Record<string, string> = {}): Promise<ColdKit> {
  const cold = await ColdKit.start(configs);
  for (let i = 0; i < 6; i++) await cold.append(`a=${i}`, `b=${i}`);
  await cold.tier();
  return cold;
}

describe("a cold log", () => {
  test("has only the last value of each key after a round", async () => {
    const cold = await filled();
    const before = await cold.parts();
    expect((await cold.read()).length).toBe(12);
    expect(before.length).toBeGreaterThan(1);
    await cold.clean();
    expect(cold.kit.warnings).toEqual([]);
    expect(await cold.read()).toEqual(["10:a=5", "11:b=5"]);
    const after = await cold.parts();
    expect(after.every(({ isCleaned }) => isCleaned === true)).toBe(true);
    // Two of them, as they were, have no room in one.
    expect(after.length).toBe(before.length);
    const bytes = before.map(({ batchesBytes }) => batchesBytes);
    expect(Math.min(...bytes) * 2).toBeGreaterThan(coldLimits.coldSegmentBytesMax);
    expect([after[0]?.baseOffset, after.at(-1)?.nextOffset]).toEqual([0, 12]);
    expect(cold.objects.toSorted()).toEqual(after.map(({ object }) => object).toSorted());
    expect(cold.kit.counted("rounds_total")).toBe(1);
    expect(cold.kit.counted("removed_records_total")).toBe(10);
    expect(cold.kit.counted("read_bytes_total")).toBeGreaterThan(2 * 12 * 250);
    expect(cold.kit.counted("written_bytes_total")).toBeGreaterThan(500);
    await cold.clean();
    expect(cold.kit.counted("rounds_total")).toBe(1);
  });

  test("is read while it is worked on, and no further ahead than a few pieces", async () => {
    const cold = await ColdKit.start();
    for (let i = 0; i < 20; i++) await cold.append(`a=${i}`, `b=${i}`);
    await cold.tier();
    const { sideWork } = cold.kit;
    const run = sideWork.run.bind(sideWork);
    let reads = 0;
    const readMeanwhile: number[] = [];
    cold.onStep = async (step, when) => {
      if (step === "read" && when === "before") reads += 1;
    };
    sideWork.run = async (call) => {
      const before = reads;
      for (let turns = 0; turns < 20; turns += 1) await turn();
      readMeanwhile.push(reads - before);
      return run(call);
    };
    await cold.clean();
    expect(await cold.read()).toEqual(["38:a=19", "39:b=19"]);
    expect(readMeanwhile.length).toBeGreaterThanOrEqual(80);
    expect(readMeanwhile.filter((count) => count > 0).length).toBeGreaterThan(20);
    // The batches of one request, and the end of the image that they belong to.
    expect(Math.max(...readMeanwhile)).toBeLessThanOrEqual(2);
  });

  test("is cleaned from where it is dirty, and below that by what is dirty", async () => {
    const cold = await filled();
    await cold.clean();
    await cold.append("a=6", "c=6", "c=7", "d=8");
    await cold.tier();
    await cold.clean();
    expect(await cold.read()).toEqual(["11:b=5", "12:a=6", "14:c=7", "15:d=8"]);
    const { cold: log } = (await cold.owner()).tiered ?? {};
    expect(log?.cleanedTo).toBe(16);
    // What is left of both parts fits into one.
    expect(log?.segments.length).toBeLessThan(4);
    expect(cold.kit.counted("rounds_total")).toBe(2);
  });

  test("has what was packed in a cold segment then, and its checkpoint does not name it", async () => {
    const cold = await ColdKit.start();
    await cold.append("a=1", "a=2");
    const owner = await cold.tier();
    expect(owner.tiered?.cold.packed.length).toBe(1);
    await cold.clean();
    expect(owner.tiered?.cold.packed).toEqual([]);
    expect(owner.tiered?.cold.segments.length).toBe(1);
    expect(await cold.read()).toEqual(["1:a=2"]);
    expect(owner.tiered?.packs.named.size).toBe(1);
    await cold.kit.rig.pass(70_000);
    expect(owner.tiered?.packs.named.size).toBe(0);
    await cold.append("a=3");
    await cold.tier();
    expect(await cold.read()).toEqual(["1:a=2", "2:a=3"]);
    await cold.loseLogs();
    expect(await cold.read()).toEqual(["1:a=2", "2:a=3"]);
  });

  test.each(["under way", "not known to have ended"])(
    "bounds what the hot log lets expire when it is given up while its first copy is %s",
    async (state) => {
      const cold = await ColdKit.start();
      await cold.append("a=1", "b=1", "c=1", "d=1");
      const owner = await cold.owner();
      const cleaner = new ColdCleaner(cold.kit.rig.clock, coldLimits);
      let release = (): void => undefined;
      cold.onStep = (step, when) => {
        const isOf = state === "under way" ? "put" : "commit";
        if (step !== isOf || when !== "after") return Promise.resolve();
        if (step === "commit") {
          // Nor can it be asked.
          const { store } = cold.kit.rig;
          store.range = () => Promise.reject(unknownOutcome("commit"));
          return Promise.reject(unknownOutcome("commit"));
        }
        return new Promise((resolve) => {
          release = resolve;
        });
      };
      await cold.kit.rig.pass(130_000);
      expect(owner.tiered?.cold.isEmpty).toBe(true);
      await cold.configure("remote.storage.enable", "false");
      expect(cleaner.expiresBelow(owner)).toBe(0);
      release();
    },
  );

  test("keeps a tombstone for delete.retention.ms from when the cold log was clean", async () => {
    const cold = await ColdKit.start({ "delete.retention.ms": "600000" });
    await cold.append("a=1", "b=1", "a", "c=1", "c=2");
    await cold.tier();
    await cold.clean();
    expect(await cold.read()).toEqual(["1:b=1", "2:a=undefined", "4:c=2"]);
    await cold.append("c=3", "c=4", "c=5", "c=6");
    await cold.kit.rig.pass(300_000);
    await cold.tier();
    await cold.clean();
    expect(await cold.read()).toEqual(["1:b=1", "2:a=undefined", "8:c=6"]);
    await cold.append("c=7", "c=8", "c=9", "c=10");
    await cold.kit.rig.pass(300_000);
    await cold.tier();
    await cold.clean();
    expect(await cold.read()).toEqual(["1:b=1", "12:c=10"]);
  });

  test("keeps a tombstone as long as the hot log may have what is older", async () => {
    const cold = await ColdKit.start({ "delete.retention.ms": "0" });
    await cold.append("a=1", "b=1", "a", "c=1", "c=2");
    const rounds = async (values: readonly number[]): Promise<readonly string[]> => {
      for (const value of values) {
        for (let i = 0; i < 4; i++) await cold.append(`c=${value}`);
        await cold.kit.settle();
        await cold.clean();
      }
      const bytes: Uint8Array[] = [];
      for (const { batchesBytes, object } of await cold.parts()) {
        const range = { from: 0, bytes: Math.max(1, batchesBytes) };
        const found = await cold.kit.rig.objects?.readRange(object, range);
        if (found !== undefined) bytes.push(found.subarray(0, batchesBytes));
      }
      return bytes.flatMap((each) => textsIn(each)).map(({ key, offset }) => `${offset}:${key}`);
    };
    expect((await cold.owner()).log.localStartOffset).toBe(0);
    expect(await rounds([3, 4])).toEqual(["1:b", "2:a", "12:c"]);
    await cold.tier();
    expect(await rounds([5])).toEqual(["1:b", "16:c"]);
  });

  test("of which nothing is left is still there, and goes on", async () => {
    const cold = await ColdKit.start({ "delete.retention.ms": "0" });
    await cold.append("a=1", "a=2", "a=3", "a=4", "a");
    await cold.tier();
    await cold.clean();
    await cold.append("b=1", "b=2", "b=3", "b");
    await cold.tier();
    await cold.clean();
    await cold.append("c=1", "c=2", "c=3", "c");
    const owner = await cold.tier();
    await cold.clean();
    expect(cold.kit.warnings).toEqual([]);
    expect(await cold.read()).toEqual(["12:c=undefined"]);
    expect(owner.tiered?.cold.startOffset).toBe(0);
    expect(owner.tiered?.cold.endOffset).toBe(13);
    await cold.loseLogs();
    await cold.append("d=1");
    expect(await cold.read()).toEqual(["12:c=undefined", "13:d=1"]);
  });

  test("is served clean after the folder of the logs was lost, with its producers", async () => {
    const cold = await ColdKit.start();
    const owner = await cold.owner();
    const send = async (to: PartitionOwner, sequence: number, key = "a") => {
      const producer = { producerId: 7, producerEpoch: 0, baseSequence: sequence };
      const value = `${sequence} ${"x".repeat(250)}`;
      const records = textBatch([{ key, value }], producer);
      const appending = to.append({ records, waitFor: "durable" });
      await cold.kit.rig.pass(1);
      return appending;
    };
    for (let i = 0; i < 8; i++) await send(owner, i);
    await cold.append("a=8", "a=9", "a=10", "a=11");
    await cold.tier();
    await cold.clean();
    expect(await cold.read()).toEqual(["11:a=11"]);
    const restarted = await cold.loseLogs();
    expect(await cold.read()).toEqual(["11:a=11"]);
    expect(restarted.tiered?.cold.cleanedTo).toBe(12);
    expect(await send(restarted, 7)).toMatchObject({ baseOffset: 7 });
    expect(await send(restarted, 9)).toMatchObject({ kind: "refused" });
    expect(await send(restarted, 8)).toMatchObject({ baseOffset: 12 });
  });

  test("is left alone while little of it is dirty, unless a record has waited for too long", async () => {
    const cold = await ColdKit.start();
    cold.kit.attach({ ...coldLimits, coldDirtyBytesMin: 10_000 });
    for (let i = 0; i < 4; i++) await cold.append("a=1", "a=2");
    await cold.tier();
    await cold.clean();
    expect(cold.kit.counted("rounds_total")).toBe(0);
    await cold.configure("max.compaction.lag.ms", "300000");
    await cold.clean();
    expect(cold.kit.counted("rounds_total")).toBe(0);
    await cold.kit.rig.pass(300_000);
    await cold.clean();
    expect(cold.kit.counted("rounds_total")).toBe(1);
    expect(await cold.read()).toEqual(["7:a=2"]);
  });

  test("is cut where the keys' memory has no room for a part, and cleaned in more rounds", async () => {
    const cold = await ColdKit.start();
    cold.kit.attach({ ...coldLimits, mapBytesMax: 24 * 4 });
    await cold.append("a=1", "b=1", "c=1", "d=1", "a=2", "b=2", "c=2", "d=2", "d=3");
    await cold.tier();
    for (let i = 0; i < 3; i++) await cold.clean();
    expect(cold.kit.warnings).toEqual([]);
    expect((await cold.owner()).tiered?.cold.cleanedTo).toBe(9);
    expect(await cold.read()).toEqual(["4:a=2", "5:b=2", "6:c=2", "8:d=3"]);
    expect(cold.kit.counted("rounds_total")).toBeGreaterThan(3);
  });

  test("with a damaged object is said once, and its hot log is compacted nevertheless", async () => {
    const cold = await filled();
    const [first] = await cold.parts();
    const { objects } = cold.kit.rig;
    const read = objects?.readRange.bind(objects);
    if (objects === undefined || read === undefined) throw new Error("there is a store");
    objects.readRange = async (key, range) => {
      const bytes = await read(key, range);
      if (key === first?.object && range.from === 0 && bytes !== undefined) bytes[100] = 1;
      return bytes;
    };
    await cold.clean();
    await cold.clean();
    expect(cold.kit.warnings).toEqual(["a log can't be compacted: it is damaged"]);
    expect(cold.kit.counted("uncleanable_partitions")).toBe(1);
    expect((await cold.parts())[0]).toBe(first);
  });
});

describe("a partition that nobody touched", () => {
  test("is loaded when a round over its cold parts is due, and else left alone", async () => {
    const cold = await filled();
    const { kit } = cold;
    for (const left of ["loaded", "left alone"]) {
      await kit.rig.killAndLoseLogs();
      kit.attach(coldLimits);
      await cold.clean();
      const owner = kit.rig.partitions.find(cold.topic, 0);
      expect(owner === undefined ? "left alone" : "loaded").toBe(left);
    }
    expect(await cold.read()).toEqual(["10:a=5", "11:b=5"]);
  });
});

describe("tombstones in the hot log", () => {
  test("expire only below what is clean in the object store, for as long", async () => {
    const cold = await ColdKit.start({ "delete.retention.ms": "600000" });
    const { kit } = cold;
    const owner = await cold.owner();
    owner.log.config = { ...owner.log.config, segmentBytes: 1_000 };
    await cold.append("a=1", "b=1", "a", "c=1", "c=2", "c=3", "c=4", "c=5", "c=6");
    await kit.settle();
    kit.attach({ ...coldLimits, coldDirtyBytesMin: 1e9 });
    await kit.clean();
    await cold.append("c=7", "c=8", "c=9");
    await kit.rig.pass(700_000);
    await kit.clean();
    const hot = async (): Promise<readonly string[]> => {
      const seen = await cold.read();
      return seen.filter((each) => each.includes(":a="));
    };
    expect(owner.log.localStartOffset).toBe(0);
    expect(await hot()).toEqual(["2:a=undefined"]);
    // The horizon of the hot log has passed, but what is older is still in the object store.
    await cold.append("c=10", "c=11", "c=12");
    await kit.settle();
    kit.attach(coldLimits);
    await kit.clean();
    expect(owner.tiered?.cold.cleanedTo).toBeGreaterThan(2);
    expect(await hot()).toEqual(["2:a=undefined"]);
    await kit.rig.pass(600_000);
    await cold.append("c=13", "c=14", "c=15", "c=16");
    await kit.settle();
    await kit.clean();
    expect(await hot()).toEqual([]);
  });
});
