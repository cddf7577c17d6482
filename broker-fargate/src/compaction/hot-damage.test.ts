import { ObjectError } from "@millrace/core";
import { expect, test } from "vitest";
import { partitionDirectory } from "../partition/log-opener.ts";
import type { PartitionOwner } from "../partition/owner.ts";
import { CleanerRig } from "./fixtures.ts";

const checkpointMs = 70_000;

interface Damaged {
  readonly kit: CleanerRig;
  readonly owner: PartitionOwner;
  readonly path: string;
}

/** A log on both tiers, in whose first hot segment a bit has flipped. */
async function damaged(): Promise<Damaged> {
  const kit = await CleanerRig.start(1, "tiered");
  const topicId = await kit.createTopic("t");
  const owner = await kit.fill(topicId, 10);
  await kit.settle();
  await kit.rig.pass(checkpointMs);
  expect(owner.latestTieredOffset).toBe(owner.highWatermark - 1);
  const path = `${partitionDirectory({ topicId, partition: 0 })}/${"0".repeat(20)}.log`;
  kit.rig.disk.flipBit(path, 8 * 1000);
  return { kit, owner, path };
}

function objectsOf({ kit }: Damaged) {
  const { objects } = kit.rig;
  if (objects === undefined) throw new Error("there is a store");
  return objects;
}

test("a damaged hot segment stays while the object store is away, and is given up after it", async () => {
  const at = await damaged();
  const { kit, owner, path } = at;
  const store = objectsOf(at);
  const readRange = store.readRange.bind(store);
  store.readRange = () =>
    Promise.reject(new ObjectError("away", { retriable: true, applied: "no" }));
  for (let i = 0; i < 2; i += 1) await kit.clean();
  expect(owner.earliestLocalOffset).toBe(0);
  expect(kit.rig.disk.paths()).toContain(path);
  // It is not called damaged before the object store has said what it has.
  expect(kit.warnings.filter((warning) => warning.includes("damaged"))).toEqual([]);
  store.readRange = readRange;
  await kit.clean();
  await kit.clean();
  expect(owner.earliestLocalOffset).toBeGreaterThan(0);
  expect(kit.rig.disk.paths()).not.toContain(path);
  expect(kit.warnings.filter((warning) => warning.includes("damaged"))).toEqual([]);
});

test("a damaged hot segment stays where its cold copy is damaged, and is not compacted", async () => {
  const at = await damaged();
  const { kit, owner, path } = at;
  const part = owner.tiered?.cold.find(0);
  if (part === undefined) throw new Error("there is a part");
  objectsOf(at).flipBit(part.object, (part.position + 1000) * 8);
  for (let i = 0; i < 2; i += 1) await kit.clean();
  expect(owner.earliestLocalOffset).toBe(0);
  expect(kit.rig.disk.paths()).toContain(path);
  expect(kit.counted("uncleanable_partitions")).toBeGreaterThan(0);
  expect(kit.warnings).toContain("a log can't be compacted: it is damaged");
});
