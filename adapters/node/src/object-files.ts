import { mkdir, open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import {
  assertObjectKey,
  assertObjectListing,
  assertObjectRange,
  inLanes,
  Lanes,
  ObjectError,
  type ObjectListing,
  type ObjectPage,
  type ObjectRange,
  type ObjectStore,
} from "@millrace/core";
import { objectFilesOpenMax, objectLinkTriesMax } from "./limits.ts";
import { readObject, writeObject } from "./object-files-bytes.ts";
import {
  codeOf,
  type FileCalls,
  fileCalls,
  fileError,
  type OpenedFile,
} from "./object-files-calls.ts";
import { walkKeys } from "./object-files-listing.ts";
import { TemporaryFiles } from "./object-files-temporary.ts";
import { ObjectWriter } from "./object-writer.ts";
import type { ThreadEntry } from "./worker-pool-thread.ts";

export interface FileObjectStoreOptions {
  /** Descriptors held at once; further calls wait. */
  readonly filesOpenMax?: number;
  /** What a thread of its own runs that writes objects. Absent: libuv's threads write them. */
  readonly writer?: () => ThreadEntry;
  readonly calls?: FileCalls;
}

const removedMeanwhile = new Set(["ENOENT", "ENOTDIR", "EEXIST"]);

/**
 * Objects as files below a root folder, each at the path that is its key.
 *
 * A put writes and syncs a file of a temporary name, links it to the key's path, which fails where
 * one is, and syncs the path's folders up to the root, each of which may be new, before it
 * resolves; also before it says `exists`, because whoever linked that file may not have come so
 * far. A put that failed on that way may be seen by a read, which then syncs them first. A deletion removes folders that it left empty, at once, and syncs the folder that is left.
 * All of it runs on libuv's threads, in pieces, so that nobody waits long for one of them; what is
 * put is written on a thread of its own, if there is one.
 *
 * It wants a file system with hard links. Stores of several processes may share a root.
 */
export class FileObjectStore implements ObjectStore {
  readonly #root: string;
  readonly #calls: FileCalls;
  readonly #writer: ObjectWriter | undefined;
  readonly #temporary: TemporaryFiles;
  /** Each holds one descriptor at most. */
  readonly #lanes: Lanes;
  readonly #filesOpenMax: number;
  readonly #underWay = new Set<Promise<unknown>>();
  /** Keys that were linked and whose folders were not synced since. */
  readonly #unsynced = new Set<string>();
  #isClosed = false;

  private constructor(root: string, temporary: TemporaryFiles, options: FileObjectStoreOptions) {
    this.#root = root;
    this.#temporary = temporary;
    this.#calls = options.calls ?? fileCalls;
    this.#writer = options.writer === undefined ? undefined : new ObjectWriter(options.writer);
    this.#filesOpenMax = options.filesOpenMax ?? objectFilesOpenMax;
    this.#lanes = new Lanes(this.#filesOpenMax);
  }

  /** Makes the folder if it is absent, and removes what stores that are no more left unfinished. */
  static async open(
    folder: string,
    options: FileObjectStoreOptions = {},
  ): Promise<FileObjectStore> {
    const root = resolve(folder);
    try {
      await makeRoot(root);
      return new FileObjectStore(root, await TemporaryFiles.open(root), options);
    } catch (error) {
      throw fileError(`the objects in ${root} cannot be opened`, error, "no");
    }
  }

  putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    return this.#call(() => {
      assertObjectKey(key);
      return this.#put(key, parts);
    });
  }

  readRange(key: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    return this.#call(() => {
      assertObjectKey(key);
      assertObjectRange(range);
      return this.#read(key, range);
    });
  }

  list(listing: ObjectListing): Promise<ObjectPage> {
    return this.#call(() => {
      assertObjectListing(listing);
      return this.#list(listing);
    });
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#call(() => {
      for (const key of keys) assertObjectKey(key);
      return this.#delete([...new Set(keys)]);
    });
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled(this.#underWay);
    await this.#writer?.close();
    await this.#temporary.close();
  }

  async #call<Result>(run: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) {
      throw new ObjectError("the store is closed", { retriable: false, applied: "no" });
    }
    const call = run();
    this.#underWay.add(call);
    try {
      return await call;
    } finally {
      this.#underWay.delete(call);
    }
  }

  async #put(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    const temporary = this.#temporary.next();
    let applied: "no" | "maybe" = "no";
    try {
      await this.#lanes.run(() => this.#write(temporary, parts));
      const outcome = await this.#link(temporary, key);
      applied = "maybe";
      this.#unsynced.add(key);
      await this.#syncFolders(key);
      return outcome;
    } catch (error) {
      throw fileError(`${key} could not be put`, error, applied);
    } finally {
      await this.#discard(temporary);
    }
  }

  async #write(path: string, parts: readonly Uint8Array[]): Promise<void> {
    try {
      await this.#writeNew(path, parts);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
      await this.#calls.mkdir(this.#temporary.folder);
      await this.#writeNew(path, parts);
    }
  }

  async #writeNew(path: string, parts: readonly Uint8Array[]): Promise<void> {
    if (this.#writer !== undefined) return this.#writer.write(path, parts);
    const file = await this.#calls.open(path, "wx");
    try {
      await writeObject(file, parts);
    } finally {
      await file.close();
    }
  }

  /** Deletions may remove folders between their making and the link, so it is tried several times. */
  async #link(temporary: string, key: string): Promise<"stored" | "exists"> {
    const path = this.#path(key);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#calls.link(temporary, path);
        return "stored";
      } catch (error) {
        const code = codeOf(error);
        if (code === "EEXIST") return this.#foundExisting(key);
        if (code !== "ENOENT" || attempt === objectLinkTriesMax) throw error;
      }
      await this.#makeFolder(folderOf(path));
    }
  }

  /** Where a deletion removes a parent meanwhile, Node finds it there and then no folder. */
  async #makeFolder(path: string): Promise<void> {
    try {
      await this.#calls.mkdir(path);
    } catch (error) {
      // The link says whether a file is in the way.
      if (!removedMeanwhile.has(codeOf(error))) throw error;
    }
  }

  async #foundExisting(key: string): Promise<"exists"> {
    try {
      const { isDirectory } = await this.#stat(key);
      if (!isDirectory) return "exists";
    } catch (error) {
      // Deleted in the meantime: it was there.
      if (codeOf(error) === "ENOENT") return "exists";
      throw error;
    }
    const details = { retriable: false, applied: "no" } as const;
    throw new ObjectError(`a folder is in the way of ${key}`, details);
  }

  /** All from the key's to the root; one that is gone went with what was put into it. */
  async #syncFolders(key: string): Promise<void> {
    const folders = [this.#root];
    for (let at = folderOf(this.#path(key)); at !== this.#root; at = folderOf(at)) folders.push(at);
    await inLanes(folders, this.#filesOpenMax, (path) => this.#syncFolder(path));
    this.#unsynced.delete(key);
  }

  async #syncFolder(path: string): Promise<void> {
    await this.#lanes.run(async () => {
      const opened = await this.#openIfThere(path);
      if (opened === undefined) return;
      try {
        await opened.sync();
      } finally {
        await opened.close();
      }
    });
  }

  async #openIfThere(path: string): Promise<OpenedFile | undefined> {
    try {
      return await this.#calls.open(path, "r");
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async #discard(temporary: string): Promise<void> {
    try {
      await this.#calls.unlink(temporary);
    } catch {
      // It is of no use and in nobody's way; the next store that is opened here removes it.
    }
  }

  async #read(key: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    try {
      // Who put it without an answer looks here: what is seen has to be what stays.
      if (this.#unsynced.has(key)) await this.#syncFolders(key);
      return await this.#lanes.run(() => this.#readOpened(key, range));
    } catch (error) {
      throw fileError(`${key} could not be read`, error, "no");
    }
  }

  async #readOpened(key: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    const file = await this.#openIfThere(this.#path(key));
    if (file === undefined) return undefined;
    try {
      return await readObject(file, key, range);
    } finally {
      await file.close();
    }
  }

  async #list({ limit, ...listing }: ObjectListing): Promise<ObjectPage> {
    try {
      const readFolder = (folder: string) =>
        this.#lanes.run(() => this.#calls.readdir(join(this.#root, folder)));
      const keys: string[] = [];
      let isMore = false;
      for await (const key of walkKeys(readFolder, listing)) {
        isMore = keys.length === limit;
        if (isMore) break;
        keys.push(key);
      }
      const objects = await this.#sized(keys);
      const next = isMore ? keys.at(-1) : undefined;
      return next === undefined ? { objects } : { objects, next };
    } catch (error) {
      throw fileError(`${listing.prefix} could not be listed`, error, "no");
    }
  }

  async #sized(keys: readonly string[]): Promise<ObjectPage["objects"]> {
    const sizes = new Map<string, number>();
    await inLanes(keys, this.#filesOpenMax, async (key) => {
      try {
        sizes.set(key, (await this.#stat(key)).bytes);
      } catch (error) {
        // Deleted since its name was read.
        if (!isAbsent(error)) throw error;
      }
    });
    return keys.flatMap((key) => {
      const bytes = sizes.get(key);
      return bytes === undefined ? [] : [{ key, bytes }];
    });
  }

  async #stat(key: string): Promise<{ readonly bytes: number; readonly isDirectory: boolean }> {
    const found = await this.#calls.lstat(this.#path(key));
    return { bytes: found.size, isDirectory: found.isDirectory() };
  }

  async #delete(keys: readonly string[]): Promise<void> {
    try {
      await inLanes(keys, this.#filesOpenMax, (key) => this.#unlink(key));
      const folders = new Set(keys.map((key) => folderOf(this.#path(key))));
      const left = new Set<string>();
      for (const folder of folders) left.add(await this.#removeEmpty(folder));
      await inLanes([...left], this.#filesOpenMax, (folder) => this.#syncFolder(folder));
    } catch (error) {
      throw fileError("objects could not be deleted", error, "maybe");
    }
  }

  async #unlink(key: string): Promise<void> {
    try {
      await this.#calls.unlink(this.#path(key));
    } catch (error) {
      // EISDIR: it is no object but a folder of some.
      if (!isAbsent(error) && codeOf(error) !== "EISDIR") throw error;
    }
    this.#unsynced.delete(key);
  }

  /** Removes the folder, if it is empty, and those above it; the lowest that is left. */
  async #removeEmpty(folder: string): Promise<string> {
    let at = folder;
    while (at !== this.#root) {
      try {
        await this.#calls.rmdir(at);
      } catch (error) {
        const code = codeOf(error);
        if (code === "ENOTEMPTY" || code === "EEXIST") break;
        if (!isAbsent(error)) throw error;
      }
      at = folderOf(at);
    }
    return at;
  }

  #path(key: string): string {
    return join(this.#root, key);
  }
}

const folderOf = dirname;

function isAbsent(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** The folder with its parents; those that are new are synced into theirs. */
async function makeRoot(root: string): Promise<void> {
  const first = await mkdir(root, { recursive: true });
  if (first === undefined) return;
  for (let at = root; at !== dirname(first); at = dirname(at)) {
    const parent = await open(dirname(at), "r");
    try {
      await parent.sync();
    } finally {
      await parent.close();
    }
  }
}
