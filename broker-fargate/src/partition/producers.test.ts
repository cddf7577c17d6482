/** What a partition knows of idempotent producers, over restarts, new epochs and deletions. */
import { describe, expect, test } from "vitest";
import type { AppendResult } from "./append.ts";
import { batchOf, Rig } from "./fixtures.ts";
import type { PartitionOwner } from "./owner.ts";

const endings = {
  "a clean stop": async (rig: Rig): Promise<void> => {
    const closing = rig.partitions.close();
    await rig.pass(1000);
    await closing;
    await rig.kill();
  },
  "the death of the process": (rig: Rig) => rig.kill(),
  "a loss of power": (rig: Rig) => rig.crash(),
};

async function append(rig: Rig, owner: PartitionOwner, sequence: number): Promise<AppendResult> {
  const records = batchOf([sequence], { id: 7, sequence });
  const appending = owner.append({ records, waitFor: "durable" });
  await rig.pass(1000);
  return appending;
}

function told(result: AppendResult): string {
  return result.kind === "refused" ? result.reason : `${result.kind} ${result.baseOffset}`;
}

describe.each(["local", "journal"] as const)("under the durability %s", (durability) => {
  test.each(Object.entries(endings))(
    "the last five batches, and what comes next, are known after %s and a new epoch",
    async (_, end) => {
      const rig = await new Rig().start();
      const configs = { "millrace.durability": durability };
      const id = await rig.createTopic("t", { configs });
      const before = await rig.partitions.open(id, 0);
      for (let sequence = 0; sequence < 7; sequence++) await append(rig, before, sequence);
      await before.log.sync();
      await end(rig);
      const owner = await rig.partitions.open(id, 0);
      expect(owner.leaderEpoch).toBeGreaterThan(before.leaderEpoch);
      const answers: string[] = [];
      for (const sequence of [1, 2, 6, 8, 7, 7]) {
        answers.push(told(await append(rig, owner, sequence)));
      }
      expect(answers).toEqual([
        "outOfOrderSequence",
        "duplicate 2",
        "duplicate 6",
        "outOfOrderSequence",
        "appended 7",
        "duplicate 7",
      ]);
    },
  );

  test("are known whose every record was deleted, also after a restart", async () => {
    const rig = await new Rig().start();
    const id = await rig.createTopic("t", { configs: { "millrace.durability": durability } });
    const before = await rig.partitions.open(id, 0);
    for (let sequence = 0; sequence < 3; sequence++) await append(rig, before, sequence);
    await before.deleteRecordsBefore(3);
    expect(told(await append(rig, before, 2))).toBe("duplicate 2");
    await rig.kill();
    const owner = await rig.partitions.open(id, 0);
    expect(owner.logStartOffset).toBe(3);
    expect(told(await append(rig, owner, 2))).toBe("duplicate 2");
    expect(told(await append(rig, owner, 4))).toBe("outOfOrderSequence");
    expect(told(await append(rig, owner, 3))).toBe("appended 3");
  });
});

test("what a loss of power took is forgotten with its records, so that it may come again", async () => {
  let lost = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const rig = await new Rig({ seed }).start();
    const id = await rig.createTopic("t");
    const before = await rig.partitions.open(id, 0);
    await append(rig, before, 0);
    await before.log.sync();
    const unsynced = batchOf([1], { id: 7, sequence: 1 });
    await before.append({ records: unsynced, waitFor: "durable" });
    await rig.crash();
    const owner = await rig.partitions.open(id, 0);
    const isLost = owner.highWatermark === 1;
    if (isLost) lost += 1;
    expect(told(await append(rig, owner, 1))).toBe(isLost ? "appended 1" : "duplicate 1");
  }
  expect(lost).toBeGreaterThan(0);
  expect(lost).toBeLessThan(30);
});
