import { expect, it } from "vitest";
import { appendEach, Rig, valuesOf } from "../partition/fixtures.ts";
import { smallLimits } from "./fixtures.ts";

const checkpointMs = 70_000;

it("a log whose first files are gone begins where the others do, also in the object store", async () => {
  const rig = await new Rig({ tierLimits: smallLimits }).start();
  const local = { "millrace.durability": "local" };
  const configs = { ...local, "remote.storage.enable": "false" };
  const topic = await rig.createTopic("t", { configs });
  const before = await rig.partitions.open(topic, 0);
  before.log.config = { ...before.log.config, segmentBytes: 300 };
  await appendEach(before, [0, 1, 2, 3, 4, 5, 6]);
  const start = [...before.log.segments()][1]?.baseOffset ?? 0;
  await rig.partitions.close();
  const folder = `partitions/${topic}-0`;
  for (const name of rig.disk.list(folder)) {
    if (Number(name.slice(0, 20)) < start) rig.disk.remove(`${folder}/${name}`);
  }
  await rig.kill();
  await rig.cluster.setTopicConfigs(
    "t",
    () => ({ ok: true, configs: new Map(Object.entries(local)) }),
    "perform",
  );
  const owner = await rig.partitions.open(topic, 0);
  const left = [0, 1, 2, 3, 4, 5, 6].slice(start);
  expect(await valuesOf(owner)).toEqual(left);
  await rig.pass(checkpointMs);
  expect(owner.tiered?.cold.packed).toHaveLength(1);
  owner.log.removeLocalBefore(owner.log.endOffset);
  await rig.partitions.close();
  await rig.kill();
  expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual(left);
});

it("a log whose front only the object store has keeps it through a life without that store", async () => {
  const rig = await new Rig({ tierLimits: smallLimits }).start();
  const topic = await rig.createTopic("t", { configs: { "millrace.durability": "local" } });
  const before = await rig.partitions.open(topic, 0);
  before.log.config = { ...before.log.config, segmentBytes: 300 };
  const all = [0, 1, 2, 3, 4, 5, 6];
  await appendEach(before, all);
  await rig.pass(checkpointMs);
  before.log.removeLocalBefore([...before.log.segments()][1]?.baseOffset ?? 0);
  await rig.partitions.close();
  const { objects } = rig;
  rig.objects = undefined;
  await rig.kill();
  expect(await valuesOf(await rig.partitions.open(topic, 0))).not.toEqual(all);
  await rig.partitions.close();
  rig.objects = objects;
  await rig.kill();
  expect(await valuesOf(await rig.partitions.open(topic, 0))).toEqual(all);
});
