import type { Disk, DiskFile } from "@millrace/core";
import { describe, expect, test } from "vitest";

/** A disk under test, and how to let go of it. */
export interface DiskUnderTest {
  readonly disk: Disk;
  readonly dispose: () => void;
}

/** What every Disk must do; run on each implementation. */
export function describeDisk(name: string, make: () => DiskUnderTest): void {
  const withDisk = (run: (disk: Disk) => void | Promise<void>) => async (): Promise<void> => {
    const { disk, dispose } = make();
    try {
      await run(disk);
    } finally {
      dispose();
    }
  };

  describe(name, () => {
    test(
      "opens an absent file only to create it",
      withDisk((disk) => {
        disk.makeDirectory("a/b");
        expect(disk.open("a/b/file", { create: "never" })).toBeUndefined();
        expect(disk.open("absent/file", { create: "never" })).toBeUndefined();
        const file = created(disk, "a/b/file");
        expect(file.size()).toBe(0);
        file.close();
        expect(disk.list("a/b")).toEqual(["file"]);
      }),
    );

    test(
      "keeps what a file holds when it is opened with ifAbsent",
      withDisk((disk) => {
        disk.makeDirectory("a");
        const first = created(disk, "a/file");
        first.write(0, [bytes(1, 2, 3)]);
        first.close();
        const second = created(disk, "a/file");
        expect(readAll(second)).toEqual([1, 2, 3]);
        second.close();
      }),
    );

    test(
      "refuses a new file in a folder that does not exist",
      withDisk((disk) => {
        expect(() => disk.open("absent/file", { create: "ifAbsent" })).toThrow(
          expect.objectContaining({ name: "DiskError", reason: "io" }),
        );
      }),
    );

    test(
      "writes the parts one after another from the position",
      withDisk((disk) => {
        disk.makeDirectory("a");
        const file = created(disk, "a/file");
        file.write(0, [bytes(1, 2), bytes(), bytes(3)]);
        file.write(3, [bytes(4, 5)]);
        file.write(1, [bytes(9)]);
        file.write(5, []);
        expect(readAll(file)).toEqual([1, 9, 3, 4, 5]);
        file.close();
      }),
    );

    test(
      "writes more parts than one system call takes",
      withDisk((disk) => {
        disk.makeDirectory("a");
        const file = created(disk, "a/file");
        const parts = Array.from({ length: 3000 }, (_, i) => bytes(i % 251, i % 7));
        file.write(0, parts);
        expect(readAll(file)).toEqual(parts.flatMap((part) => [...part]));
        file.close();
      }),
    );

    test(
      "fills the gap before a write past the end with zeros",
      withDisk((disk) => {
        disk.makeDirectory("a");
        const file = created(disk, "a/file");
        file.write(3, [bytes(7)]);
        expect(readAll(file)).toEqual([0, 0, 0, 7]);
        file.close();
      }),
    );

    test(
      "reads fewer bytes only at the end of the file",
      withDisk((disk) => {
        disk.makeDirectory("a");
        const file = created(disk, "a/file");
        file.write(0, [bytes(1, 2, 3, 4)]);
        const into = new Uint8Array(3);
        expect(file.read(0, into)).toBe(3);
        expect([...into]).toEqual([1, 2, 3]);
        expect(file.read(2, into)).toBe(2);
        expect([...into]).toEqual([3, 4, 3]);
        expect(file.read(4, into)).toBe(0);
        expect(file.read(100, into)).toBe(0);
        expect(file.read(0, new Uint8Array(0))).toBe(0);
        file.close();
      }),
    );

    test(
      "cuts a file, and extends it with zeros",
      withDisk((disk) => {
        disk.makeDirectory("a");
        const file = created(disk, "a/file");
        file.write(0, [bytes(1, 2, 3, 4)]);
        file.resize(2);
        expect(readAll(file)).toEqual([1, 2]);
        file.resize(4);
        expect(readAll(file)).toEqual([1, 2, 0, 0]);
        file.resize(1_500_000);
        expect(file.size()).toBe(1_500_000);
        expect(readAll(file).every((byte, i) => byte === [1, 2][i] || byte === 0)).toBe(true);
        file.close();
      }),
    );

    test(
      "lists names in order, folders among them, and none of an absent folder",
      withDisk((disk) => {
        disk.makeDirectory("a/z");
        disk.makeDirectory("a/z");
        for (const name of ["c", "a", "b"]) created(disk, `a/${name}`).close();
        created(disk, "a/z/inner").close();
        expect(disk.list("a")).toEqual(["a", "b", "c", "z"]);
        expect(disk.list("absent")).toEqual([]);
      }),
    );

    test(
      "removes files and whole folders, and does not mind absent ones",
      withDisk((disk) => {
        disk.makeDirectory("a/b/c");
        created(disk, "a/file").close();
        created(disk, "a/b/c/inner").close();
        disk.remove("a/file");
        disk.remove("a/file");
        expect(disk.list("a")).toEqual(["b"]);
        disk.remove("a/b");
        disk.remove("a/b");
        expect(disk.list("a")).toEqual([]);
        expect(disk.open("a/b/c/inner", { create: "never" })).toBeUndefined();
      }),
    );

    test(
      "removes a folder in the background, and does not mind an absent one",
      withDisk(async (disk) => {
        disk.makeDirectory("a/b/c");
        disk.makeDirectory("a/kept");
        created(disk, "a/b/file").close();
        created(disk, "a/b/c/inner").close();
        await Promise.all([disk.removeFolder("a/b"), disk.removeFolder("a/absent")]);
        expect(disk.list("a/b")).toEqual([]);
        expect(disk.open("a/b/c/inner", { create: "never" })).toBeUndefined();
        await disk.removeFolder("a/b");
      }),
    );

    test(
      "replaces a file by a rename",
      withDisk((disk) => {
        disk.makeDirectory("a");
        const from = created(disk, "a/from");
        from.write(0, [bytes(1)]);
        from.close();
        const to = created(disk, "a/to");
        to.write(0, [bytes(2, 2)]);
        to.close();
        disk.rename("a/from", "a/to");
        expect(disk.list("a")).toEqual(["to"]);
        const file = created(disk, "a/to");
        expect(readAll(file)).toEqual([1]);
        file.close();
        expect(() => disk.rename("a/absent", "a/to")).toThrow(
          expect.objectContaining({ name: "DiskError", reason: "io" }),
        );
      }),
    );

    test(
      "shows one file's bytes through all its handles",
      withDisk((disk) => {
        disk.makeDirectory("a");
        const one = created(disk, "a/file");
        const other = created(disk, "a/file");
        one.write(0, [bytes(1, 2)]);
        expect(readAll(other)).toEqual([1, 2]);
        other.resize(1);
        expect(one.size()).toBe(1);
        one.close();
        expect(readAll(other)).toEqual([1]);
        other.close();
      }),
    );

    test(
      "syncs files and folders, also while more is written, and through a close",
      withDisk(async (disk) => {
        disk.makeDirectory("a");
        const file = created(disk, "a/file");
        file.write(0, [bytes(1)]);
        const first = file.sync();
        file.write(1, [bytes(2)]);
        await Promise.all([first, file.sync(), disk.syncDirectory("a")]);
        expect(readAll(file)).toEqual([1, 2]);
        const last = file.sync();
        file.close();
        await last;
        disk.remove("a");
        await disk.syncDirectory("a");
      }),
    );

    test(
      "throws at every call on a closed file",
      withDisk(async (disk) => {
        disk.makeDirectory("a");
        const file = created(disk, "a/file");
        file.close();
        expect(() => file.size()).toThrow("closed");
        expect(() => file.write(0, [bytes(1)])).toThrow("closed");
        expect(() => file.read(0, new Uint8Array(1))).toThrow("closed");
        expect(() => file.resize(0)).toThrow("closed");
        expect(() => file.close()).toThrow("closed");
        await expect(file.sync()).rejects.toThrow("closed");
      }),
    );
  });
}

function created(disk: Disk, path: string): DiskFile {
  const file = disk.open(path, { create: "ifAbsent" });
  if (file === undefined) throw new Error("ifAbsent opens");
  return file;
}

function bytes(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}

function readAll(file: DiskFile): readonly number[] {
  const into = new Uint8Array(file.size());
  expect(file.read(0, into)).toBe(into.length);
  return [...into];
}
