import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { NodeDisk } from "./disk.ts";
import { removalsMax, syncsMax, writevPartsMax } from "./limits.ts";

const roots: string[] = [];

function newRoot(): string {
  const root = mkdtempSync(join(tmpdir(), "millrace-disk-"));
  roots.push(root);
  return root;
}

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

test("holds few descriptors however many files are in use", async () => {
  const disk = new NodeDisk(newRoot(), { openFilesMax: 3 });
  disk.makeDirectory("a");
  const files = Array.from({ length: 100 }, (_, i) => {
    return disk.open(`a/${i}`, { create: "ifAbsent" });
  });
  for (let round = 0; round < 3; round++) {
    files.forEach((file, i) => file?.write(round * 2, [Uint8Array.of(i, round)]));
    expect(disk.openFiles).toBeLessThanOrEqual(3);
  }
  await Promise.all(files.map(async (file) => file?.sync()));
  files.forEach((file, i) => {
    const into = new Uint8Array(6);
    file?.read(0, into);
    expect([...into]).toEqual([i, 0, i, 1, i, 2]);
  });
  expect(disk.openFiles).toBeLessThanOrEqual(3);
  for (const file of files) file?.close();
  expect(disk.openFiles).toBe(0);
});

test("makes do with as few descriptors as the process may have", () => {
  const program = join(import.meta.dirname, "../test-programs/few-descriptors.ts");
  const limited = 'ulimit -n 64; exec "$0" "$@"';
  const args = ["-c", limited, process.execPath, program, newRoot()];
  const { stdout, stderr } = spawnSync("sh", args, { encoding: "utf8" });
  expect({ stdout, stderr }).toEqual({ stdout: "200 of 200, 0 left\n", stderr: "" });
});

test("does not close a file under a sync", async () => {
  const disk = new NodeDisk(newRoot(), { openFilesMax: 1 });
  disk.makeDirectory("a");
  const first = disk.open("a/first", { create: "ifAbsent" });
  first?.write(0, [new Uint8Array(1_000_000).fill(1)]);
  const sync = first?.sync();
  first?.close();
  const second = disk.open("a/second", { create: "ifAbsent" });
  second?.write(0, [Uint8Array.of(2)]);
  await sync;
  expect(disk.openFiles).toBe(1);
  second?.close();
});

test("reports how much of a file each sync made durable", async () => {
  const synced: (readonly [string, number])[] = [];
  const disk = new NodeDisk(newRoot(), {
    onSynced: (path, length) => synced.push([path, length]),
  });
  disk.makeDirectory("a");
  const file = disk.open("a/file", { create: "ifAbsent" });
  file?.write(0, [Uint8Array.of(1, 2, 3)]);
  const sync = file?.sync();
  file?.write(3, [Uint8Array.of(4)]);
  expect(synced).toEqual([]);
  await sync;
  await file?.sync();
  expect(synced).toEqual([
    ["a/file", 3],
    ["a/file", 4],
  ]);
  file?.close();
});

test("reports that what is written over is durable no more, until the next sync", async () => {
  const synced: (readonly [string, number])[] = [];
  const disk = new NodeDisk(newRoot(), {
    onSynced: (path, length) => synced.push([path, length]),
  });
  disk.makeDirectory("a");
  const file = disk.open("a/file", { create: "ifAbsent" });
  file?.write(0, [new Uint8Array(9)]);
  await file?.sync();
  disk.rename("a/file", "a/again");
  file?.close();
  const again = disk.open("a/again", { create: "ifAbsent" });
  again?.write(4, [new Uint8Array(2)]);
  const sync = again?.sync();
  again?.write(2, [new Uint8Array(1)]);
  await sync;
  await again?.sync();
  const lengths = synced.filter(([path]) => path === "a/again").map(([, length]) => length);
  expect(lengths).toEqual([9, 4, 2, 2, 9]);
  again?.close();
});

test("reserves blocks for a file that is extended", () => {
  const root = newRoot();
  const disk = new NodeDisk(root);
  disk.makeDirectory("a");
  const file = disk.open("a/file", { create: "ifAbsent" });
  file?.write(0, [Uint8Array.of(5)]);
  file?.resize(3_000_000);
  const stat = statSync(join(root, "a/file"));
  expect(stat.size).toBe(3_000_000);
  expect(stat.blocks * 512).toBeGreaterThanOrEqual(3_000_000);
  expect(readFileSync(join(root, "a/file")).findLastIndex((byte) => byte !== 0)).toBe(0);
  file?.close();
});

test("frees the blocks of what it removed soon, and keeps no descriptor of it", async () => {
  const root = newRoot();
  const disk = new NodeDisk(root);
  disk.makeDirectory("a/b");
  for (const path of ["a/large", "a/b/large", "a/b/small"]) {
    const file = disk.open(path, { create: "ifAbsent" });
    file?.resize(path.endsWith("large") ? 4_000_000 : 10);
    file?.close();
  }
  disk.remove("a/large");
  expect(disk.list("a")).toEqual(["b"]);
  disk.remove("a");
  expect(disk.list("")).toEqual([]);
  expect(disk.openFiles).toBe(0);
  await expect.poll(() => descriptorsBelow(root)).toEqual([]);
});

/** What the process has open in the folder, removed files included. */
function descriptorsBelow(root: string): string[] {
  const links = readdirSync("/proc/self/fd").map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return "closed meanwhile";
    }
  });
  return links.filter((link) => link.startsWith(root));
}

test("keeps to its root", () => {
  const disk = new NodeDisk(newRoot());
  for (const path of ["/etc/passwd", "../x", "a/../../x"]) {
    expect(() => disk.open(path, { create: "never" })).toThrow(RangeError);
  }
});

test("writes more parts than one call of the system takes", () => {
  const disk = new NodeDisk(newRoot());
  const file = disk.open("many-parts", { create: "ifAbsent" });
  const count = 2 * writevPartsMax + 1;
  const parts = Array.from({ length: count }, (_, index) => Uint8Array.of(index & 0xff));
  file?.write(3, parts);
  expect(file?.size()).toBe(3 + count);
  const into = new Uint8Array(count);
  file?.read(3, into);
  expect(into).toEqual(Uint8Array.from({ length: count }, (_, index) => index & 0xff));
  file?.close();
});

test("syncs more files at once than may be under way, all of them", async () => {
  const disk = new NodeDisk(newRoot());
  const files = Array.from({ length: 2 * syncsMax }, (_, index) => {
    const file = disk.open(`f${index}`, { create: "ifAbsent" });
    file?.write(0, [Uint8Array.of(index)]);
    return file;
  });
  const syncs = await Promise.allSettled(files.map(async (file) => file?.sync()));
  expect(new Set(syncs.map(({ status }) => status))).toEqual(new Set(["fulfilled"]));
  for (const file of files) file?.close();
  expect(disk.openFiles).toBe(0);
});

test("removes more large files at once than wait for their blocks to be freed", async () => {
  const root = newRoot();
  const disk = new NodeDisk(root);
  disk.makeDirectory("a");
  const count = removalsMax + 10;
  for (let index = 0; index < count; index += 1) {
    const file = disk.open(`a/${index}`, { create: "ifAbsent" });
    file?.resize(2_000_000);
    file?.close();
  }
  disk.remove("a");
  expect(disk.list("")).toEqual([]);
  expect(descriptorsBelow(root).length).toBeLessThanOrEqual(removalsMax);
  await expect.poll(() => descriptorsBelow(root)).toEqual([]);
});

/** Writing there fails as on a disk without a free block: ENOSPC. */
test.runIf(existsSync("/dev/full"))("says that the disk is full, and not that it failed", () => {
  const root = newRoot();
  symlinkSync("/dev/full", join(root, "full"));
  const disk = new NodeDisk(root);
  const file = disk.open("full", { create: "never" });
  if (file === undefined) throw new Error("no /dev/full");
  const bytes = Uint8Array.of(1, 2, 3);
  const full = { reason: "full", path: "full", applied: "maybe", retriable: true };
  const writes = [
    () => file.write(0, [bytes]),
    () => file.write(0, [bytes, bytes]),
    () => file.resize(10),
  ];
  for (const write of writes) expect(write).toThrow(expect.objectContaining(full));
  file.close();
  // An error of another kind, by which "full" shows that it is one of its own.
  expect(() => disk.open("full/inside", { create: "ifAbsent" })).toThrow(
    expect.objectContaining({ reason: "io" }),
  );
});
