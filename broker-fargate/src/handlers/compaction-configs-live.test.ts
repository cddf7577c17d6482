/** What a compacted topic's config says of rounds takes effect on partitions that are in use. */
import { ErrorCode } from "@millrace/wire";
import { beforeEach, expect, it } from "vitest";
import { textBatch } from "../../../test/fixtures/compaction.ts";
import { CleanerRig, filling, recordsOf } from "../compaction/fixtures.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { incrementalAlterConfigsHandler } from "./44-incremental-alter-configs.ts";
import { configOperation, resourceType } from "./config-codes.ts";
import { HandlerKit } from "./partition-kit.ts";

const hourMs = 3_600_000;
let kit: CleanerRig;
let owner: PartitionOwner;

beforeEach(async () => {
  kit = await CleanerRig.start();
  owner = await kit.rig.partitions.open(await kit.createTopic("t"), 0);
});

async function alter(name: string, value: number): Promise<void> {
  const { rig } = kit;
  const configs = [{ name, configOperation: configOperation.set, value: String(value) }];
  const resources = [{ resourceType: resourceType.topic, resourceName: "t", configs }];
  const asker = HandlerKit.over(rig);
  const handler = incrementalAlterConfigsHandler(asker.broker);
  const { responses } = await asker.ask(handler, 1, { resources, validateOnly: false });
  expect(responses).toMatchObject([{ errorCode: ErrorCode.NONE }]);
}

/** A batch of now; three fill a segment. */
async function append(key: string, value: string | null): Promise<void> {
  const timestamp = kit.rig.clock.wallMs();
  const records = textBatch([
    { key, value, timestamp },
    { key: "filling", value: filling, timestamp },
  ]);
  const appending = owner.append({ records, waitFor: "appended" });
  await kit.rig.pass(1);
  expect(await appending).toMatchObject({ kind: "appended" });
}

/** Of one key, and so old that a restart would not look at them again. */
async function fill(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await append("k", `${owner.highWatermark}`);
  await kit.settle();
}

/** How many rounds of compaction were due. */
async function rounds(): Promise<number> {
  const before = kit.counted("rounds_total");
  await kit.clean();
  await kit.clean();
  return kit.counted("rounds_total") - before;
}

const segments = (): number => [...owner.log.segments()].length;
const left = (key: string): readonly string[] =>
  recordsOf(owner).filter((record) => record.includes(`:${key}=`));

it("min.cleanable.dirty.ratio says how much of a log has to be dirty before it is compacted", async () => {
  await alter("min.cleanable.dirty.ratio", 1);
  await fill(10);
  expect(await rounds()).toBe(0);
  expect(left("k")).toHaveLength(10);
  await alter("min.cleanable.dirty.ratio", 0.9);
  expect(await rounds()).toBe(1);
  expect(left("k")).toHaveLength(2);
  // More than half of it is dirty.
  await fill(6);
  expect(await rounds()).toBe(0);
  await alter("min.cleanable.dirty.ratio", 0.5);
  expect(await rounds()).toBe(1);
});

it("min.compaction.lag.ms keeps records that are younger from compaction", async () => {
  await fill(10);
  await alter("min.compaction.lag.ms", hourMs);
  expect(await rounds()).toBe(0);
  expect(left("k")).toHaveLength(10);
  await alter("min.compaction.lag.ms", 1000);
  expect(await rounds()).toBe(1);
  expect(left("k")).toHaveLength(2);
});

it("max.compaction.lag.ms has records compacted that are older, however little is dirty", async () => {
  await alter("min.cleanable.dirty.ratio", 1);
  await fill(10);
  await alter("max.compaction.lag.ms", hourMs);
  expect(await rounds()).toBe(0);
  expect(left("k")).toHaveLength(10);
  await alter("max.compaction.lag.ms", 60_000);
  expect(await rounds()).toBe(1);
  expect(left("k")).toHaveLength(2);
});

it("max.compaction.lag.ms closes the segment whose records are to be compacted by then", async () => {
  await fill(1);
  await fill(1);
  expect(segments()).toBe(1);
  await alter("max.compaction.lag.ms", 60_000);
  expect(segments()).toBe(1);
  await fill(1);
  expect(segments()).toBe(2);
});

it("delete.retention.ms says for how long the tombstones stay that are compacted from then on", async () => {
  await append("long", null);
  await fill(6);
  await alter("delete.retention.ms", 24 * hourMs);
  expect(await rounds()).toBe(1);
  await alter("delete.retention.ms", hourMs);
  await append("short", null);
  await fill(6);
  expect(await rounds()).toBe(1);
  expect([left("long"), left("short")]).toMatchObject([{ length: 1 }, { length: 1 }]);
  await kit.rig.pass(2 * hourMs);
  await fill(24);
  expect(await rounds()).toBe(1);
  expect([left("long"), left("short")]).toMatchObject([{ length: 1 }, { length: 0 }]);
  await kit.rig.pass(24 * hourMs);
  await fill(24);
  expect(await rounds()).toBe(1);
  expect([left("long"), left("short")]).toEqual([[], []]);
});
