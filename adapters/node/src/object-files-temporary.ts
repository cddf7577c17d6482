import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type DirectoryLock, lockDirectory } from "./directory-lock.ts";
import { codeOf } from "./object-files-calls.ts";

/** No key has a `~`: nothing that is listed or put can meet the folder. */
const folderName = "~temporary";

/**
 * A store's own folder for files that are no objects yet, below its root and so on its file
 * system. It is locked as long as the store is open. The folders of stores that are open no more,
 * however they ended, are removed when the next one is opened; where locks can't be seen, as
 * between machines, a folder in use may go too, which makes puts under way fail, and no more.
 */
export class TemporaryFiles {
  readonly #folder: string;
  readonly #lock: Extract<DirectoryLock, { readonly kind: "locked" }>;
  #next = 0;

  private constructor(folder: string, lock: Extract<DirectoryLock, { readonly kind: "locked" }>) {
    this.#folder = folder;
    this.#lock = lock;
  }

  static async open(root: string): Promise<TemporaryFiles> {
    const all = join(root, folderName);
    await mkdir(all, { recursive: true });
    await removeLeftovers(all);
    for (;;) {
      const folder = join(all, randomBytes(8).toString("hex"));
      const lock = await lockDirectory(folder);
      if (lock.kind === "held") continue;
      // Another store that is being opened may have removed it before it was locked.
      if (existsSync(folder)) return new TemporaryFiles(folder, lock);
      await lock.release();
    }
  }

  get folder(): string {
    return this.#folder;
  }

  next(): string {
    this.#next += 1;
    return join(this.#folder, String(this.#next));
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
    await this.#lock.release();
  }
}

async function removeLeftovers(all: string): Promise<void> {
  for (const name of await readdir(all)) {
    const folder = join(all, name);
    try {
      const lock = await lockDirectory(folder);
      if (lock.kind === "held") continue;
      await rm(folder, { recursive: true, force: true });
      await lock.release();
    } catch (error) {
      // Not a folder of a store's, or one that another store is removing: nothing hangs on it.
      if (!["EEXIST", "ENOENT", "ENOTDIR", "ENOTEMPTY"].includes(codeOf(error))) throw error;
    }
  }
}
