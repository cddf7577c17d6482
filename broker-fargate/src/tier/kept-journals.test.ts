import { VirtualClock } from "@millrace/adapter-memory";
import { DiskError } from "@millrace/core";
import { expect, it } from "vitest";
import { batchOf, fetchAllRecords, Rig, turn } from "../partition/fixtures.ts";
import { smallLimits } from "./fixtures.ts";

const checkpointMs = 70_000;

it("makes a kept journal durable before what it tells is shown", async () => {
  const held: (() => void)[] = [];
  let isHolding = false;
  const schedule = (run: () => void): void => {
    if (isHolding) held.push(run);
    else queueMicrotask(run);
  };
  const rig = await new Rig({ tierLimits: smallLimits, schedule }).start();
  const topic = await rig.createTopic("t", { configs: { "millrace.durability": "journal" } });
  const owner = await rig.partitions.open(topic, 0);
  await owner.append({ records: batchOf([1]), waitFor: "durable" });
  isHolding = true;
  void owner.append({ records: batchOf([2]), waitFor: "durable" });
  await turn();
  expect(held).toHaveLength(1);
  isHolding = false;
  // The process dies before the sync; what it wrote stays in the page cache, and is replayed.
  await rig.kill();
  const shown = await fetchAllRecords(await rig.partitions.open(topic, 0));
  expect(shown.map(({ value }) => value)).toEqual([1, 2]);
  rig.disk.loseFolder("partitions");
  await rig.crash();
  const left = await fetchAllRecords(await rig.partitions.open(topic, 0));
  expect(left).toEqual(shown);
});

it("keeps a journal whose partition could not be loaded, until a start that can", async () => {
  const rig = await new Rig({ tierLimits: smallLimits }).start();
  const configs = { "millrace.durability": "journal" };
  const topics = [await rig.createTopic("t", { configs }), await rig.createTopic("u", { configs })];
  for (const topic of topics) {
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf([1, 2]), waitFor: "durable" });
  }
  const [first] = topics;
  if (first === undefined) throw new Error("there are topics");
  // Of the replay's opens one goes well, and the one for use does not.
  const matches = (path: string): boolean => path.includes(first) && path.endsWith(".snapshot");
  const fault = { operation: "open", matches, after: 1, times: 100 } as const;
  rig.disk.kill();
  rig.clock = new VirtualClock({ wallMs: rig.clock.wallMs() });
  rig.disk.failNext(fault);
  await rig.start();
  await rig.pass(checkpointMs);
  expect(rig.warnings.join()).toContain("a partition of a former journal could not be opened");
  await rig.killAndLoseLogs();
  for (const topic of topics) {
    const left = await fetchAllRecords(await rig.partitions.open(topic, 0));
    expect(left.map(({ value }) => value)).toEqual([1, 2]);
  }
});

it("serves no partition that lacks what only the later of two journals has", async () => {
  const rig = await new Rig({ tierLimits: smallLimits }).start();
  const configs = { "millrace.durability": "journal" };
  const topic = await rig.createTopic("t", { configs });
  const append = async (values: readonly number[]): Promise<void> => {
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf(values), waitFor: "durable" });
  };
  await append([1, 2]);
  await rig.crash();
  await append([3, 4]);
  rig.disk.kill();
  rig.disk.loseFolder("partitions");
  rig.clock = new VirtualClock({ wallMs: rig.clock.wallMs() });
  const matches = (path: string): boolean => path.includes(topic) && path.endsWith(".log");
  rig.disk.failNext({ operation: "write", matches, after: 1, times: 1 });
  await rig.start();
  await expect(rig.partitions.open(topic, 0)).rejects.toBeInstanceOf(DiskError);
  await rig.crash();
  const left = await fetchAllRecords(await rig.partitions.open(topic, 0));
  expect(left.map(({ value }) => value)).toEqual([1, 2, 3, 4]);
});
