import { keysUnder } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { Rig, batchOf, readAllRecords, smallLimits } from "./fixtures.ts";

async function incarnations(rig: Rig): Promise<readonly string[]> {
  const { items } = await rig.store.range(keysUnder("incarnation", 1000));
  return items.map(({ key }) => key.slice("incarnation/".length));
}

describe("a start", () => {
  it("forgets closed incarnations, but never one that a slot's head names", async () => {
    const rig = await new Rig({ limits: { ...smallLimits, closedIncarnationsMax: 3 } }).start();
    const topic = await rig.createTopic("t");
    const first = rig.cluster.incarnation;
    const owner = await rig.partitions.open(topic, 0);
    await owner.append({ records: batchOf([1]), waitFor: "durable" });
    let most = 0;
    for (let life = 2; life <= 20; life++) {
      await rig.kill();
      most = Math.max(most, (await incarnations(rig)).length);
    }
    expect(most).toBe(4);
    expect(await incarnations(rig)).toContain(first);
    const again = await rig.partitions.open(topic, 0);
    expect(readAllRecords(again)).toEqual([{ offset: 0, value: 1 }]);
    for (let life = 0; life < 8; life++) await rig.kill();
    expect(await incarnations(rig)).not.toContain(first);
  });
});
