import { type Disk, DiskError, type DiskFile } from "@millrace/core";

const firstCapacityBytes = 256;

/**
 * A disk in memory for a broker that trusts nothing on it: nothing is ever durable, and so each
 * byte is there once, and hundreds of thousands of files cost what is in them.
 */
export class CacheDisk implements Disk {
  readonly #wallMs: () => number;
  readonly #folders = new Map<string, Map<string, CacheContent>>();
  /** The names of the folders in each folder. */
  readonly #within = new Map<string, Set<string>>();

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  open(path: string, options: { readonly create: "never" | "ifAbsent" }): DiskFile | undefined {
    const [folder, name] = placeOf(path);
    const files = this.#folders.get(folder);
    const known = files?.get(name);
    if (known !== undefined) return new CacheFile(known, this.#wallMs);
    if (options.create === "never") return undefined;
    if (files === undefined) {
      throw new DiskError("io", { path, applied: "no", cause: new Error("no such folder") });
    }
    const content = new CacheContent(this.#wallMs());
    files.set(name, content);
    return new CacheFile(content, this.#wallMs);
  }

  list(directory: string): readonly string[] {
    const files = this.#folders.get(directory)?.keys() ?? [];
    const names = [...files, ...(this.#within.get(directory) ?? [])];
    return names.sort();
  }

  makeDirectory(directory: string): void {
    for (let path = directory; path !== ""; [path] = placeOf(path)) {
      if (this.#folders.has(path)) return;
      this.#folders.set(path, new Map());
      const [parent, name] = placeOf(path);
      const within = this.#within.get(parent);
      if (within === undefined) this.#within.set(parent, new Set([name]));
      else within.add(name);
    }
  }

  remove(path: string): void {
    const [folder, name] = placeOf(path);
    this.#folders.get(folder)?.delete(name);
    for (const inner of [...(this.#within.get(path) ?? [])]) this.remove(`${path}/${inner}`);
    this.#within.get(folder)?.delete(name);
    this.#within.delete(path);
    this.#folders.delete(path);
  }

  async removeFolder(directory: string): Promise<void> {
    this.remove(directory);
  }

  rename(from: string, to: string): void {
    const [folder, name] = placeOf(from);
    const content = this.#folders.get(folder)?.get(name);
    const [newFolder, newName] = placeOf(to);
    const files = this.#folders.get(newFolder);
    if (content === undefined || files === undefined) {
      throw new DiskError("io", { path: from, applied: "no", cause: new Error("no such file") });
    }
    this.#folders.get(folder)?.delete(name);
    files.set(newName, content);
  }

  syncDirectory(): Promise<void> {
    return Promise.resolve();
  }
}

class CacheContent {
  bytes: Uint8Array = new Uint8Array(0);
  size = 0;
  modifiedMs: number;

  constructor(modifiedMs: number) {
    this.modifiedMs = modifiedMs;
  }

  grow(size: number): void {
    if (size > this.bytes.length) {
      const grown = new Uint8Array(Math.max(size, 2 * this.bytes.length, firstCapacityBytes));
      grown.set(this.bytes.subarray(0, this.size));
      this.bytes = grown;
    }
    this.size = Math.max(this.size, size);
  }
}

class CacheFile implements DiskFile {
  readonly #content: CacheContent;
  readonly #wallMs: () => number;

  constructor(content: CacheContent, wallMs: () => number) {
    this.#content = content;
    this.#wallMs = wallMs;
  }

  size(): number {
    return this.#content.size;
  }

  modifiedMs(): number {
    return this.#content.modifiedMs;
  }

  write(position: number, parts: readonly Uint8Array[]): void {
    const content = this.#content;
    content.modifiedMs = this.#wallMs();
    let at = position;
    for (const part of parts) {
      content.grow(at + part.length);
      content.bytes.set(part, at);
      at += part.length;
    }
  }

  read(position: number, into: Uint8Array): number {
    const { bytes, size } = this.#content;
    const found = bytes.subarray(
      position,
      Math.max(position, Math.min(size, position + into.length)),
    );
    into.set(found);
    return found.length;
  }

  resize(size: number): void {
    const content = this.#content;
    content.modifiedMs = this.#wallMs();
    content.grow(size);
    content.bytes.fill(0, size, content.size);
    content.size = size;
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}

function placeOf(path: string): readonly [folder: string, name: string] {
  const at = path.lastIndexOf("/");
  return [path.slice(0, Math.max(0, at)), path.slice(at + 1)];
}
