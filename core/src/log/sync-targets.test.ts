import { MemoryDisk, SeededRandom } from "@millrace/adapter-memory";
import { describe, expect, test } from "vitest";
import {
  appendAll,
  directory,
  openTestLog,
  testBatch,
} from "../../../test/fixtures/partition-log.ts";
import type { PartitionLog } from "./partition-log.ts";

function append(log: PartitionLog): void {
  appendAll(log, [testBatch({ baseOffset: log.endOffset })]);
}

describe("a log's sync", () => {
  test("that finds no room for the leader epochs leaves all as it was, to be tried again", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk);
    append(log);
    disk.setCapacity(disk.usedBytes);
    const full = expect.objectContaining({ name: "DiskError", reason: "full" });
    const [first, second] = await Promise.allSettled([log.sync(), log.sync()]);
    expect([first, second]).toEqual([
      { status: "rejected", reason: full },
      { status: "rejected", reason: full },
    ]);
    expect([log.recoveryPoint, log.isDirty]).toEqual([0, true]);
    disk.setCapacity(Number.POSITIVE_INFINITY);
    append(log);
    await log.sync();
    expect([log.recoveryPoint, log.isDirty]).toEqual([2, false]);
    disk.crash(new SeededRandom(1));
    expect(openTestLog(disk).endOffset).toBe(2);
  });

  test("that fails in the disk is final, also where the disk says that it is full", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk);
    append(log);
    const matches = (path: string): boolean => path.endsWith(".log");
    disk.failNext({ operation: "sync", matches, reason: "full" });
    const final = expect.objectContaining({ name: "DiskError", reason: "io" });
    await expect(log.sync()).rejects.toEqual(final);
    await expect(log.sync()).rejects.toEqual(final);
    expect(() => append(log)).toThrow(final);
    expect([log.recoveryPoint, log.isDirty]).toEqual([0, true]);
  });

  test("of its records alone lets nothing go with power, and writes nothing down", async () => {
    const disk = new MemoryDisk();
    append(openTestLog(disk));
    disk.kill();
    const recovery = { kind: "verifyFrom", offset: 0, leaderEpochMax: 1 } as const;
    const log = openTestLog(disk, { recovery });
    await log.syncRecords();
    expect([log.recoveryPoint, log.isDirty]).toEqual([0, true]);
    expect(disk.list(directory)).not.toContain("leader-epochs");
    disk.crash(new SeededRandom(1));
    const again = openTestLog(disk, { recovery });
    expect(again.endOffset).toBe(1);
    await again.syncRecords();
    await again.sync();
    expect([again.recoveryPoint, again.isDirty]).toEqual([1, false]);
    expect(disk.list(directory)).toContain("leader-epochs");
  });

  test("of its records alone is final where it fails", async () => {
    const disk = new MemoryDisk();
    append(openTestLog(disk));
    disk.kill();
    const recovery = { kind: "verifyFrom", offset: 0, leaderEpochMax: 1 } as const;
    const log = openTestLog(disk, { recovery });
    disk.failNext({ operation: "sync", matches: (path) => path.endsWith(".log") });
    await expect(log.syncRecords()).rejects.toMatchObject({ reason: "io" });
    await expect(log.sync()).rejects.toMatchObject({ reason: "io" });
    expect(() => append(log)).toThrow("disk failed");
  });

  test("that waits for one that failed for want of room makes its own try", async () => {
    const disk = new MemoryDisk();
    const log = openTestLog(disk);
    append(log);
    disk.setCapacity(disk.usedBytes);
    const first = log.sync();
    const second = log.sync();
    disk.setCapacity(Number.POSITIVE_INFINITY);
    await expect(first).rejects.toThrow("disk is full");
    await second;
    expect(log.isDirty).toBe(false);
  });
});
