import {
  close,
  constants,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  mkdirSync,
  open,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
  writevSync,
} from "node:fs";
import { promisify } from "node:util";
import type { Disk, DiskFile } from "@millrace/core";
import { DiskError, Lanes } from "@millrace/core";
import { openFilesMax, removalsMax, syncsMax, writevPartsMax, zeroFillBytes } from "./limits.ts";
import type { OpenFile } from "./open-files.ts";
import { OpenFiles } from "./open-files.ts";
import { Removals } from "./removals.ts";
import { SharedSyncs } from "./shared-syncs.ts";

export interface NodeDiskOptions {
  readonly openFilesMax?: number;
  /**
   * Called when a file's sync is complete: what was written to its first `length` bytes before is
   * durable. Space that was only reserved does not count, so that `length` is the end of the last
   * write. Called before a write, too, that begins below that: then less is durable. For tests that cut files to what a loss of power could have left.
   */
  readonly onSynced?: (path: string, length: number) => void;
  /** `left`: nothing on it has to survive the process, and syncs end at once. `done` by default. */
  readonly syncs?: "done" | "left";
}

const syncData = promisify(fdatasync);
const syncAll = promisify(fsync);
const openLater = promisify(open);
const closeLater = promisify(close);
const readWrite = constants.O_RDWR;
const fullCodes = new Set(["ENOSPC", "EDQUOT"]);
const absentCodes = new Set(["ENOENT", "ENOTDIR"]);

/**
 * The folder `root` of the file system, through synchronous calls: reads and writes meet the page
 * cache. Syncs run on libuv's threads.
 *
 * `resize` that extends a file writes zeros, because Node has no fallocate and a hole reserves
 * nothing. A folder's sync is an fsync of its descriptor. What is removed is gone by name when the
 * call returns; its blocks are free a little later.
 */
export class NodeDisk implements Disk {
  readonly #root: string;
  readonly #files: OpenFiles;
  readonly #removals = new Removals(removalsMax);
  readonly #shared: Shared;
  readonly #syncs: "done" | "left";
  readonly #folderSyncs = new SharedSyncs((directory) => this.#syncFolder(directory));

  constructor(root: string, options: NodeDiskOptions = {}) {
    this.#root = root;
    this.#files = new OpenFiles(options.openFilesMax ?? openFilesMax);
    const syncs = new Lanes(syncsMax);
    const { onSynced } = options;
    this.#syncs = options.syncs ?? "done";
    const written = onSynced === undefined ? undefined : new Map<string, number>();
    const rewritten = new Map<string, number>();
    const leavesSyncs = this.#syncs === "left";
    this.#shared = { files: this.#files, syncs, onSynced, written, rewritten, leavesSyncs };
  }

  /** Descriptors held at the moment. */
  get openFiles(): number {
    return this.#files.count;
  }

  open(path: string, options: { readonly create: "never" | "ifAbsent" }): DiskFile | undefined {
    const flags = options.create === "ifAbsent" ? readWrite | constants.O_CREAT : readWrite;
    const full = this.#resolve(path);
    try {
      const file = this.#files.open(full, flags);
      const opened = new NodeFile(path, file, this.#shared);
      const { written } = this.#shared;
      if (written?.has(path) === false) written.set(path, opened.size());
      return opened;
    } catch (error) {
      if (options.create === "never" && absentCodes.has(codeOf(error))) return undefined;
      throw diskError(path, "no", error);
    }
  }

  list(directory: string): readonly string[] {
    const full = this.#resolve(directory);
    try {
      // Most folders that are asked for are not there: those of partitions that nobody wrote to. To
      // find that out by an error takes ten times as long.
      if (statSync(full, { throwIfNoEntry: false }) === undefined) return [];
      return this.#files.makeDo(() => readdirSync(full)).sort();
    } catch (error) {
      if (absentCodes.has(codeOf(error))) return [];
      throw diskError(directory, "no", error);
    }
  }

  /** A new file under the name begins with nothing that is durable. */
  #forget(path: string): void {
    const { written, onSynced } = this.#shared;
    if (written?.delete(path) === true) onSynced?.(path, 0);
  }

  makeDirectory(directory: string): void {
    const full = this.#resolve(directory);
    attempt(directory, () => mkdirSync(full, { recursive: true }));
  }

  remove(path: string): void {
    this.#forget(path);
    const full = this.#resolve(path);
    attempt(path, () => this.#files.makeDo(() => this.#removals.remove(full)));
  }

  async removeFolder(directory: string): Promise<void> {
    const full = this.#resolve(directory);
    try {
      await this.#files.makeDoLater(() => this.#removals.removeFolder(full));
    } catch (error) {
      throw diskError(directory, "maybe", error);
    }
  }

  rename(from: string, to: string): void {
    const paths = [this.#resolve(from), this.#resolve(to)] as const;
    attempt(from, () => renameSync(...paths));
    const { written, onSynced } = this.#shared;
    const length = written?.get(from);
    if (length === undefined) return;
    written?.set(to, length);
    onSynced?.(to, length);
    this.#forget(from);
  }

  async syncDirectory(directory: string): Promise<void> {
    if (this.#syncs === "left") return;
    await this.#folderSyncs.run(directory);
  }

  async #syncFolder(directory: string): Promise<void> {
    const full = this.#resolve(directory);
    // A folder that was removed meanwhile has no names to keep.
    const how = { files: this.#files, flags: constants.O_RDONLY };
    await this.#shared.syncs.run(() => syncByPath(full, directory, how));
  }

  #resolve(path: string): string {
    if (path.startsWith("/") || path.split("/").includes("..")) {
      throw new RangeError(`not a path below the root: ${path}`);
    }
    return `${this.#root}/${path}`;
  }
}

/** A file's descriptor, open until it is given back. */
export interface LentDescriptor {
  readonly descriptor: number;
  giveBack(): void;
}

/** Undefined: it is no file of a `NodeDisk`, and has none. Throws DiskError, and when it is closed. */
export function lendDescriptor(file: DiskFile): LentDescriptor | undefined {
  return file instanceof NodeFile ? file.lend() : undefined;
}

/** What the files of one disk have in common. */
interface Shared {
  readonly files: OpenFiles;
  readonly syncs: Lanes;
  readonly leavesSyncs: boolean;
  readonly onSynced: ((path: string, length: number) => void) | undefined;
  /** Only with `onSynced`: each file's end of what was written. */
  readonly written: Map<string, number> | undefined;
  /** The lowest position below that end that was written since the last sync began. */
  readonly rewritten: Map<string, number>;
}

class NodeFile implements DiskFile {
  readonly #path: string;
  readonly #file: OpenFile;
  readonly #shared: Shared;

  constructor(path: string, file: OpenFile, shared: Shared) {
    this.#path = path;
    this.#file = file;
    this.#shared = shared;
  }

  size(): number {
    const descriptor = this.#descriptor();
    return attempt(this.#path, () => fstatSync(descriptor).size);
  }

  modifiedMs(): number {
    const descriptor = this.#descriptor();
    return attempt(this.#path, () => Math.floor(fstatSync(descriptor).mtimeMs));
  }

  write(position: number, parts: readonly Uint8Array[]): void {
    const descriptor = this.#descriptor();
    this.#willWrite(position);
    try {
      if (parts.length === 1 && parts[0] !== undefined) writeAll(descriptor, parts[0], position);
      else writeParts(descriptor, parts, position);
    } catch (error) {
      throw diskError(this.#path, "maybe", error);
    }
    this.#wrote(position, parts);
  }

  read(position: number, into: Uint8Array): number {
    const descriptor = this.#descriptor();
    let done = 0;
    try {
      while (done < into.length) {
        const rest = into.length - done;
        const read = readSync(descriptor, into, done, rest, position + done);
        if (read === 0) break;
        done += read;
      }
    } catch (error) {
      throw diskError(this.#path, "no", error);
    }
    return done;
  }

  lend(): LentDescriptor {
    const descriptor = this.#descriptor();
    this.#file.busy += 1;
    return { descriptor, giveBack: () => this.#shared.files.release(this.#file) };
  }

  resize(size: number): void {
    const descriptor = this.#descriptor();
    try {
      const before = fstatSync(descriptor).size;
      if (size < before) this.#truncate(descriptor, size);
      if (size > before) writeZeros(descriptor, before, size);
    } catch (error) {
      throw diskError(this.#path, "maybe", error);
    }
  }

  async sync(): Promise<void> {
    if (this.#file.closed) throw new Error(`closed: ${this.#path}`);
    if (this.#shared.leavesSyncs) return;
    await this.#shared.syncs.run(() => this.#syncNow());
  }

  close(): void {
    this.#shared.files.close(this.#file);
  }

  async #syncNow(): Promise<void> {
    // Closed while it waited for its turn: any descriptor of the file syncs all of the file.
    const { files, rewritten, written } = this.#shared;
    const length = written?.get(this.#path) ?? 0;
    rewritten.delete(this.#path);
    if (this.#file.closed) {
      await syncByPath(this.#file.path, this.#path, { files, flags: readWrite });
      this.#synced(length);
      return;
    }
    const descriptor = this.#descriptor();
    this.#file.busy += 1;
    try {
      await syncData(descriptor);
    } catch (error) {
      throw diskError(this.#path, "maybe", error);
    } finally {
      files.release(this.#file);
    }
    this.#synced(length);
  }

  #synced(length: number): void {
    const { onSynced, rewritten } = this.#shared;
    onSynced?.(this.#path, Math.min(length, rewritten.get(this.#path) ?? length));
  }

  #willWrite(position: number): void {
    const { onSynced, rewritten, written } = this.#shared;
    const end = written?.get(this.#path) ?? 0;
    if (position >= end || position >= (rewritten.get(this.#path) ?? end)) return;
    rewritten.set(this.#path, position);
    onSynced?.(this.#path, position);
  }

  #wrote(position: number, parts: readonly Uint8Array[]): void {
    const { written } = this.#shared;
    if (written === undefined) return;
    const end = parts.reduce((sum, part) => sum + part.byteLength, position);
    written.set(this.#path, Math.max(end, written.get(this.#path) ?? 0));
  }

  #truncate(descriptor: number, size: number): void {
    ftruncateSync(descriptor, size);
    const end = this.#shared.written?.get(this.#path);
    if (end !== undefined && end > size) this.#shared.written?.set(this.#path, size);
  }

  #descriptor(): number {
    if (this.#file.closed) throw new Error(`closed: ${this.#path}`);
    return attempt(this.#path, () => this.#shared.files.use(this.#file, readWrite));
  }
}

/** Syncs what lies at `full`; nothing to do where it is gone. */
async function syncByPath(
  full: string,
  path: string,
  { files, flags }: { readonly files: OpenFiles; readonly flags: number },
): Promise<void> {
  let descriptor: number | undefined;
  try {
    descriptor = await files.makeDoLater(() => openLater(full, flags));
    await syncAll(descriptor);
  } catch (error) {
    if (!absentCodes.has(codeOf(error))) throw diskError(path, "maybe", error);
  } finally {
    if (descriptor !== undefined) await closeLater(descriptor);
  }
}

function writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
  let done = 0;
  // The kernel may take less than it was given, on a nearly full disk above all.
  while (done < bytes.length) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  }
}

function writeParts(descriptor: number, parts: readonly Uint8Array[], position: number): void {
  let at = position;
  for (let first = 0; first < parts.length; first += writevPartsMax) {
    const group = parts.slice(first, first + writevPartsMax);
    let written = writevSync(descriptor, group, at);
    for (const part of group) {
      if (written < part.length) {
        const from = Math.max(0, written);
        writeAll(descriptor, part.subarray(from), at + from);
      }
      written -= part.length;
      at += part.length;
    }
  }
}

function writeZeros(descriptor: number, from: number, to: number): void {
  const zeros = new Uint8Array(Math.min(zeroFillBytes, to - from));
  for (let at = from; at < to; at += zeros.length) {
    writeAll(descriptor, zeros.subarray(0, Math.min(zeros.length, to - at)), at);
  }
}

function attempt<Result>(path: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    throw diskError(path, "no", error);
  }
}

function diskError(path: string, applied: "no" | "maybe", cause: unknown): DiskError {
  const reason = fullCodes.has(codeOf(cause)) ? "full" : "io";
  return new DiskError(reason, { path, applied, cause });
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}
