/** Bounds of partitions that no other test meets at their ends. */
import { expect, it } from "vitest";
import type { AppendResult } from "./append.ts";
import { batchOf, Rig, smallLimits, turn } from "./fixtures.ts";

it("takes no more appends than may be pending while the journal's sync is under way", async () => {
  const syncs: (() => void)[] = [];
  let holds = false;
  const rig = new Rig({ schedule: (run) => (holds ? void syncs.push(run) : queueMicrotask(run)) });
  await rig.start();
  const topic = await rig.createTopic("t", { configs: { "millrace.durability": "journal" } });
  const owner = await rig.partitions.open(topic, 0);
  await owner.append({ records: batchOf([0]), waitFor: "durable" });
  holds = true;
  const bytes = 5_000;
  const answers: AppendResult[] = [];
  const count = 60;
  for (let index = 1; index <= count; index += 1) {
    const records = batchOf([index], { padding: bytes });
    void owner.append({ records, waitFor: "appended" }).then((answer) => answers.push(answer));
  }
  await turn();
  const fitting = Math.floor(rig.limits.journalPendingBytesMax / (bytes + 100));
  expect(answers.length).toBeGreaterThan(fitting / 2);
  expect(answers.length).toBeLessThanOrEqual(rig.limits.journalPendingBytesMax / bytes);
  holds = false;
  for (const run of syncs.splice(0)) run();
  for (let turns = 0; turns < 20; turns += 1) await turn();
  expect(answers.map(({ kind }) => kind)).toEqual(Array.from({ length: count }, () => "appended"));
});

it("syncs a partition that is never idle often enough to bound what a restart verifies", async () => {
  const rig = await new Rig().start();
  const topic = await rig.createTopic("t", { configs: { "millrace.durability": "local" } });
  const owner = await rig.partitions.open(topic, 0);
  const stepMs = rig.limits.idleSyncMs / 2;
  let appended = 0;
  const appendFor = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await owner.append({ records: batchOf([appended]), waitFor: "durable" });
      appended += 1;
      await rig.pass(stepMs);
    }
  };
  await appendFor(rig.limits.dirtySyncMs - 2 * stepMs);
  expect(owner.log.recoveryPoint).toBe(0);
  await appendFor(4 * stepMs);
  expect(owner.log.recoveryPoint).toBeGreaterThan(0);
});

it("keeps a bounded number of trimmed journal files, and deletes further ones", async () => {
  const limits = { ...smallLimits, journalSpareFilesMax: 2, journalTrimBytes: 384 * 1024 };
  const rig = await new Rig({ limits }).start();
  const topic = await rig.createTopic("t", { configs: { "millrace.durability": "journal" } });
  const owner = await rig.partitions.open(topic, 0);
  const files = (): number => rig.disk.paths().filter((path) => path.startsWith("journal/")).length;
  let most = 0;
  for (let round = 0; round < 3; round += 1) {
    for (let index = 0; index < 40; index += 1) {
      const records = batchOf([index], { padding: 5_000 });
      await owner.append({ records, waitFor: "durable" });
    }
    most = Math.max(most, files());
    await rig.pass(limits.journalTrimAgeMs + 1_000);
    expect(files()).toBeLessThanOrEqual(limits.journalSpareFilesMax + 2);
  }
  expect(most).toBeGreaterThan(limits.journalSpareFilesMax + 2);
});
