import { expect, it } from "vitest";
import { batchOf, fetchAllRecords, Rig, turn } from "../partition/fixtures.ts";
import { smallLimits } from "./fixtures.ts";

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
