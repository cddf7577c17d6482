import type { FaultyMetadataStore, MemoryDisk } from "@millrace/adapter-memory";
import {
  type Disk,
  DiskError,
  type DiskFile,
  MetadataError,
  type MetadataStore,
  type Write,
} from "@millrace/core";
import { type FaultTable, fileKind, keyKind, type Steps } from "./fault-table.ts";
import type { Life } from "./life.ts";
import type { Trace } from "./trace.ts";

/** What the ports of one life report to, and what fences them. */
export interface Watchers {
  readonly life: Life;
  readonly trace: Trace;
  readonly steps: Steps;
  readonly table: FaultTable;
}

/**
 * The disk as one life of the broker sees it: traced, counted, and of no use after the life's end.
 */
export class WatchedDisk implements Disk {
  readonly #disk: MemoryDisk;
  readonly #watchers: Watchers;
  /** Journal files that hold, behind what is written to them, objects of a former life. */
  readonly #reused = new Set<string>();

  constructor(disk: MemoryDisk, watchers: Watchers) {
    this.#disk = disk;
    this.#watchers = watchers;
  }

  open(path: string, options: { readonly create: "never" | "ifAbsent" }): DiskFile | undefined {
    const file = this.#call("open", path, () => this.#disk.open(path, options));
    return file === undefined ? undefined : this.#file(path, file);
  }

  list(directory: string): readonly string[] {
    return this.#call("list", directory, () => this.#disk.list(directory));
  }

  makeDirectory(directory: string): void {
    this.#call("makeDirectory", directory, () => this.#disk.makeDirectory(directory));
  }

  remove(path: string): void {
    this.#call("remove", path, () => this.#disk.remove(path));
  }

  removeFolder(directory: string): Promise<void> {
    return this.#later("removeFolder", directory, () => this.#disk.removeFolder(directory));
  }

  rename(from: string, to: string): void {
    this.#call("rename", `${from} ${to}`, () => this.#disk.rename(from, to));
    if (from.endsWith(".spare")) this.#reused.add(to);
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#later("syncDirectory", directory, () => this.#disk.syncDirectory(directory));
  }

  #file(path: string, file: DiskFile): DiskFile {
    return {
      size: () => this.#call("size", path, () => file.size()),
      write: (position, parts) => {
        for (const part of parts) {
          this.#watchers.trace.addBytes(`disk write ${path} at ${position}`, part);
        }
        this.#call("write", path, () => file.write(position, parts));
      },
      read: (position, into) => this.#call("read", path, () => file.read(position, into)),
      resize: (size) => this.#call("resize", path, () => file.resize(size)),
      sync: () => this.#later("sync", path, () => file.sync()),
      close: () => this.#call("close", path, () => file.close()),
    };
  }

  #call<Result>(operation: string, path: string, run: () => Result): Result {
    this.#watchers.life.check(`disk ${operation} ${path}`);
    if (!quietOperations.has(operation)) this.#watchers.trace.add(`disk ${operation} ${path}`);
    try {
      return run();
    } catch (error) {
      throw this.#noted(error, operation, path);
    }
  }

  #later(operation: string, path: string, run: () => Promise<void>): Promise<void> {
    const { life, steps, trace } = this.#watchers;
    life.check(`disk ${operation} ${path}`);
    trace.add(`disk ${operation} ${path} begins`);
    const kinds = this.#reused.has(path) ? [fileKind(path), "reused journal"] : [fileKind(path)];
    const ends = kinds.map((kind) => steps.begin(`${operation} ${kind}`));
    const ended = run().then(
      () => {
        for (const end of ends) end();
        trace.add(`disk ${operation} ${path} ends`);
      },
      (error: unknown) => {
        for (const end of ends) end();
        throw this.#noted(error, operation, path);
      },
    );
    return life.fence(ended);
  }

  #noted(error: unknown, operation: string, path: string): unknown {
    if (error instanceof DiskError) {
      const fault = error.reason === "full" ? "disk full" : "disk error";
      this.#watchers.table.add(fault, `${operation} ${fileKind(path)}`);
      this.#watchers.trace.add(`${fault} ${operation} ${path}`);
    }
    return error;
  }
}

const quietOperations = new Set(["size", "read", "list", "close", "write"]);

/** The metadata store as one life of the broker sees it; closing it leaves the items alone. */
export function watchedStore(store: FaultyMetadataStore, watchers: Watchers): MetadataStore {
  const { life, steps, table, trace } = watchers;
  const call = <Result>(
    operation: string,
    kinds: readonly string[],
    run: () => Promise<Result>,
  ): Promise<Result> => {
    life.check(`store ${operation} ${kinds.join(" ")}`);
    const named = kinds.map((kind) => `${operation} ${kind}`);
    const ends = named.map((step) => steps.begin(step));
    const ended = run().then(
      (result) => {
        for (const end of ends) end();
        return result;
      },
      (error: unknown) => {
        for (const end of ends) end();
        if (error instanceof MetadataError) {
          const fault = error.message.replace("injected: ", "store ");
          for (const step of named) table.add(fault, step);
          trace.add(`${fault} ${named.join(", ")}`);
        }
        throw error;
      },
    );
    return life.fence(ended);
  };
  return {
    get: (key) => call("get", [keyKind(key)], () => store.get(key)),
    range: (range) => call("range", [keyKind(range.from)], () => store.range(range)),
    transact: (writes) => {
      trace.add(`store transact ${JSON.stringify(writes)}`);
      return call("transact", kindsOf(writes), () => store.transact(writes));
    },
    close: () => Promise.resolve(),
  };
}

/** Checks name what protects a write, not what is written. */
function kindsOf(writes: readonly Write[]): readonly string[] {
  const written = writes.filter(({ kind }) => kind !== "check");
  return [...new Set(written.map(({ key }) => keyKind(key)))].sort();
}
