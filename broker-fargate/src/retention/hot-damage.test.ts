import { DiskError, ObjectError } from "@millrace/core";
import type { SegmentFacts } from "@millrace/core";
import { expect, test } from "vitest";
import { partitionDirectory } from "../partition/log-opener.ts";
import { tierLimits } from "../tier/limits.ts";
import { RetentionRig } from "./fixtures.ts";

const hourMs = 3_600_000;

function unreadable(path: string): SegmentFacts {
  const fail = (): never => {
    throw new DiskError("io", { path, applied: "no" });
  };
  return {
    ...{ baseOffset: 1, sizeBytes: 1 },
    get nextOffset() {
      return fail();
    },
    get maxTimestamp() {
      return fail();
    },
    get largestTimestamp() {
      return fail();
    },
  };
}

test("a hot segment that can't be read stays while the object store is away, and goes soon after", async () => {
  const kit = await new RetentionRig({ tierLimits }).start();
  const topicId = await kit.createTopic("t", { "retention.ms": "-1" });
  const nowMs = kit.rig.clock.wallMs();
  for (const age of [3, 2, 1, 0]) await kit.append(topicId, nowMs - age * hourMs);
  await kit.rig.pass(70_000);
  await kit.rig.partitions.close();
  await kit.rig.kill();
  kit.attach();
  const owner = await kit.rig.partitions.open(topicId, 0);
  expect([owner.earliestLocalOffset, owner.latestTieredOffset]).toEqual([0, 3]);
  const store = kit.rig.objects;
  if (store === undefined) throw new Error("there is a store");
  const readRange = store.readRange.bind(store);
  store.readRange = () =>
    Promise.reject(new ObjectError("away", { retriable: false, applied: "no" }));
  const path = `${partitionDirectory({ topicId, partition: 0 })}/${"1".padStart(20, "0")}.log`;
  const segments = owner.log.segments.bind(owner.log);
  // Its end was not looked up before, and the disk does not give it.
  owner.log.segments = function* () {
    for (const facts of segments()) yield facts.baseOffset === 1 ? unreadable(path) : facts;
  };
  kit.retention.start();
  // The first segment is old enough, and the second one is looked at.
  await kit.setConfig("t", "local.retention.ms", String(2.5 * hourMs));
  await kit.rig.pass(10 * 60_000);
  expect(kit.counted()["failures_total"]).toBeGreaterThan(1);
  expect(owner.earliestLocalOffset).toBe(0);
  expect(kit.rig.disk.paths()).toContain(path);
  store.readRange = readRange;
  await kit.rig.pass(2 * 60_000);
  expect(owner.earliestLocalOffset).toBe(2);
  expect(kit.rig.disk.paths()).not.toContain(path);
  await kit.retention.close();
});
