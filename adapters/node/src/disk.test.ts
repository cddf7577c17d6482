import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { NodeDisk } from "./disk.ts";

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

test("keeps to its root", () => {
  const disk = new NodeDisk(newRoot());
  for (const path of ["/etc/passwd", "../x", "a/../../x"]) {
    expect(() => disk.open(path, { create: "never" })).toThrow(RangeError);
  }
});
