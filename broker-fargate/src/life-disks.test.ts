import { MemoryDisk, VirtualClock } from "@millrace/adapter-memory";
import { expect, it } from "vitest";
import { LifeDisks } from "./life-disks.ts";
import { lifeRemovalRetryMs } from "./limits.ts";

/** A process's disk, on which each life that begins leaves a file. */
class Process {
  readonly clock = new VirtualClock();
  readonly disk = new MemoryDisk();
  readonly warned: string[] = [];
  readonly disks = new LifeDisks({
    ...{ clock: this.clock, disk: this.disk },
    diskOf: (folder) => {
      this.disk.open(`${folder}/file`, { create: "ifAbsent" })?.close();
      return this.disk;
    },
    warn: (what) => this.warned.push(what),
  });

  get lives(): readonly string[] {
    return this.disk.list("cache");
  }
}

it("gives each life a folder of its own, which goes when the life ends", async () => {
  const process = new Process();
  process.disks.open(1);
  process.disks.open(2);
  expect(process.lives).toEqual(["1", "2"]);
  await process.disks.end(1);
  expect(process.lives).toEqual(["2"]);
  await process.disks.end(2);
  expect(process.disk.paths()).toEqual([]);
});

it("tries again a little later what could not be removed, and says so", async () => {
  const process = new Process();
  process.disks.open(1);
  process.disk.failNext({ operation: "removeFolder" });
  await process.disks.end(1);
  expect(process.lives).toEqual(["1"]);
  expect(process.warned).toHaveLength(1);
  process.clock.advance(lifeRemovalRetryMs);
  await expect.poll(() => process.lives).toEqual([]);
  expect(process.clock.pendingTimers).toBe(0);
});

it("begins without what former processes left", async () => {
  const process = new Process();
  process.disks.open(7);
  await process.disks.begin();
  expect(process.disk.paths()).toEqual([]);
});
