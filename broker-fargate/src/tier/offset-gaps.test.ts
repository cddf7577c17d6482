import { buildBatch, crc32c } from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { fetchAllRecords, Rig } from "../partition/fixtures.ts";
import { segmentPath } from "../partition/log-opener.ts";
import { smallLimits } from "./fixtures.ts";

/** More than one image can span. */
const farOffset = 5_000_000_000;

function batchAt(baseOffset: number, value: number): Uint8Array {
  const bytes = new Uint8Array(40);
  new DataView(bytes.buffer).setUint32(0, value);
  const records = [{ key: null, value: bytes }];
  return buildBatch(records, { crc32c, baseOffset, partitionLeaderEpoch: 0 });
}

describe("a log whose offsets have gaps larger than an image can span", () => {
  it.each([
    ["little", 2],
    ["enough for segments", 30],
  ])("goes into the object store with %s on each side of the gap", async (_, count) => {
    const rig = await new Rig({ tierLimits: smallLimits }).start();
    const topic = await rig.createTopic("t");
    rig.disk.makeDirectory(`partitions/${topic}-0`);
    // As compaction leaves a log whose keys were written again and again.
    for (const [base, first] of [
      [0, 0],
      [farOffset, 100],
      [2 * farOffset, 200],
    ] as const) {
      const path = segmentPath({ topicId: topic, partition: 0 }, base);
      const batches = Array.from({ length: count }, (_, i) => batchAt(base + i, first + i));
      rig.disk.open(path, { create: "ifAbsent" })?.write(0, batches);
    }
    const owner = await rig.partitions.open(topic, 0);
    const end = 2 * farOffset + count;
    expect(owner.highWatermark).toBe(end);
    const wanted = await fetchAllRecords(owner);
    expect(wanted).toHaveLength(3 * count);
    await rig.pass(400_000);
    expect(owner.latestTieredOffset).toBe(end - 1);
    await rig.partitions.close();
    await rig.killAndLoseLogs();
    const again = await rig.partitions.open(topic, 0);
    expect(again.highWatermark).toBe(end);
    expect(await fetchAllRecords(again)).toEqual(wanted);
  });
});
