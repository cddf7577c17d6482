/** Retention over both tiers: what is kept at all, and what of it is kept on the disk as well. */
import type { TopicId } from "@millrace/core";
import { expect, test } from "vitest";
import { fetchAllRecords } from "../partition/fixtures.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { checked, tierLimits } from "../tier/limits.ts";
import { batchPaddingBytes, RetentionRig } from "./fixtures.ts";

const hourMs = 3_600_000;
/** One batch is a hot segment and a cold one. */
const limits = checked({
  ...tierLimits,
  coldSegmentBytesMin: batchPaddingBytes / 2,
  coldSegmentBytesMax: batchPaddingBytes + 1_000,
});

/** Six records an hour apart, the last one of now, all in the object store. */
async function tieredTopic(
  configs: Record<string, string>,
): Promise<{ readonly kit: RetentionRig; readonly id: TopicId; readonly owner: PartitionOwner }> {
  const kit = await new RetentionRig({ tierLimits: limits }).start();
  const id = await kit.createTopic("t", configs);
  const nowMs = kit.rig.clock.wallMs();
  for (const age of [5, 4, 3, 2, 1, 0]) await kit.append(id, nowMs - age * hourMs);
  await kit.rig.pass(70_000);
  const owner = await kit.rig.partitions.open(id, 0);
  expect(owner.latestTieredOffset).toBe(5);
  return { kit, id, owner };
}

async function offsetsOf(owner: PartitionOwner): Promise<readonly number[]> {
  return (await fetchAllRecords(owner)).map(({ offset }) => offset);
}

test("local.retention.ms drops hot copies of what is tiered, and nothing of the log", async () => {
  const { kit, owner } = await tieredTopic({ "retention.ms": "-1" });
  await kit.check();
  expect(owner.earliestLocalOffset).toBe(0);
  await kit.setConfig("t", "local.retention.ms", String(2.5 * hourMs));
  await kit.check();
  expect([owner.logStartOffset, owner.earliestLocalOffset]).toEqual([0, 3]);
  expect(kit.counted()).toMatchObject({ local_segments_total: 3, failures_total: 0 });
  expect(await offsetsOf(owner)).toEqual([0, 1, 2, 3, 4, 5]);
});

test("local.retention.bytes does the same by size, down to an empty segment", async () => {
  const { kit, owner } = await tieredTopic({ "retention.ms": "-1" });
  await kit.setConfig("t", "local.retention.bytes", String(2 * batchPaddingBytes));
  await kit.check();
  expect(owner.earliestLocalOffset).toBe(4);
  await kit.setConfig("t", "local.retention.bytes", "0");
  await kit.check();
  expect([owner.earliestLocalOffset, owner.sizeBytes]).toEqual([6, 0]);
  await kit.append(owner.topicId, kit.rig.clock.wallMs());
  expect(await offsetsOf(owner)).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("no hot copy goes of what is not in the object store yet", async () => {
  const { kit, id, owner } = await tieredTopic({ "retention.ms": "-1" });
  await kit.append(id, kit.rig.clock.wallMs());
  await kit.setConfig("t", "local.retention.bytes", "0");
  await kit.check();
  expect(owner.earliestLocalOffset).toBe(6);
  expect(await offsetsOf(owner)).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("retention.ms and retention.bytes count both tiers, and take from both", async () => {
  const { kit, owner } = await tieredTopic({ "retention.ms": "-1", "local.retention.bytes": "1" });
  await kit.check();
  expect(owner.earliestLocalOffset).toBe(5);
  await kit.setConfig("t", "retention.bytes", String(4 * batchPaddingBytes));
  await kit.check();
  expect(owner.logStartOffset).toBe(2);
  await kit.setConfig("t", "retention.ms", String(1.5 * hourMs));
  await kit.check();
  await kit.rig.pass(10_000);
  expect(owner.logStartOffset).toBe(4);
  expect(await offsetsOf(owner)).toEqual([4, 5]);
  const data = kit.rig.objects?.keys.filter((key) => key.includes("/data/")) ?? [];
  expect(data).toHaveLength(2);
});

test("DeleteRecords up to the end leaves no object, and the log goes on", async () => {
  const { kit, id, owner } = await tieredTopic({ "retention.ms": "-1", "local.retention.ms": "0" });
  await owner.deleteRecordsBefore(6);
  await kit.rig.pass(10_000);
  expect(kit.rig.objects?.keys.filter((key) => key.includes("/data/"))).toEqual([]);
  await kit.append(id, kit.rig.clock.wallMs());
  await kit.check();
  expect([owner.logStartOffset, owner.highWatermark]).toEqual([6, 7]);
  expect(await offsetsOf(owner)).toEqual([6]);
});

test("remote.log.copy.disable keeps what comes on the disk alone, until it is copied again", async () => {
  const { kit, id, owner } = await tieredTopic({ "retention.ms": "-1" });
  await kit.setConfig("t", "remote.log.copy.disable", "true");
  // What came before is copied by one more round.
  await kit.rig.pass(70_000);
  await kit.append(id, kit.rig.clock.wallMs());
  await kit.rig.pass(130_000);
  expect(owner.latestTieredOffset).toBe(5);
  await kit.setConfig("t", "remote.log.copy.disable", "false");
  await kit.append(id, kit.rig.clock.wallMs());
  await kit.rig.pass(130_000);
  expect(owner.latestTieredOffset).toBe(7);
  expect(await offsetsOf(owner)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
