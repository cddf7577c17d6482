import type { DiskFile } from "@millrace/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryDisk } from "./disk.ts";
import { SeededRandom } from "./random.ts";

function opened(disk: MemoryDisk, path = "a/file"): DiskFile {
  disk.makeDirectory("a");
  const file = disk.open(path, { create: "ifAbsent" });
  if (file === undefined) throw new Error("ifAbsent opens");
  return file;
}

/** A file of 100 synced bytes and 100 others, after a crash by this seed. */
async function crashed(seed: number): Promise<Uint8Array> {
  const disk = new MemoryDisk();
  const file = opened(disk);
  file.write(0, [new Uint8Array(100).fill(1)]);
  await file.sync();
  await disk.syncDirectory("a");
  file.write(100, [new Uint8Array(100).fill(2)]);
  disk.crash(new SeededRandom(seed));
  return disk.bytesOf("a/file");
}

test("keeps every synced byte over a crash, and any part of the others", async () => {
  const sizes = new Set<number>();
  let scribbled = 0;
  for (let seed = 0; seed < 200; seed++) {
    const bytes = await crashed(seed);
    expect(bytes.subarray(0, 100)).toEqual(new Uint8Array(100).fill(1));
    sizes.add(bytes.length);
    if (bytes.subarray(100).some((byte) => byte !== 2)) scribbled += 1;
  }
  expect(sizes.size).toBeGreaterThan(10);
  expect([sizes.has(100), sizes.has(200)]).toEqual([true, true]);
  expect(scribbled).toBeGreaterThan(10);
});

test("may keep some sectors of what was written over, in any order, with the former bytes between", async () => {
  const sector = 512;
  const mixtures = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    const disk = new MemoryDisk();
    const file = opened(disk);
    file.write(0, [new Uint8Array(6 * sector).fill(1)]);
    await file.sync();
    await disk.syncDirectory("a");
    file.write(sector, [new Uint8Array(4 * sector).fill(2)]);
    disk.crash(new SeededRandom(seed));
    const bytes = disk.bytesOf("a/file");
    if (bytes.length < 6 * sector) continue;
    const sectors = Array.from({ length: 6 }, (_, i) =>
      bytes.subarray(i * sector, (i + 1) * sector),
    );
    const isWhole = sectors.every((held) => held.every((byte) => byte === held[0]));
    if (isWhole) mixtures.add(sectors.map(([first]) => first).join(""));
  }
  const known = [...mixtures].filter((mixture) => /^1[12]{4}1$/.test(mixture));
  expect(known.length).toBeGreaterThan(8);
  expect(known).toContain("122221");
});

test("crashes in the same way from the same seed", async () => {
  for (let seed = 0; seed < 20; seed++) expect(await crashed(seed)).toEqual(await crashed(seed));
});

test("may lose names whose folder was not synced, and give removed ones back", async () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const disk = new MemoryDisk();
    const kept = opened(disk, "a/kept");
    opened(disk, "a/removed");
    await kept.sync();
    await disk.syncDirectory("a");
    disk.remove("a/removed");
    opened(disk, "a/new");
    disk.crash(new SeededRandom(seed));
    outcomes.add(disk.paths().join(" "));
  }
  expect([...outcomes].sort()).toEqual([
    "a/kept",
    "a/kept a/new",
    "a/kept a/new a/removed",
    "a/kept a/removed",
  ]);
});

test("renames whole or not at all", async () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const disk = new MemoryDisk();
    const old = opened(disk, "a/to");
    old.write(0, [Uint8Array.of(1)]);
    const next = opened(disk, "a/from");
    next.write(0, [Uint8Array.of(2)]);
    await Promise.all([old.sync(), next.sync()]);
    await disk.syncDirectory("a");
    disk.rename("a/from", "a/to");
    disk.crash(new SeededRandom(seed));
    outcomes.add(
      disk
        .paths()
        .map((path) => `${path}=${disk.bytesOf(path)[0]}`)
        .join(" "),
    );
  }
  expect([...outcomes].sort()).toEqual(["a/from=2 a/to=1", "a/to=2"]);
});

test("takes a sync for done when it is scheduled to be, and covers what came before the call", async () => {
  const due: (() => void)[] = [];
  const disk = new MemoryDisk({ schedule: (run) => due.push(run) });
  const file = opened(disk);
  file.write(0, [Uint8Array.of(1, 2, 3)]);
  const sync = file.sync();
  file.write(3, [Uint8Array.of(4)]);
  expect(disk.syncedTo("a/file")).toBe(0);
  due.shift()?.();
  await sync;
  expect(disk.syncedTo("a/file")).toBe(3);
});

test("settles no promise of a life that is over", async () => {
  const due: (() => void)[] = [];
  const disk = new MemoryDisk({ schedule: (run) => due.push(run) });
  const file = opened(disk);
  file.write(0, [Uint8Array.of(1)]);
  let settled = false;
  void file.sync().finally(() => {
    settled = true;
  });
  disk.kill();
  due.shift()?.();
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(settled).toBe(false);
  expect(() => file.size()).toThrow("closed");
  expect(disk.bytesOf("a/file")).toEqual(Uint8Array.of(1));
});

test("writes as much as fits when it is full", () => {
  const disk = new MemoryDisk();
  const file = opened(disk);
  disk.setCapacity(5);
  const write = (): void => file.write(0, [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)]);
  expect(write).toThrow(expect.objectContaining({ reason: "full", applied: "maybe" }));
  expect(disk.bytesOf("a/file")).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
  expect(() => file.resize(6)).toThrow(expect.objectContaining({ reason: "full" }));
  file.resize(2);
  file.write(2, [Uint8Array.of(9)]);
  expect(disk.bytesOf("a/file")).toEqual(Uint8Array.of(1, 2, 9));
});

test("fails the calls that it was told to, and no others", async () => {
  const disk = new MemoryDisk();
  const file = opened(disk);
  disk.failNext({ operation: "write", after: 1, times: 2, matches: (path) => path === "a/file" });
  opened(disk, "a/other").write(0, [Uint8Array.of(1)]);
  const write = (): void => file.write(0, [Uint8Array.of(1)]);
  write();
  expect(write).toThrow(expect.objectContaining({ reason: "io", applied: "no" }));
  expect(write).toThrow("disk failed");
  write();
  disk.failNext({ operation: "sync" });
  await expect(file.sync()).rejects.toThrow("disk failed");
  expect(disk.syncedTo("a/file")).toBe(0);
  await file.sync();
  expect(disk.syncedTo("a/file")).toBe(1);
});

test("has exactly the last synced bytes for sure, over writes, cuts and syncs in any order", async () => {
  const operation = fc.oneof(
    fc.record({ at: fc.nat(20), bytes: fc.uint8Array({ minLength: 1, maxLength: 10 }) }),
    fc.record({ size: fc.nat(25) }),
    fc.constant("sync" as const),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 30 }), fc.nat(), async (operations, seed) => {
      const disk = new MemoryDisk();
      const file = opened(disk);
      await disk.syncDirectory("a");
      let model = new Uint8Array(0);
      let safe = 0;
      for (const step of operations) {
        if (step === "sync") {
          await file.sync();
          safe = model.length;
        } else if ("size" in step) {
          file.resize(step.size);
          const next = new Uint8Array(step.size);
          next.set(model.subarray(0, step.size));
          safe = Math.min(
            safe,
            model.length === step.size ? safe : Math.min(step.size, model.length),
          );
          model = next;
        } else {
          file.write(step.at, [step.bytes]);
          const next = new Uint8Array(Math.max(model.length, step.at + step.bytes.length));
          next.set(model);
          next.set(step.bytes, step.at);
          safe = Math.min(safe, step.at, model.length);
          model = next;
        }
        expect(disk.bytesOf("a/file")).toEqual(model);
      }
      expect(disk.syncedTo("a/file")).toBeGreaterThanOrEqual(Math.min(safe, model.length));
      disk.crash(new SeededRandom(seed));
      expect(disk.bytesOf("a/file").subarray(0, safe)).toEqual(model.subarray(0, safe));
    }),
  );
});

test("loses a folder for good, synced or not, and no loss of power brings it back", async () => {
  for (let seed = 0; seed < 10; seed++) {
    const disk = new MemoryDisk();
    const file = opened(disk);
    file.write(0, [new Uint8Array(10)]);
    await file.sync();
    await disk.syncDirectory("a");
    disk.makeDirectory("ab");
    disk.open("ab/other", { create: "ifAbsent" });
    await disk.syncDirectory("ab");
    disk.loseFolder("a");
    expect(disk.paths()).toEqual(["ab/other"]);
    disk.crash(new SeededRandom(seed));
    expect(disk.paths()).toEqual(["ab/other"]);
  }
});

test("what a later sync of a folder made durable is not undone when an earlier one ends after it", async () => {
  const due: (() => void)[] = [];
  const disk = new MemoryDisk({ schedule: (run) => due.push(run) });
  opened(disk).close();
  disk.rename("a/file", "a/between");
  const earlier = disk.syncDirectory("a");
  disk.rename("a/between", "a/last");
  const later = disk.syncDirectory("a");
  for (const run of due.toReversed()) run();
  await Promise.all([earlier, later]);
  disk.crash(new SeededRandom(1));
  expect(disk.paths()).toEqual(["a/last"]);
});
