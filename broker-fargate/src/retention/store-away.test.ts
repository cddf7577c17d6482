import { expect, test } from "vitest";
import { tierLimits } from "../tier/limits.ts";
import { RetentionRig } from "./fixtures.ts";

test("a partition that can't be loaded while the object store is away harms no check", async () => {
  const kit = await new RetentionRig({ tierLimits }).start();
  const id = await kit.createTopic("t", { "retention.ms": "1000" });
  await kit.append(id, kit.rig.clock.wallMs());
  await kit.rig.pass(70_000);
  const store = kit.rig.objects;
  await store?.close();
  await kit.rig.kill();
  kit.attach();
  await kit.check();
  expect(kit.rig.partitions.find(id, 0)).toBeUndefined();
  expect(kit.counted()).toMatchObject({ checks_total: 1, failures_total: 1 });
  kit.rig.objects = store?.reopen();
  await kit.rig.kill();
  kit.attach();
  await kit.check();
  expect(kit.rig.partitions.find(id, 0)?.logStartOffset).toBe(1);
});
