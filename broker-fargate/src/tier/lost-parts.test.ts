import { ObjectError } from "@millrace/core";
import type { TopicId } from "@millrace/core";
import { beforeEach, describe, expect, it } from "vitest";
import { appendEach, Rig } from "../partition/fixtures.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { smallLimits } from "./fixtures.ts";

const checkpointMs = 70_000;
const range = { maxBytes: 1, isolation: "uncommitted", atLeastOneBatch: true } as const;

/** Records 0 and 1 are in a pack alone, which has another byte; 2 to 5 are hot. */
describe("a partition whose pack alone has some records, and is damaged", () => {
  let rig: Rig;
  let topic: TopicId;
  let owner: PartitionOwner;

  beforeEach(async () => {
    rig = await new Rig({ tierLimits: smallLimits }).start();
    topic = await rig.createTopic("t", { configs: { "millrace.durability": "journal" } });
    owner = await rig.partitions.open(topic, 0);
    owner.log.config = { ...owner.log.config, segmentBytes: 1 };
    await appendEach(owner, [10, 11]);
    await rig.pass(checkpointMs);
    const [part] = owner.tiered?.cold.packed ?? [];
    if (part === undefined) throw new Error("nothing is packed");
    await appendEach(owner, [12, 13, 14, 15]);
    owner.log.removeLocalBefore(2);
    rig.objects?.flipBit(part.object, (part.position + 65) * 8);
  });

  async function kindAt(from: number): Promise<string> {
    for (let waits = 0; waits < 20; waits += 1) {
      const read = owner.read({ ...range, from });
      if (read.kind !== "pending") return read.kind;
      await Promise.all([read.ready, rig.pass(1)]);
    }
    throw new Error("a read never ends");
  }

  async function expectServed(): Promise<void> {
    for (const from of [0, 1]) expect([from, await kindAt(from)]).toEqual([from, "failed"]);
    for (const from of [2, 3, 4, 5]) expect([from, await kindAt(from)]).toEqual([from, "ok"]);
    expect(owner.logStartOffset).toBe(0);
  }

  it("has them lost, loudly, and everything above them in the object store, in each life", async () => {
    await rig.pass(3 * checkpointMs);
    expect(owner.latestTieredOffset).toBe(5);
    const lost = "a partition's packed records are lost: nothing gives them back";
    expect(rig.warnings.filter((warning) => warning === lost)).toHaveLength(1);
    await expectServed();
    const { journal } = rig.partitions;
    expect([journal.untrimmedBytes, journal.trim]).toEqual([0, journal.nextSeq]);
    await rig.kill();
    owner = await rig.partitions.open(topic, 0);
    await expectServed();
    await rig.killAndLoseLogs();
    owner = await rig.partitions.open(topic, 0);
    await expectServed();
    await expect(owner.findByTimestamp(-1)).rejects.toThrow("object store");
    await appendEach(owner, [16]);
    await rig.pass(checkpointMs);
    expect(owner.latestTieredOffset).toBe(6);
    await owner.deleteRecordsBefore(2);
    expect(await kindAt(2)).toBe("ok");
    expect(await owner.findByTimestamp(-1)).toMatchObject({ offset: 2 });
    expect(rig.warnings.filter((warning) => warning === lost)).toHaveLength(1);
  });

  it("is opened though its files are lost as well, and its pack's end is what is damaged", async () => {
    await rig.pass(3 * checkpointMs);
    await appendEach(owner, [16]);
    await rig.pass(checkpointMs);
    const [newest] = [...(owner.tiered?.cold.parts() ?? [])].slice(-1);
    if (newest === undefined) throw new Error("there are parts");
    rig.objects?.flipBit(newest.object, (newest.position + newest.bytes - 9) * 8);
    await rig.killAndLoseLogs();
    owner = await rig.partitions.open(topic, 0);
    expect(owner.highWatermark).toBe(7);
    await appendEach(owner, [17]);
    await rig.pass(3 * checkpointMs);
    expect([await kindAt(6), await kindAt(7)]).toEqual(["failed", "ok"]);
    expect(owner.latestTieredOffset).toBe(7);
    expect(rig.partitions.journal.untrimmedBytes).toBe(0);
  });

  it("loses nothing while the object store does not answer", async () => {
    const { objects } = rig;
    if (objects === undefined) throw new Error("there is a store");
    const readRange = objects.readRange.bind(objects);
    objects.readRange = () =>
      Promise.reject(new ObjectError("away", { retriable: true, applied: "no" }));
    await rig.pass(3 * checkpointMs);
    expect(owner.latestTieredOffset).toBe(1);
    objects.readRange = readRange;
    await rig.pass(3 * checkpointMs);
    expect(owner.latestTieredOffset).toBe(5);
    await expectServed();
  });
});
