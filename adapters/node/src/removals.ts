import { close, lstatSync, openSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { readdir, rmdir, unlink } from "node:fs/promises";
import { Lanes } from "@millrace/core";

/** A smaller file's blocks are freed in less time than it takes to open it. */
const largeBytesMin = 262_144;

/**
 * Removes files and folders. To free the blocks of a large file takes the file system many
 * milliseconds, which nobody should wait for: its name goes at once, and its blocks when the last
 * descriptor is closed, on a thread of libuv. A death in between loses nothing: the kernel frees
 * what has no name and no descriptor.
 */
export class Removals {
  readonly #max: number;
  /** Of files without a name. They are closed one after another: syncs need those threads too. */
  readonly #descriptors: number[] = [];
  #closing = false;
  readonly #lanes = new Lanes(1);

  constructor(max: number) {
    this.#max = max;
  }

  /** A file, or a folder with all in it; no effect when absent. Throws what node:fs throws. */
  remove(path: string): void {
    try {
      this.#remove(path);
    } finally {
      // Not before: while the blocks of a file are being freed, rmdir of its folder spins.
      if (!this.#closing) this.#closeNext();
    }
  }

  /** The same for a folder, on libuv's threads from the first to the last system call. */
  async removeFolder(path: string): Promise<void> {
    await this.#lanes.run(() => removeAll(path));
  }

  #remove(path: string): void {
    try {
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found === undefined) return;
      if (found.isDirectory()) this.#removeFolder(path);
      else this.#removeFile(path, found.size);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }

  #removeFolder(path: string): void {
    for (const name of readdirSync(path)) this.#remove(`${path}/${name}`);
    rmdirSync(path);
  }

  #removeFile(path: string, size: number): void {
    if (size >= largeBytesMin && this.#descriptors.length < this.#max) {
      this.#descriptors.push(openSync(path, "r"));
    }
    unlinkSync(path);
  }

  #closeNext(): void {
    const descriptor = this.#descriptors.shift();
    this.#closing = descriptor !== undefined;
    if (descriptor === undefined) return;
    // A close that fails has nothing to say about a file that has no name any more.
    close(descriptor, () => this.#closeNext());
  }
}

/** One after another, for the same reason. */
async function removeAll(path: string): Promise<void> {
  try {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      const inner = `${path}/${entry.name}`;
      if (entry.isDirectory()) await removeAll(inner);
      else await unlink(inner);
    }
    await rmdir(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
}

function isAbsent(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return error.code === "ENOENT" || error.code === "ENOTDIR";
}
