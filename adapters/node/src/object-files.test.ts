import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ObjectError } from "@millrace/core";
import { afterEach, describe, expect, test } from "vitest";
import { objectFilesOpenMax, objectLinkTriesMax, objectSyncBytes } from "./limits.ts";
import { FileObjectStore } from "./object-files.ts";
import { type FileCalls, fileCalls, type OpenedFile } from "./object-files-calls.ts";

const roots: string[] = [];
const stores: FileObjectStore[] = [];

function newRoot(): string {
  const root = mkdtempSync(join(tmpdir(), "millrace-objects-"));
  roots.push(root);
  return root;
}

async function opened(root: string, calls: Partial<FileCalls> = {}): Promise<FileObjectStore> {
  const store = await FileObjectStore.open(root, { calls: { ...fileCalls, ...calls } });
  stores.push(store);
  return store;
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

const bytes = (letters: string): Uint8Array => new TextEncoder().encode(letters);
const range = { from: 0, bytes: 1000 };

function failing(code: string): Error {
  return Object.assign(new Error(`${code}: made to fail`), { code });
}

async function failureOf(call: Promise<unknown>): Promise<ObjectError> {
  const [outcome] = await Promise.allSettled([call]);
  if (outcome?.status !== "rejected") throw new Error("it did not fail");
  expect(outcome.reason).toBeInstanceOf(ObjectError);
  return outcome.reason as ObjectError;
}

/** Calls whose opened files go through `wrap`. */
function onOpen(wrap: (file: OpenedFile, path: string) => Partial<OpenedFile>): Partial<FileCalls> {
  return {
    open: async (path, flags) => {
      const file = await fileCalls.open(path, flags);
      const plain: OpenedFile = {
        close: () => file.close(),
        datasync: () => file.datasync(),
        read: file.read.bind(file),
        stat: file.stat.bind(file),
        sync: () => file.sync(),
        writev: file.writev.bind(file),
      };
      return { ...plain, ...wrap(file, path) };
    },
  };
}

describe("objects as files", () => {
  test("lie at the paths that are their keys", async () => {
    const root = newRoot();
    const store = await opened(root);
    await store.putIfAbsent("a/b/c", [bytes("x"), bytes("yz")]);
    expect(readFileSync(join(root, "a/b/c"), "utf8")).toBe("xyz");
  });

  test("leave no temporary file, whether stored or refused", async () => {
    const root = newRoot();
    const store = await opened(root);
    await store.putIfAbsent("a", [bytes("x")]);
    await store.putIfAbsent("a", [bytes("y")]);
    const [folder = ""] = readdirSync(join(root, "~temporary"));
    expect(readdirSync(join(root, "~temporary", folder))).toEqual([]);
    await store.close();
    expect(readdirSync(join(root, "~temporary"))).toEqual([]);
  });

  test("do not list what is none of theirs", async () => {
    const root = newRoot();
    const store = await opened(root);
    await store.putIfAbsent("a/b", []);
    writeFileSync(join(root, "a", "my file"), "x");
    mkdirSync(join(root, "a", "empty"));
    const { objects } = await store.list({ prefix: "", limit: 10 });
    expect(objects).toEqual([{ key: "a/b", bytes: 0 }]);
  });

  test("take the folders that deletions emptied with them, but not the root", async () => {
    const root = newRoot();
    const store = await opened(root);
    for (const key of ["a/b/c/d", "a/b/e", "f/g"]) await store.putIfAbsent(key, []);
    await store.delete(["a/b/c/d", "f/g"]);
    expect(existsSync(join(root, "a/b/c"))).toBe(false);
    expect(existsSync(join(root, "f"))).toBe(false);
    expect(existsSync(join(root, "a/b"))).toBe(true);
    await store.delete(["a/b/e"]);
    expect(readdirSync(root)).toEqual(["~temporary"]);
  });

  test("refuse a key that is a folder, and one below an object", async () => {
    const store = await opened(newRoot());
    await store.putIfAbsent("a/b", []);
    for (const key of ["a", "a/b/c", "a/b/c/d"]) {
      const failure = await failureOf(store.putIfAbsent(key, []));
      expect(failure).toMatchObject({ retriable: false, applied: "no" });
    }
  });

  test("are read with a bounded number of descriptors, and leave none open", async () => {
    const root = newRoot();
    let [open, most] = [0, 0];
    const counting = onOpen((file) => {
      open += 1;
      most = Math.max(most, open);
      return {
        close: async () => {
          open -= 1;
          await file.close();
        },
      };
    });
    const store = await opened(root, counting);
    const keys = Array.from({ length: 100 }, (_, n) => `a/${n}`);
    await Promise.all(keys.map((key) => store.putIfAbsent(key, [bytes(key)])));
    await Promise.all(keys.map((key) => store.readRange(key, range)));
    await store.list({ prefix: "", limit: 100 });
    await store.delete(keys);
    expect(most).toBe(objectFilesOpenMax);
    expect(open).toBe(0);
    const links = readdirSync("/proc/self/fd").map((name) => {
      try {
        return readlinkSync(`/proc/self/fd/${name}`);
      } catch {
        return "closed meanwhile";
      }
    });
    expect(links.filter((link) => link.startsWith(root))).toEqual([]);
  });

  test("that are large are synced bit by bit", async () => {
    const lengths: number[] = [];
    const counting = onOpen((file) => ({
      datasync: async () => {
        lengths.push((await file.stat()).size);
        await file.datasync();
      },
    }));
    const store = await opened(newRoot(), counting);
    await store.putIfAbsent("a", [new Uint8Array(2 * objectSyncBytes + 5)]);
    expect(lengths).toEqual([objectSyncBytes, 2 * objectSyncBytes, 2 * objectSyncBytes + 5]);
  });

  test("are written whole by a system that takes less than it is given", async () => {
    const slow = onOpen((file) => ({
      writev: (async (views: readonly Uint8Array[], position: number) => {
        const first = views[0]?.subarray(0, 7) ?? new Uint8Array();
        return file.writev([first], position);
      }) as OpenedFile["writev"],
    }));
    const store = await opened(newRoot(), slow);
    const parts = ["0123456789abcdef", "", "ghijkl", "m"].map(bytes);
    await store.putIfAbsent("a", parts);
    expect(await store.readRange("a", range)).toEqual(bytes("0123456789abcdefghijklm"));
  });
});

describe("leftovers of a store that did not close", () => {
  test("are removed when the next one is opened", async () => {
    const root = newRoot();
    mkdirSync(join(root, "~temporary", "dead"), { recursive: true });
    writeFileSync(join(root, "~temporary", "dead", "1"), "half an obj");
    writeFileSync(join(root, "~temporary", "no folder"), "");
    const store = await opened(root);
    expect(readdirSync(join(root, "~temporary")).filter((name) => name === "dead")).toEqual([]);
    expect(await store.putIfAbsent("a", [])).toBe("stored");
  });

  test("are not looked for in what a store that is open uses", async () => {
    const root = newRoot();
    const first = await opened(root);
    const second = await opened(root);
    expect(readdirSync(join(root, "~temporary"))).toHaveLength(2);
    expect(await first.putIfAbsent("a", [bytes("first")])).toBe("stored");
    expect(await second.putIfAbsent("a", [bytes("second")])).toBe("exists");
    expect(await second.readRange("a", range)).toEqual(bytes("first"));
  });

  test("do not matter to a store whose own temporary folder was taken away", async () => {
    const root = newRoot();
    const store = await opened(root);
    rmSync(join(root, "~temporary"), { recursive: true });
    expect(await store.putIfAbsent("a", [bytes("x")])).toBe("stored");
  });
});

describe("what the system refuses", () => {
  test.each([
    ["ENOSPC", true],
    ["EIO", true],
    ["EMFILE", true],
    ["EACCES", false],
    ["EROFS", false],
  ])("a write with %s has no effect, and leaves nothing", async (code, retriable) => {
    const root = newRoot();
    const full = onOpen((_, path) =>
      path.includes("~temporary") ? { writev: () => Promise.reject(failing(code)) } : {},
    );
    const store = await opened(root, full);
    const failure = await failureOf(store.putIfAbsent("a", [bytes("x")]));
    expect(failure).toMatchObject({ retriable, applied: "no" });
    expect(failure.message).toContain(code);
    expect(await store.readRange("a", range)).toBeUndefined();
    const [folder = ""] = readdirSync(join(root, "~temporary"));
    expect(readdirSync(join(root, "~temporary", folder))).toEqual([]);
  });

  test("a put whose data is not synced never gets its name", async () => {
    const broken = onOpen((_, path) =>
      path.includes("~temporary") ? { datasync: () => Promise.reject(failing("EIO")) } : {},
    );
    const store = await opened(newRoot(), broken);
    const failure = await failureOf(store.putIfAbsent("a", [bytes("x")]));
    expect(failure).toMatchObject({ retriable: true, applied: "no" });
    expect((await store.list({ prefix: "", limit: 1 })).objects).toEqual([]);
  });

  test("a put whose folder is not synced may be there, and is seen only once it is synced", async () => {
    let isBroken = true;
    let syncs = 0;
    const broken = onOpen((file) => ({
      sync: async () => {
        if (isBroken) throw failing("EIO");
        syncs += 1;
        await file.sync();
      },
    }));
    const store = await opened(newRoot(), broken);
    const isUnknown = { retriable: true, applied: "maybe" };
    expect(await failureOf(store.putIfAbsent("a/b", [bytes("x")]))).toMatchObject(isUnknown);
    expect(await failureOf(store.putIfAbsent("a/b", [bytes("x")]))).toMatchObject(isUnknown);
    expect(await failureOf(store.readRange("a/b", range))).toMatchObject({ retriable: true });
    isBroken = false;
    expect(await store.readRange("a/b", range)).toEqual(bytes("x"));
    expect(syncs).toBe(2);
    await store.readRange("a/b", range);
    expect(syncs).toBe(2);
    expect(await store.putIfAbsent("a/b", [bytes("x")])).toBe("exists");
    expect(syncs).toBe(4);
  });

  test("reads, lists and deletions fail with what the system said", async () => {
    const root = newRoot();
    const refuse = () => Promise.reject(failing("EIO"));
    const store = await opened(root, { readdir: refuse, unlink: refuse, open: refuse });
    const isPassing = { retriable: true, applied: "no" };
    expect(await failureOf(store.readRange("a", range))).toMatchObject(isPassing);
    expect(await failureOf(store.list({ prefix: "", limit: 1 }))).toMatchObject(isPassing);
    const deletion = await failureOf(store.delete(["a"]));
    expect(deletion).toMatchObject({ retriable: true, applied: "maybe" });
  });

  test("an object that somebody cut while it was read is an error, not a short object", async () => {
    const cut = onOpen(() => ({
      read: (async () => ({ bytesRead: 0 })) as unknown as OpenedFile["read"],
    }));
    const store = await opened(newRoot(), cut);
    await store.putIfAbsent("a", [bytes("x")]);
    expect((await failureOf(store.readRange("a", range))).message).toContain("was cut");
  });

  test("a folder that is removed under a put, again and again, ends it", async () => {
    let links = 0;
    const store = await opened(newRoot(), {
      link: async () => {
        links += 1;
        throw failing("ENOENT");
      },
    });
    const failure = await failureOf(store.putIfAbsent("a/b", []));
    expect(failure).toMatchObject({ retriable: true, applied: "no" });
    expect(links).toBe(objectLinkTriesMax);
  });

  test.each(["ENOENT", "ENOTDIR", "EEXIST"])(
    "a parent that is removed while its folder is made (%s) costs a try",
    async (code) => {
      let made = 0;
      const store = await opened(newRoot(), {
        mkdir: async (path) => {
          made += 1;
          if (made === 1) throw failing(code);
          await fileCalls.mkdir(path);
        },
      });
      expect(await store.putIfAbsent("a/b/c", [bytes("x")])).toBe("stored");
      expect(made).toBe(2);
    },
  );

  test("a file in the way of a folder is told at once", async () => {
    const store = await opened(newRoot());
    await store.putIfAbsent("a/b", [bytes("x")]);
    const failure = await failureOf(store.putIfAbsent("a/b/c", [bytes("x")]));
    expect(failure).toMatchObject({ retriable: false, applied: "no" });
  });

  test("a folder that may not be made is told at once", async () => {
    const mkdir = (path: string): Promise<void> =>
      path.endsWith("a") ? Promise.reject(failing("EACCES")) : fileCalls.mkdir(path);
    const store = await opened(newRoot(), { mkdir });
    const failure = await failureOf(store.putIfAbsent("a/b", [bytes("x")]));
    expect(failure).toMatchObject({ retriable: false, applied: "no" });
  });

  test("what is no refusal of the system is a bug", async () => {
    const bug = new TypeError("undefined is not a function");
    const store = await opened(newRoot(), { link: () => Promise.reject(bug) });
    await expect(store.putIfAbsent("a", [])).rejects.toBe(bug);
  });

  test("a root that can't be a folder is refused at once", async () => {
    const root = newRoot();
    writeFileSync(join(root, "file"), "");
    const failure = await failureOf(FileObjectStore.open(join(root, "file")));
    expect(failure.retriable).toBe(false);
  });
});

test("a close waits for the puts that are under way", async () => {
  const root = newRoot();
  const store = await opened(root);
  const puts = Array.from({ length: 20 }, (_, n) => store.putIfAbsent(`a/${n}`, [bytes("x")]));
  await store.close();
  expect(await Promise.all(puts)).toEqual(puts.map(() => "stored"));
  const again = await opened(root);
  expect((await again.list({ prefix: "a/", limit: 100 })).objects).toHaveLength(20);
});
