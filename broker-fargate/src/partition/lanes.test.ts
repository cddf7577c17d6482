import { expect, it } from "vitest";
import { Rig, batchOf, smallLimits, turn } from "./fixtures.ts";
import { Lanes } from "@millrace/core";

it("runs so many tasks at once, the others in order as places come free", async () => {
  const lanes = new Lanes(2);
  const ends: ((outcome: "ok" | "failed") => void)[] = [];
  const started: number[] = [];
  const runs = Array.from({ length: 5 }, (_, index) =>
    lanes.run(() => {
      started.push(index);
      return new Promise<number>((resolve, reject) => {
        ends.push((outcome) => (outcome === "ok" ? resolve(index) : reject(new Error("no"))));
      });
    }),
  );
  const settled = Promise.allSettled(runs);
  expect(started).toEqual([0, 1]);
  ends[1]?.("failed");
  await turn();
  expect(started).toEqual([0, 1, 2]);
  ends[0]?.("ok");
  ends[2]?.("ok");
  await turn();
  expect(started).toEqual([0, 1, 2, 3, 4]);
  ends[3]?.("ok");
  ends[4]?.("ok");
  const outcomes = (await settled).map(({ status }) => status);
  expect(outcomes).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled", "fulfilled"]);
});

it("lets so many partitions be loaded at a time", async () => {
  const limits = { ...smallLimits, loadsInFlightMax: 3 };
  const rig = await new Rig({ limits }).start();
  const topic = await rig.createTopic("t", { partitions: 30 });
  let opened = 0;
  const opening = Array.from({ length: 30 }, async (_, index) => {
    await rig.partitions.open(topic, index);
    opened += 1;
  });
  const openedAtOnce: number[] = [];
  // A load begins with a look into its folder.
  const list = rig.disk.list.bind(rig.disk);
  const begun = new Set<string>();
  rig.disk.list = (directory) => {
    begun.add(directory);
    openedAtOnce.push(begun.size - opened);
    return list(directory);
  };
  await Promise.all(opening);
  expect(begun.size).toBeGreaterThanOrEqual(25);
  expect(Math.max(...openedAtOnce)).toBeLessThanOrEqual(3);
});

it("tells the entries of a group commit in several turns where that takes long", async () => {
  const rig = await new Rig().start();
  const partitions = 30;
  const configs = { "millrace.durability": "journal" };
  const topic = await rig.createTopic("t", { partitions, configs });
  const owners = await Promise.all(
    Array.from({ length: partitions }, (_, index) => rig.partitions.open(topic, index)),
  );
  // Who listens takes a millisecond, as making files may.
  for (const owner of owners) owner.onAdvance(() => rig.clock.advance(1));
  const appends = owners.map((owner) =>
    owner.append({ records: batchOf([1]), waitFor: "durable" }),
  );
  await turn();
  const highWatermarks = (): number =>
    owners.reduce((sum, { highWatermark }) => sum + highWatermark, 0);
  expect(highWatermarks()).toBeGreaterThan(0);
  expect(highWatermarks()).toBeLessThanOrEqual(rig.limits.turnMsMax + 2);
  await rig.pass(100);
  expect((await Promise.all(appends)).every(({ kind }) => kind === "appended")).toBe(true);
  expect(highWatermarks()).toBe(partitions);
});
