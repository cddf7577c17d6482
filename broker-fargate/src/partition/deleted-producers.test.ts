import { expect, it } from "vitest";
import { batchOf, Rig } from "./fixtures.ts";
import type { PartitionOwner } from "./owner.ts";

const producer = 5;

async function append(owner: PartitionOwner, records: Uint8Array): Promise<string> {
  return (await owner.append({ records, waitFor: "durable" })).kind;
}

it("knows producers whose records were deleted, after a replay that cuts the log", async () => {
  const rig = await new Rig().start();
  const topic = await rig.createTopic("t", { configs: { "millrace.durability": "journal" } });
  const owner = await rig.partitions.open(topic, 0);
  // Each batch is a segment.
  owner.log.config = { ...owner.log.config, segmentBytes: 1 };
  for (let sequence = 0; sequence < 3; sequence += 1) {
    const records = batchOf([sequence], { id: producer, sequence });
    expect(await append(owner, records)).toBe("appended");
  }
  for (let value = 0; value < 3; value += 1) await append(owner, batchOf([value]));
  // The journal is trimmed, so that the replay begins where it does not tell of the producer.
  await rig.pass(130_000);
  expect(await owner.deleteRecordsBefore(5)).toMatchObject({ kind: "ok" });
  for (let value = 0; value < 5; value += 1) await append(owner, batchOf([value]));
  await rig.kill();
  const again = await rig.partitions.open(topic, 0);
  expect([again.logStartOffset, again.highWatermark]).toEqual([5, 11]);
  expect(await append(again, batchOf([2], { id: producer, sequence: 2 }))).toBe("duplicate");
});
