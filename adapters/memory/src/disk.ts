import type { Disk, DiskFile, Random } from "@millrace/core";
import { DiskError } from "@millrace/core";
import { MemoryContent } from "./disk-content.ts";

export type DiskOperation =
  | "open"
  | "read"
  | "write"
  | "resize"
  | "sync"
  | "syncDirectory"
  | "removeFolder";

/** An error to come: of the calls that match, `after` go through, then `times` fail. */
export interface DiskFault {
  readonly operation: DiskOperation;
  /** All paths if absent. */
  readonly matches?: (path: string) => boolean;
  readonly after?: number;
  readonly times?: number;
  /** "io" by default. */
  readonly reason?: "full" | "io";
}

export interface MemoryDiskOptions {
  /** Runs the end of a sync later; a microtask by default. The simulation gives its own clock's. */
  readonly schedule?: (run: () => void) => void;
  /** What files say of when they were written. Without it they are never old. */
  readonly wallMs?: () => number;
}

type NameChange =
  | { readonly kind: "create"; readonly path: string; readonly content: MemoryContent }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "rename"; readonly from: string; readonly to: string };

interface ArmedFault {
  readonly fault: DiskFault;
  passes: number;
  failures: number;
}

/**
 * A disk in memory that keeps its word and not more: what was not synced may be gone, cut or
 * overwritten after `crash`, and names whose folder was not synced may be gone or back.
 *
 * Deterministic: all chance comes from the Random that is handed to `crash`, and files are visited
 * in the order of their names.
 */
export class MemoryDisk implements Disk {
  readonly #schedule: (run: () => void) => void;
  readonly #wallMs: () => number;
  readonly #files = new Map<string, MemoryContent>();
  readonly #durableFiles = new Map<string, MemoryContent>();
  readonly #directories = new Set<string>();
  #nameChanges: NameChange[] = [];
  #faults: ArmedFault[] = [];
  #capacityBytes = Number.POSITIVE_INFINITY;
  /** Handles, and syncs under way, of an earlier life are worth nothing. */
  #life = 0;

  constructor(options: MemoryDiskOptions = {}) {
    this.#schedule = options.schedule ?? queueMicrotask;
    this.#wallMs = options.wallMs ?? (() => Number.MAX_SAFE_INTEGER);
  }

  open(path: string, options: { readonly create: "never" | "ifAbsent" }): DiskFile | undefined {
    this.#check("open", path);
    let content = this.#files.get(path);
    if (content === undefined) {
      if (options.create === "never") return undefined;
      if (!this.#directories.has(parentOf(path))) throw ioError(path, "no such folder");
      content = new MemoryContent();
      content.modifiedMs = this.#wallMs();
      this.#files.set(path, content);
      this.#nameChanges.push({ kind: "create", path, content });
    }
    return this.#handle(path, content);
  }

  list(directory: string): readonly string[] {
    const prefix = `${directory}/`;
    const names = new Set<string>();
    for (const path of [...this.#files.keys(), ...this.#directories]) {
      if (path.startsWith(prefix)) names.add(path.slice(prefix.length).split("/")[0] ?? "");
    }
    return [...names].sort();
  }

  makeDirectory(directory: string): void {
    for (let path = directory; path !== ""; path = parentOf(path)) this.#directories.add(path);
  }

  remove(path: string): void {
    const inside = (name: string): boolean => name === path || name.startsWith(`${path}/`);
    for (const name of [...this.#files.keys()].filter(inside).sort()) {
      this.#files.delete(name);
      this.#nameChanges.push({ kind: "remove", path: name });
    }
    for (const name of [...this.#directories].filter(inside)) this.#directories.delete(name);
  }

  removeFolder(directory: string): Promise<void> {
    return this.#later("removeFolder", directory, () => this.remove(directory));
  }

  rename(from: string, to: string): void {
    const content = this.#files.get(from);
    if (content === undefined) throw ioError(from, "no such file");
    this.#files.delete(from);
    this.#files.set(to, content);
    this.#nameChanges.push({ kind: "rename", from, to });
  }

  syncDirectory(directory: string): Promise<void> {
    const mine = this.#nameChanges.filter((change) => folderOf(change) === directory);
    return this.#later("syncDirectory", directory, () => {
      // A sync that began later may be over: what it made durable must not be undone.
      const pending = new Set(this.#nameChanges);
      const due = new Set(mine.filter((change) => pending.has(change)));
      for (const change of due) this.#applyName(this.#durableFiles, change);
      this.#nameChanges = this.#nameChanges.filter((change) => !due.has(change));
    });
  }

  /** Writes that would need more than this in all files fail, after as much as fits. */
  setCapacity(bytes: number): void {
    this.#capacityBytes = bytes;
  }

  get usedBytes(): number {
    let bytes = 0;
    for (const content of this.#files.values()) bytes += content.size;
    return bytes;
  }

  failNext(fault: DiskFault): void {
    this.#faults.push({ fault, passes: fault.after ?? 0, failures: fault.times ?? 1 });
  }

  /** Paths of all files, sorted. */
  paths(): readonly string[] {
    return [...this.#files.keys()].sort();
  }

  /** A copy of the file's bytes. */
  bytesOf(path: string): Uint8Array {
    return this.#contentOf(path).copy();
  }

  /** The lowest position whose byte a crash may take; the size when all is synced. */
  syncedTo(path: string): number {
    return this.#contentOf(path).unsyncedFrom;
  }

  /** Rot: flips one bit, synced or not, for good. */
  flipBit(path: string, bit: number): void {
    this.#contentOf(path).flipBit(bit);
  }

  /** Damage from outside: cuts the file, for good. */
  cut(path: string, size: number): void {
    const content = this.#contentOf(path);
    content.resize(size);
    content.makeDurable();
  }

  /** Damage from outside: the folder is gone with all that is in it, for good. */
  loseFolder(directory: string): void {
    this.remove(directory);
    const isInside = (path: string): boolean => path.startsWith(`${directory}/`);
    this.#nameChanges = this.#nameChanges.filter((change) => !isInside(nameOf(change)));
    for (const path of [...this.#durableFiles.keys()].filter(isInside)) {
      this.#durableFiles.delete(path);
    }
  }

  /** The process dies: handles are gone, every written byte stays. */
  kill(): void {
    this.#life += 1;
    this.#faults = [];
  }

  /** Power is lost: what was not synced comes back as chance has it. */
  crash(random: Random): void {
    this.kill();
    for (const change of this.#nameChanges) {
      if (random.below(2) === 0) this.#applyName(this.#durableFiles, change);
    }
    this.#nameChanges = [];
    this.#files.clear();
    for (const path of [...this.#durableFiles.keys()].sort()) {
      const content = this.#durableFiles.get(path);
      if (content === undefined) continue;
      content.crash(random);
      this.#files.set(path, content);
      this.makeDirectory(parentOf(path));
    }
  }

  #contentOf(path: string): MemoryContent {
    const content = this.#files.get(path);
    if (content === undefined) throw ioError(path, "no such file");
    return content;
  }

  #applyName(files: Map<string, MemoryContent>, change: NameChange): void {
    if (change.kind === "create") files.set(change.path, change.content);
    if (change.kind === "remove") files.delete(change.path);
    if (change.kind !== "rename") return;
    const content = files.get(change.from) ?? this.#files.get(change.to);
    files.delete(change.from);
    if (content !== undefined) files.set(change.to, content);
  }

  #handle(path: string, content: MemoryContent): DiskFile {
    const life = this.#life;
    let closed = false;
    const check = (operation?: DiskOperation): void => {
      if (closed || life !== this.#life) throw new Error(`closed: ${path}`);
      if (operation !== undefined) this.#check(operation, path);
    };
    return {
      size: () => {
        check();
        return content.size;
      },
      modifiedMs: () => {
        check();
        return content.modifiedMs;
      },
      write: (position, parts) => {
        check("write");
        content.modifiedMs = this.#wallMs();
        this.#write(path, content, position, parts);
      },
      read: (position, into) => {
        check("read");
        return content.read(position, into);
      },
      resize: (size) => {
        check("resize");
        const room = this.#capacityBytes - this.usedBytes;
        if (size - content.size > room) throw fullError(path, "no");
        content.resize(size);
        content.modifiedMs = this.#wallMs();
      },
      sync: async () => {
        check();
        const finish = content.beginSync();
        await this.#later("sync", path, () => finish("done")).catch((error: unknown) => {
          finish("failed");
          throw error;
        });
      },
      close: () => {
        check();
        closed = true;
      },
    };
  }

  #write(
    path: string,
    content: MemoryContent,
    position: number,
    parts: readonly Uint8Array[],
  ): void {
    let at = position;
    for (const part of parts) {
      const growth = Math.max(0, at + part.length - content.size);
      const room = Math.max(0, this.#capacityBytes - this.usedBytes);
      if (growth > room) {
        content.write(at, part.subarray(0, part.length - (growth - room)));
        throw fullError(path, "maybe");
      }
      content.write(at, part);
      at += part.length;
    }
  }

  #later(operation: DiskOperation, path: string, run: () => void): Promise<void> {
    const life = this.#life;
    return new Promise((resolve, reject) => {
      this.#schedule(() => {
        // A dead process's promise never settles.
        if (life !== this.#life) return;
        try {
          this.#check(operation, path);
          run();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #check(operation: DiskOperation, path: string): void {
    for (const armed of this.#faults) {
      if (armed.fault.operation !== operation || armed.fault.matches?.(path) === false) continue;
      if (armed.passes > 0) {
        armed.passes -= 1;
        continue;
      }
      armed.failures -= 1;
      if (armed.failures <= 0) this.#faults = this.#faults.filter((other) => other !== armed);
      const cause = new Error(`${operation} was made to fail`);
      throw new DiskError(armed.fault.reason ?? "io", { path, applied: "no", cause });
    }
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function folderOf(change: NameChange): string {
  return parentOf(nameOf(change));
}

function nameOf(change: NameChange): string {
  return change.kind === "rename" ? change.to : change.path;
}

function ioError(path: string, cause: string): DiskError {
  return new DiskError("io", { path, applied: "no", cause: new Error(cause) });
}

function fullError(path: string, applied: "no" | "maybe"): DiskError {
  return new DiskError("full", { path, applied });
}
